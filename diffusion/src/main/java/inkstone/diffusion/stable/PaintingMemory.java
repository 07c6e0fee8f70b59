package inkstone.diffusion.stable;

import inkstone.diffusion.checkpoint.ImageCheckpoint;
import inkstone.diffusion.checkpoint.ParameterList;
import inkstone.diffusion.text.ClipTokenizer;
import inkstone.diffusion.unet.UNet;
import inkstone.diffusion.vae.Decoder;
import inkstone.diffusion.vae.Encoder;
import inkstone.diffusion.vae.Tiles;
import inkstone.tensor.CountingBackend;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import java.util.function.Consumer;

/** What memory a request takes beside the weights, known before anything is computed: the networks run on a {@link CountingBackend}. */
final class PaintingMemory {
    private final UNet unet;
    private final Encoder encoder;
    private final Decoder decoder;

    PaintingMemory(ImageCheckpoint model) {
        unet = UNet.of(model.unetConfig(), new ParameterList(name -> model.unet().checkpoint().tensors().containsKey(name)));
        var autoencoder = new ParameterList(name -> model.autoencoder().checkpoint().tensors().containsKey(name));
        encoder = Encoder.of(model.autoencoderConfig(), autoencoder);
        decoder = Decoder.of(model.autoencoderConfig(), autoencoder);
    }

    /** Bytes of one evaluation of the UNet for {@code batch} latents. */
    long evaluation(int width, int height, int batch) {
        var config = unet.config();
        return peak(scope -> unet.forward(scope.tensor(DType.F32, batch, height, width, config.inChannels()), new double[batch],
            scope.tensor(DType.F32, batch * ClipTokenizer.LENGTH, config.context()), config.labels() == 0 ? null : scope.tensor(DType.F32, batch, config.labels()), 1));
    }

    /** Bytes of decoding a latent, in tiles where it is large. */
    long decoding(int width, int height, Tiles tiles) {
        int w = tiles.needed(width, height) ? Math.min(width, tiles.size()) : width, h = tiles.needed(width, height) ? Math.min(height, tiles.size()) : height;
        return peak(scope -> decoder.forward(scope.tensor(DType.F32, 1, h, w, decoder.config().latentChannels())));
    }

    /** Bytes of encoding a picture that large in pixels. */
    long encoding(int width, int height) { return peak(scope -> encoder.forward(scope.tensor(DType.F32, 1, height, width, encoder.config().pictureChannels()))); }

    private static long peak(Consumer<Scope> computation) {
        try (var backend = new CountingBackend(false); var scope = Scope.inference(backend)) {
            computation.accept(scope);
            return backend.peak();
        }
    }
}
