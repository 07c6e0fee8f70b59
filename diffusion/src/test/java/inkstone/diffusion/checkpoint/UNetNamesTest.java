package inkstone.diffusion.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;

import inkstone.diffusion.unet.UNet;
import inkstone.diffusion.unet.UNetConfig;
import java.util.HashSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UNetNamesTest {
    private static final UNetNames VERSION_1 = UNetNames.of(4, 2, level -> level > 0, true);

    @ParameterizedTest @CsvSource({
        "time_embed.2.bias, time_embedding.linear_2.bias", "input_blocks.0.0.weight, conv_in.weight", "input_blocks.3.0.op.weight, down_blocks.0.downsamplers.0.conv.weight",
        "input_blocks.2.1.transformer_blocks.0.attn1.to_q.weight, down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q.weight",
        "input_blocks.7.0.skip_connection.weight, down_blocks.2.resnets.0.conv_shortcut.weight", "input_blocks.11.0.emb_layers.1.bias, down_blocks.3.resnets.1.time_emb_proj.bias",
        "middle_block.1.proj_in.weight, mid_block.attentions.0.proj_in.weight", "middle_block.2.out_layers.3.weight, mid_block.resnets.1.conv2.weight",
        "output_blocks.2.1.conv.weight, up_blocks.0.upsamplers.0.conv.weight", "output_blocks.5.2.conv.weight, up_blocks.1.upsamplers.0.conv.weight",
        "output_blocks.11.0.in_layers.0.weight, up_blocks.3.resnets.2.norm1.weight", "output_blocks.10.1.norm.weight, up_blocks.3.attentions.1.norm.weight", "out.2.weight, conv_out.weight"})
    void partsHaveTwoNames(String compVis, String diffusers) {
        assertEquals(compVis, VERSION_1.compVis(diffusers));
        assertEquals(diffusers, VERSION_1.diffusers(compVis));
    }

    @Test void everyParameterHasANameOfItsOwn() {
        for (var config : new UNetConfig[] {UNetConfig.STABLE_DIFFUSION_1, UNetConfig.STABLE_DIFFUSION_XL}) {
            var list = new ParameterList(name -> !name.matches(".*\\.to_[qkv]\\.bias"));
            UNet.of(config, list);
            var names = UNetNames.of(config.levels(), config.blocks(), level -> config.depths().get(config.levels() - 1 - level) > 0, true);
            var diffusers = new HashSet<String>();
            list.shapes().keySet().forEach(name -> diffusers.add(names.diffusers(name)));
            assertEquals(list.shapes().size(), diffusers.size());
            var found = UNetNames.ofDiffusers(diffusers);
            list.shapes().keySet().forEach(name -> assertEquals(name, found.compVis(names.diffusers(name))));
        }
    }
}
