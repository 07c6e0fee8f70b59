package inkstone.diffusion.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;

import inkstone.diffusion.text.ClipConfig;
import inkstone.diffusion.text.ClipEncoder;
import inkstone.diffusion.unet.UNet;
import inkstone.diffusion.unet.UNetConfig;
import inkstone.diffusion.vae.Autoencoder;
import inkstone.diffusion.vae.AutoencoderConfig;
import inkstone.diffusion.vae.Decoder;
import inkstone.tensor.Weights;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** How many tensors and numbers the original networks have, as their files say. */
class ParameterCountsTest {
    private static void assertCounts(int tensors, long parameters, Function<Weights, ?> model) {
        var list = new ParameterList(name -> !name.matches(".*\\.to_[qkv]\\.bias|text_projection\\.bias"));
        model.apply(list);
        assertEquals(tensors, list.shapes().size());
        assertEquals(parameters, list.parameters());
    }

    @Test void networksOfStableDiffusionHaveTheirSizes() {
        assertCounts(686, 859_520_964, w -> UNet.of(UNetConfig.STABLE_DIFFUSION_1, w));
        assertCounts(1680, 2_567_463_684L, w -> UNet.of(UNetConfig.STABLE_DIFFUSION_XL, w));
        assertCounts(248, 83_653_863, w -> Autoencoder.of(AutoencoderConfig.STABLE_DIFFUSION, w));
        assertCounts(140, 49_490_199, w -> Decoder.of(AutoencoderConfig.STABLE_DIFFUSION, w));
        assertCounts(196, 123_060_480, w -> ClipEncoder.of(ClipConfig.VIT_L, w));
        /* OpenCLIP keeps queries, keys and values together, in 4 tensors fewer for each of 32 layers, and a temperature. */
        assertCounts(390 + 4 * 32 - 1, 694_659_841 - 1, w -> ClipEncoder.of(ClipConfig.VIT_BIG_G, w));
    }
}
