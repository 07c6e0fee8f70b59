package inkstone.diffusion.vae;

import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.Picture;
import inkstone.diffusion.TestDevices;
import inkstone.diffusion.checkpoint.NetworkFile;
import inkstone.tensor.Scope;
import inkstone.tensor.checkpoint.CheckpointWeights;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TinyAutoencoderTest {
    /** Real weights through latents of an eighth of the width and height and back. */
    @ParameterizedTest @CsvSource({"taesd, 4", "taesdxl, 4", "taesd3, 16"})
    void realWeightsReturnThePicture(String name, int channels) throws IOException {
        Path encoderFile = TestDevices.data("weights-taesd").resolve(name + "_encoder.safetensors"), decoderFile = TestDevices.data("weights-taesd").resolve(name + "_decoder.safetensors");
        var picture = TestDevices.emoji("noto/1f34e.png");
        try (var backend = TestDevices.backend("cpu"); var scope = Scope.inference(backend); var encoderData = NetworkFile.open(encoderFile); var decoderData = NetworkFile.open(decoderFile);
             var encoderWeights = new CheckpointWeights(encoderData.checkpoint(), backend); var decoderWeights = new CheckpointWeights(decoderData.checkpoint(), backend)) {
            var encoder = encoderWeights.build(w -> TinyEncoder.of(w, channels));
            var decoder = decoderWeights.build(w -> TinyDecoder.of(w, channels));
            var latent = encoder.forward(scope.floats(picture.toFloats(), 1, picture.height(), picture.width(), 3));
            var again = Picture.of(picture.width(), picture.height(), 3, decoder.forward(latent).toFloats());
            double psnr = TestDevices.psnr(picture, again);
            assertTrue(psnr > 19, "%s: %.2f dB".formatted(name, psnr));
            if (Boolean.getBoolean("inkstone.figures")) System.out.printf("%-8s %.2f dB%n", name, psnr);
        }
    }
}
