package inkstone.diffusion.upscale;

import inkstone.diffusion.Picture;
import inkstone.diffusion.checkpoint.NetworkFile;
import inkstone.diffusion.layers.Conv2d;
import inkstone.tensor.Backend;
import inkstone.tensor.Convolution;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Arrangement;
import inkstone.tensor.checkpoint.CheckpointWeights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Pictures of twice the width and height by waifu2x's upconv_7 (nagadomi, github.com/nagadomi/waifu2x; after Dong et al. 2015, arXiv:1501.00092): six convolutions without padding, then a
 * transposed one. Owns its weights' memory until {@link #close}; one thread at a time.
 */
public final class Waifu2x implements AutoCloseable {
    private static final int[] CHANNELS = {3, 16, 32, 64, 128, 128, 256};
    /** Pixels around a picture that its result depends on. */
    private static final int MARGIN = 7;
    /** Pixels of a tile in each direction: intermediate pictures of 256 channels then take 75 MB. */
    private static final int TILE = 256;
    private static final float SLOPE = 0.1f;

    private final NetworkFile file;
    private final CheckpointWeights weights;
    private final Network network;
    private final Backend backend;

    /** [n, h + 14, w + 14, 3] -> [n, 2 h, 2 w, 3], in [0, 1]. */
    record Network(List<Conv2d> convolutions, Tensor weight, Tensor bias) {
        static Network of(Weights w) {
            var convolutions = new ArrayList<Conv2d>();
            for (int i = 0; i + 1 < CHANNELS.length; i++) convolutions.add(Conv2d.of(w, "" + i, CHANNELS[i], CHANNELS[i + 1], 3, new Convolution(1, 0)));
            return new Network(List.copyOf(convolutions), w.tensor("6.weight", CHANNELS[6], 4, 4, 3), w.tensor("6.bias", 3));
        }

        Tensor forward(Tensor x) {
            for (var convolution : convolutions) x = x.local(t -> convolution.forward(t).leakyRelu(SLOPE));
            return x.convTranspose2d(weight, bias, new Convolution(2, 3));
        }
    }

    private Waifu2x(NetworkFile file, Backend backend) {
        this.file = file;
        this.backend = backend;
        this.weights = new CheckpointWeights(file.checkpoint(), backend);
        this.network = weights.build(Network::of);
    }

    /** @param path a safetensors file with tensors 0.weight to 6.bias; the last weight as [out, in, kh, kw] */
    public static Waifu2x open(Path path, Backend backend) throws IOException {
        /* A transposed convolution's weight is [in, kh, kw, out] here, whatever way the file has it. */
        var file = NetworkFile.open(path, infos -> infos.containsKey("6.weight") ? Map.of("6.weight", Arrangement.of("6.weight", 3, CHANNELS[6], 4, 4).axes(1, 2, 3, 0)) : Map.of());
        try {
            return new Waifu2x(file, backend);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** Twice as wide and high; alpha is enlarged by nearest pixels. The result is the same for any tiling, since no pixel sees farther than the margin of a tile. */
    public Picture enlarge(Picture picture) {
        var colors = picture.rgb(0xFFFFFF).toFloats();
        int width = picture.width(), height = picture.height();
        var large = new float[4 * colors.length];
        try (var scope = Scope.inference(backend)) {
            for (int y = 0; y < height; y += TILE) for (int x = 0; x < width; x += TILE) {
                int w = Math.min(TILE, width - x), h = Math.min(TILE, height - y);
                scope.reset();
                var tile = network.forward(scope.floats(padded(colors, width, height, x, y, w, h), 1, h + 2 * MARGIN, w + 2 * MARGIN, 3)).toFloats();
                for (int row = 0; row < 2 * h; row++) for (int i = 0; i < 6 * w; i++) {
                    large[((2 * y + row) * 2 * width + 2 * x) * 3 + i] = 2 * tile[row * 6 * w + i] - 1;
                }
            }
        }
        var result = Picture.of(2 * width, 2 * height, 3, large);
        return picture.channels() == 4 ? withAlpha(result, picture) : result;
    }

    /** A tile and its margin, in [0, 1]; beyond the picture stands its nearest pixel. */
    private static float[] padded(float[] colors, int width, int height, int x, int y, int w, int h) {
        int wide = w + 2 * MARGIN, high = h + 2 * MARGIN;
        var padded = new float[wide * high * 3];
        for (int row = 0; row < high; row++) for (int column = 0; column < wide; column++) {
            int from = Math.clamp(y + row - MARGIN, 0, height - 1) * width + Math.clamp(x + column - MARGIN, 0, width - 1);
            for (int c = 0; c < 3; c++) padded[(row * wide + column) * 3 + c] = (colors[from * 3 + c] + 1) / 2;
        }
        return padded;
    }

    private static Picture withAlpha(Picture colors, Picture small) {
        var bytes = new byte[colors.width() * colors.height() * 4];
        for (int i = 0; i < colors.width() * colors.height(); i++) {
            int x = i % colors.width(), y = i / colors.width();
            for (int c = 0; c < 3; c++) bytes[4 * i + c] = (byte) colors.at(x, y, c);
            bytes[4 * i + 3] = (byte) small.at(x / 2, y / 2, 3);
        }
        return new Picture(colors.width(), colors.height(), 4, bytes);
    }

    @Override public void close() {
        weights.close();
        file.close();
    }
}
