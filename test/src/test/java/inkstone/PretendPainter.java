package inkstone;

import inkstone.diffusion.ImageModelInfo;
import inkstone.diffusion.ImagePipeline;
import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.Painter;
import inkstone.diffusion.Picture;
import inkstone.diffusion.sampling.Denoiser;
import inkstone.diffusion.sampling.EdmNoise;
import inkstone.diffusion.sampling.NoiseModel;
import inkstone.diffusion.sampling.NoiseSource;
import inkstone.server.images.Easel;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Semaphore;

/** A model without networks, which paints a disc in the prompt's colours: what it expects is known in closed form. One evaluation for each permit. */
public final class PretendPainter {
    public static final String NAME = "Daub";
    public final Semaphore permits = new Semaphore(0);

    private static ImageModelInfo info() {
        var defaults = new ImageRequest("", "", 64, 64, 8, 3, 0, "euler", "karras", -1, "cpu", 0, 1, null, null, 0.75f);
        return new ImageModelInfo(NAME, "Inkstone, 64 px", 3_200_000, true, 8, 32, 128, defaults, List.of("euler", "heun", "dpmpp_2m", "euler_a"), List.of("karras", "exponential", "simple"), List.of("cpu", "philox"));
    }

    public Easel easel() { return new Easel(List.of(new Easel.Source(info(), this::pipeline)), new Easel.Enlarging("waifu2x", 2, PretendPainter::twice)); }

    private static Easel.Enlarger twice() {
        return new Easel.Enlarger() {
            @Override public Picture enlarge(Picture picture) {
                int width = 2 * picture.width();
                var bytes = new byte[4 * picture.bytes().length];
                for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) picture.at(i / 3 % width / 2, i / 3 / width / 2, i % 3);
                return new Picture(width, 2 * picture.height(), 3, bytes);
            }

            @Override public void close() {}
        };
    }

    private ImagePipeline pipeline() {
        var info = info();
        return new ImagePipeline() {
            @Override public ImageModelInfo info() { return info; }
            @Override public void check(ImageRequest request) { Painter.check(request, info); }
            @Override public List<Painted> paint(ImageRequest request, Watcher watcher) { return Painter.paint(Painter.check(request, info), new Disc(request), watcher); }
            @Override public void close() {}
        };
    }

    private final class Disc implements Painter.Canvas {
        private final float[] target;

        Disc(ImageRequest request) {
            var random = new Random(request.prompt().hashCode());
            float[][] colours = {colour(random, 0.5f), colour(random, 0.2f), colour(random, -0.4f)};
            int width = request.width(), height = request.height();
            double radius = Math.min(width, height) * (0.28 + 0.1 * random.nextDouble());
            target = new float[width * height * 3];
            for (int y = 0; y < height; y++) for (int x = 0; x < width; x++) {
                double away = Math.hypot(x - width / 2.0, y - height / 2.0) / radius, light = Math.clamp(1.1 - Math.hypot(x - width * 0.42, y - height * 0.4) / radius, 0, 1);
                for (int c = 0; c < 3; c++) target[(y * width + x) * 3 + c] = (float) (away > 1 ? colours[0][c] + 0.25 * y / height : colours[2][c] + (0.9 - colours[2][c]) * light * light + 0.2 * colours[1][c]);
            }
        }

        private static float[] colour(Random random, float level) { return new float[] {level + 0.5f * random.nextFloat(), level + 0.5f * random.nextFloat(), level + 0.5f * random.nextFloat()}; }

        @Override public NoiseModel noise() { return EdmNoise.standard(); }
        @Override public int cell() { return 1; }
        @Override public int channels() { return 3; }
        @Override public Denoiser denoiser() {
            return (x, sigma) -> {
                permits.acquireUninterruptibly();
                double deviation = 0.06, share = deviation * deviation / (deviation * deviation + sigma * sigma);
                var denoised = new float[x.length];
                for (int i = 0; i < x.length; i++) denoised[i] = (float) (target[i] * (1 - Math.min(1, sigma / 90)) + share * (x[i] - target[i]));
                return denoised;
            };
        }
        @Override public float[] encode(Picture picture, NoiseSource noise) { return picture.toFloats(); }
        @Override public Picture decode(float[] latent, int width, int height) { return Picture.of(width, height, 3, latent); }
        @Override public Picture preview(float[] latent, int width, int height) { return Picture.of(width, height, 3, latent); }
    }
}
