package inkstone.server.images;

import inkstone.diffusion.ImageModelInfo;
import inkstone.diffusion.ImagePipeline;
import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.Painter;
import inkstone.diffusion.Picture;
import inkstone.diffusion.sampling.Denoiser;
import inkstone.diffusion.sampling.EdmNoise;
import inkstone.diffusion.sampling.NoiseModel;
import inkstone.diffusion.sampling.NoiseSource;
import inkstone.server.images.Easel.Enlarger;
import inkstone.server.images.Easel.Enlarging;
import inkstone.server.images.Easel.Source;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;

/** A model without networks: its pictures are normal around a gradient whose colours are the prompt's, and the denoiser of such pictures is known in closed form. */
public final class FakePainter {
    public static final String NAME = "Daub", OTHER = "Smear";
    /** One for each evaluation that may be done. */
    public final Semaphore permits = new Semaphore(0);
    public final AtomicInteger opened = new AtomicInteger();
    public volatile int open;

    public static ImageModelInfo info(String name) {
        var defaults = new ImageRequest("", "", 32, 32, 4, 1, 0, "euler", "karras", -1, "cpu", 0, 1, null, null, 0.75f);
        return new ImageModelInfo(name, "Fake", 1_000, true, 8, 16, 64, defaults, List.of("euler", "heun", "euler_a"), List.of("karras", "exponential"), List.of("cpu"));
    }

    public static FakePainter free() {
        var painter = new FakePainter();
        painter.permits.release(1_000_000);
        return painter;
    }

    public Easel easel() {
        return new Easel(List.of(new Source(info(NAME), () -> pipeline(NAME)), new Source(info(OTHER), () -> pipeline(OTHER))), new Enlarging("Twice", 2, FakePainter::twice));
    }

    private static Enlarger twice() {
        return new Enlarger() {
            @Override public Picture enlarge(Picture picture) {
                var bytes = new byte[picture.bytes().length * 4];
                int width = picture.width() * 2;
                for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) picture.at(i / 3 % width / 2, i / 3 / width / 2, i % 3);
                return new Picture(width, picture.height() * 2, 3, bytes);
            }

            @Override public void close() {}
        };
    }

    public ImagePipeline pipeline(String name) {
        opened.incrementAndGet();
        open++;
        var info = info(name);
        return new ImagePipeline() {
            @Override public ImageModelInfo info() { return info; }
            @Override public void check(ImageRequest request) { Painter.check(request, info); }
            @Override public List<Painted> paint(ImageRequest request, Watcher watcher) {
                if (request.prompt().equals("trouble")) throw new IllegalStateException("the canvas is wet");
                return Painter.paint(Painter.check(request, info), new Canvas(request), watcher);
            }
            @Override public void close() { open--; }
        };
    }

    private final class Canvas implements Painter.Canvas {
        private final float[] target;

        Canvas(ImageRequest request) {
            var colours = new Random(request.prompt().hashCode());
            float[] from = colour(colours), to = colour(colours);
            target = new float[request.width() * request.height() * 3];
            for (int i = 0; i < target.length; i++) {
                float down = (float) (i / 3 / request.width()) / request.height();
                target[i] = from[i % 3] * (1 - down) + to[i % 3] * down;
            }
        }

        private static float[] colour(Random random) { return new float[] {2 * random.nextFloat() - 1, 2 * random.nextFloat() - 1, 2 * random.nextFloat() - 1}; }

        @Override public NoiseModel noise() { return EdmNoise.standard(); }
        @Override public int cell() { return 1; }
        @Override public int channels() { return 3; }
        @Override public Denoiser denoiser() {
            return (x, sigma) -> {
                permits.acquireUninterruptibly();
                double deviation = 0.15, share = deviation * deviation / (deviation * deviation + sigma * sigma);
                var denoised = new float[x.length];
                for (int i = 0; i < x.length; i++) denoised[i] = (float) (target[i] + share * (x[i] - target[i]));
                return denoised;
            };
        }
        @Override public float[] encode(Picture picture, NoiseSource noise) { return picture.toFloats(); }
        @Override public Picture decode(float[] latent, int width, int height) { return Picture.of(width, height, 3, latent); }
        @Override public Picture preview(float[] latent, int width, int height) { return Picture.of(width, height, 3, latent); }
    }
}
