package inkstone.diffusion;

import inkstone.diffusion.ImagePipeline.Painted;
import inkstone.diffusion.ImagePipeline.Step;
import inkstone.diffusion.ImagePipeline.Watcher;
import inkstone.diffusion.picture.Resize;
import inkstone.diffusion.sampling.Denoiser;
import inkstone.diffusion.sampling.NoiseGenerator;
import inkstone.diffusion.sampling.NoiseModel;
import inkstone.diffusion.sampling.NoiseSource;
import inkstone.diffusion.sampling.Sampler;
import inkstone.diffusion.sampling.Sampling;
import inkstone.diffusion.sampling.Schedule;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What painting is for every diffusion model: seeds, levels of noise, the start (noise, or a picture made noisy), the walk, what an inpainting mask keeps, and telling of steps. A pipeline reads the
 * prompt, puts its networks behind a {@link Canvas} and calls {@link #paint}.
 */
public final class Painter {
    private static final int MOST_PICTURES = 100, MOST_PROMPT = 20_000;
    /** Levels of a mask up to this are black: resizing leaves a few beside an edge. */
    private static final int BLACK = 8;

    private Painter() {}

    /** A model's side of one request: what depends on its networks. Arrays are rows of pixels, [h · w · channels]. */
    public interface Canvas {
        NoiseModel noise();

        /** Pixels along a side of a latent's pixel: 8 for Stable Diffusion, 1 where there are no latents. */
        int cell();

        /** Of a latent. */
        int channels();

        /** D of the request's prompt, with guidance, for latents of the request's size. */
        Denoiser denoiser();

        /**
         * @param picture red, green, blue, of the request's size
         * @param noise   for encoders that draw their latent
         */
        float[] encode(Picture picture, NoiseSource noise);

        /** The finished picture, of red, green and blue or with alpha. */
        Picture decode(float[] latent, int width, int height);

        /** A quick look at a latent, of any size. */
        Picture preview(float[] latent, int width, int height);
    }

    /**
     * The request with a name for everything that it left to the model, which is the first that the model lists.
     *
     * @throws IllegalArgumentException in one line, for what no model can do or this one does not accept
     */
    public static ImageRequest check(ImageRequest request, ImageModelInfo info) {
        require(request.prompt() != null && request.negative() != null, "a request needs a prompt and a negative prompt; both may be empty");
        require(request.prompt().length() <= MOST_PROMPT && request.negative().length() <= MOST_PROMPT, "a prompt has at most %d characters, got %d", MOST_PROMPT,
            Math.max(request.prompt().length(), request.negative().length()));
        side("width", request.width(), info);
        side("height", request.height(), info);
        require(request.steps() >= 1 && request.steps() <= 1000, "steps must be 1 to 1000, got %d", request.steps());
        require(request.guidance() >= 0 && request.guidance() <= 100, "guidance must be 0 to 100, got %s", request.guidance());
        require(request.rescale() >= 0 && request.rescale() <= 1, "rescale must be 0 to 1, got %s", request.rescale());
        require(request.eta() <= 1, "eta must be 0 to 1, or below 0 for the sampler's own, got %s", request.eta());
        require(request.count() >= 1 && request.count() <= MOST_PICTURES, "count must be 1 to %d, got %d", MOST_PICTURES, request.count());
        if (request.from() != null) {
            require(request.strength() > 0 && request.strength() <= 1, "strength must be above 0 and at most 1, got %s", request.strength());
            require(stepsTaken(request) > 0, "strength %s of %d steps is less than one step; use %s or more", request.strength(), request.steps(), Math.ceil(100.0 / request.steps()) / 100);
        }
        if (request.mask() != null) {
            require(request.from() != null, "a mask needs the picture that it belongs to");
            require(request.mask().width() == request.from().width() && request.mask().height() == request.from().height(), "the mask must be as large as the picture, %d x %d, got %d x %d",
                request.from().width(), request.from().height(), request.mask().width(), request.mask().height());
        }
        String sampler = request.sampler() == null ? info.samplers().getFirst() : Sampler.of(request.sampler()).id();
        String schedule = request.schedule() == null ? info.schedules().getFirst() : Schedule.of(request.schedule()).id();
        String noise = request.noise() == null ? info.noises().getFirst() : NoiseGenerator.of(request.noise()).id();
        listed("sampler", sampler, info.samplers(), info);
        listed("schedule", schedule, info.schedules(), info);
        listed("noise", noise, info.noises(), info);
        return request.withSampler(sampler, schedule).withNoise(noise);
    }

    private static void side(String name, int pixels, ImageModelInfo info) {
        require(pixels >= info.smallest() && pixels <= info.largest() && pixels % info.multiple() == 0, "%s must be %d to %d pixels and a multiple of %d for %s, got %d", name, info.smallest(),
            info.largest(), info.multiple(), info.name(), pixels);
    }

    private static void listed(String what, String name, List<String> names, ImageModelInfo info) {
        require(names.contains(name), "%s has no %s %s; it has %s", info.name(), what, name, String.join(", ", names));
    }

    private static void require(boolean holds, String message, Object... values) { if (!holds) throw new IllegalArgumentException(message.formatted(values)); }

    /** The source picture as the model sees it, red, green and blue at the request's size: scaled to cover it, the middle of that. Or null. */
    public static Picture source(ImageRequest request) { return request.from() == null ? null : Resize.covering(request.from().rgb(0xFFFFFF), request.width(), request.height()); }

    /** The mask at the request's size, one channel: 255 may change, 0 stays. Or null. */
    public static Picture mask(ImageRequest request) {
        if (request.mask() == null) return null;
        Picture rgb = Resize.covering(request.mask().rgb(0x000000), request.width(), request.height());
        var bytes = new byte[rgb.width() * rgb.height()];
        for (int pixel = 0; pixel < bytes.length; pixel++) {
            bytes[pixel] = (byte) (((rgb.bytes()[3 * pixel] & 0xFF) + (rgb.bytes()[3 * pixel + 1] & 0xFF) + (rgb.bytes()[3 * pixel + 2] & 0xFF) + 1) / 3);
        }
        return new Picture(rgb.width(), rgb.height(), 1, bytes);
    }

    /**
     * Steps that are taken: all from noise; from a picture the last floor(steps · strength), as diffusers counts. A1111 takes one more. A strength of 0.7 is a little less as a float, and is 7 of 10
     * steps all the same.
     */
    public static int stepsTaken(ImageRequest request) { return request.from() == null ? request.steps() : (int) Math.min(request.steps(), Math.floor(request.steps() * (double) request.strength() + 1e-4)); }

    /**
     * The pictures of a request, one after the other; the k-th has seed + k and a stream of random numbers of its own.
     *
     * @param request one that {@link #check} returned
     */
    public static List<Painted> paint(ImageRequest request, Canvas canvas, Watcher watcher) {
        NoiseModel noise = canvas.noise();
        NoiseGenerator generator = NoiseGenerator.of(request.noise());
        int steps = stepsTaken(request), width = request.width() / canvas.cell(), height = request.height() / canvas.cell();
        double[] all = Schedule.of(request.schedule()).sigmas(noise, request.steps()), sigmas = Arrays.copyOfRange(all, all.length - 1 - steps, all.length);
        Picture source = source(request), mask = mask(request);
        float[] original = null;
        boolean[] free = mask == null ? null : free(mask, canvas.cell());
        if (source != null) {
            watcher.evaluating();
            original = canvas.encode(source, generator.source(request.seed()).channelsLast(canvas.channels()));
        }
        Denoiser denoiser = canvas.denoiser(), watched = (x, sigma) -> {
            watcher.evaluating();
            return denoiser.denoise(x, sigma);
        };
        var painted = new ArrayList<Painted>();
        for (int k = 0; k < request.count(); k++) {
            int picture = k;
            long seed = request.seed() + k;
            NoiseSource stream = generator.source(seed).channelsLast(canvas.channels());
            float[] start = stream.normal(width * height * canvas.channels()), kept = original;
            float[] x = noise.noisy(original == null ? new float[start.length] : original, start, sigmas[0]);
            float[] latent = Sampler.of(request.sampler()).sample(new Sampling(watched, sigmas, noise, stream, request.eta(), (step, sigma, next, state, denoised) -> {
                if (free != null) keep(state, noise.noisy(kept, start, next), free, canvas.channels());
                watcher.step(new Taken(picture, step, steps, sigma, denoised, state, noise.signal(next) == 1 ? Math.hypot(1, next) : 1, canvas, width, height));
            }), x);
            watcher.evaluating();
            Picture finished = canvas.decode(latent, width, height);
            painted.add(new Painted(mask == null ? finished : composed(finished.rgb(0xFFFFFF), source, mask), seed));
        }
        return painted;
    }

    /** Where nothing may change, the state is the original with the noise it would have had on its way (as RePaint does; Lugmayr et al. 2022, arXiv:2201.09865, without going back). */
    private static void keep(float[] state, float[] original, boolean[] free, int channels) {
        for (int i = 0; i < state.length; i++) if (!free[i / channels]) state[i] = original[i];
    }

    /** Which pixels of a latent may change: those with any white in them. How much of the change is seen is decided once, when finished pixels are put together with the original's. */
    private static boolean[] free(Picture mask, int cell) {
        int width = mask.width() / cell, height = mask.height() / cell;
        var free = new boolean[width * height];
        for (int pixel = 0; pixel < mask.bytes().length; pixel++) {
            if ((mask.bytes()[pixel] & 0xFF) > BLACK) free[pixel / mask.width() / cell * width + pixel % mask.width() / cell] = true;
        }
        return free;
    }

    private static Picture composed(Picture finished, Picture source, Picture mask) {
        var bytes = new byte[source.bytes().length];
        for (int i = 0; i < bytes.length; i++) {
            int share = mask.bytes()[i / 3] & 0xFF;
            bytes[i] = (byte) (((finished.bytes()[i] & 0xFF) * share + (source.bytes()[i] & 0xFF) * (255 - share) + 127) / 255);
        }
        return new Picture(source.width(), source.height(), 3, bytes);
    }

    /** @param size by which the state is larger than a picture with as much noise should look */
    private record Taken(int picture, int step, int steps, double sigma, float[] denoised, float[] state, double size, Canvas canvas, int width, int height) implements Step {
        @Override public Picture predicted() { return canvas.preview(denoised, width, height); }
        @Override public Picture noisy() {
            var shown = new float[state.length];
            for (int i = 0; i < shown.length; i++) shown[i] = (float) (state[i] / size);
            return canvas.preview(shown, width, height);
        }
    }
}
