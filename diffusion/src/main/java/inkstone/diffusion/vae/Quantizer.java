package inkstone.diffusion.vae;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.Arrays;
import java.util.List;

/**
 * Latents as codes: each place becomes one of a finite number of vectors, so that a picture is a short text, which a language model can learn. On the way back the gradient passes as if nothing
 * had been rounded (the straight-through estimator, Bengio et al. 2013, arXiv:1308.3432).
 */
public sealed interface Quantizer {
    /** How many codes there are. */
    int codes();

    /** Latents [n, h, w, channels] of the encoder. */
    Quantized quantize(Tensor latents);

    /** What the decoder gets for these codes: [codes, channels]. */
    Tensor latents(Scope scope, int[] codes);

    /**
     * @param latents what the decoder gets, [n, h, w, channels]
     * @param codes   of each place
     * @param loss    what the quantizer adds to the loss, the mean over places and channels [1]; null for none
     */
    record Quantized(Tensor latents, int[] codes, Tensor loss) {
        /** How many codes are used, weighed by how often: exp of the entropy of their shares (the perplexity of the code book). */
        public double used(int count) {
            var times = new int[count];
            for (int code : codes) times[code]++;
            double entropy = 0;
            for (int one : times) if (one > 0) entropy -= (double) one / codes.length * Math.log((double) one / codes.length);
            return Math.exp(entropy);
        }
    }

    /** latents plus what rounding changed, which is a constant to every gradient. */
    private static Tensor straightThrough(Tensor latents, float[] rounded) {
        float[] change = latents.toFloats();
        for (int i = 0; i < change.length; i++) change[i] = rounded[i] - change[i];
        return latents.add(latents.scope().floats(change, latents.shape().toArray()));
    }

    /**
     * Finite scalar quantization (Mentzer et al. 2023, arXiv:2309.15505): each channel is held between bounds and rounded to one of a few levels; the codes are all combinations. Nothing is
     * learned and nothing collapses.
     *
     * @param levels of each channel, 2 or more
     */
    record Finite(List<Integer> levels) implements Quantizer {
        private static final double SLACK = 1e-3;

        public Finite {
            if (levels.isEmpty() || levels.stream().anyMatch(level -> level < 2 || level > 256) || levels.stream().mapToLong(Integer::longValue).reduce(1, Math::multiplyExact) > 1 << 24) {
                throw new IllegalArgumentException("levels: expected 2 to 256 for each channel and at most 2^24 codes in all, got " + levels);
            }
        }

        @Override public int codes() { return levels.stream().mapToInt(Integer::intValue).reduce(1, (a, b) -> a * b); }

        @Override public Quantized quantize(Tensor latents) {
            int channels = levels.size();
            if (latents.shape().last() != channels) throw new IllegalArgumentException("expected latents of %d channels, one for each of %s, got %s".formatted(channels, levels, latents));
            /* Between ±(levels - 1) / 2, a little wider so that the outermost can be reached, and half a step aside where there is no level in the middle; then in [-1, 1]. */
            float[] shift = new float[channels], factor = new float[channels], back = new float[channels], unit = new float[channels];
            for (int c = 0; c < channels; c++) {
                double reach = (levels.get(c) - 1) * (1 + SLACK) / 2, aside = levels.get(c) % 2 == 0 ? 0.5 : 0;
                shift[c] = (float) atanh(aside / reach);
                factor[c] = (float) reach - 1;
                back[c] = (float) -aside;
                unit[c] = 1f / (levels.get(c) / 2) - 1;
            }
            var scope = latents.scope();
            var bounded = latents.modulate(null, scope.floats(shift, 1, channels)).map(Elementwise.TANH).modulate(scope.floats(factor, 1, channels), scope.floats(back, 1, channels));
            float[] values = bounded.toFloats();
            var codes = new int[values.length / channels];
            for (int i = values.length - 1; i >= 0; i--) {
                int c = i % channels, half = levels.get(c) / 2;
                values[i] = Math.clamp(Math.round(values[i]), -half, levels.get(c) - 1 - half);
                codes[i / channels] = codes[i / channels] * levels.get(c) + Math.round(values[i]) + half;
            }
            return new Quantized(straightThrough(bounded, values).modulate(scope.floats(unit, 1, channels), null), codes, null);
        }

        private static double atanh(double x) { return 0.5 * Math.log((1 + x) / (1 - x)); }

        @Override public Tensor latents(Scope scope, int[] codes) {
            int channels = levels.size();
            var values = new float[codes.length * channels];
            for (int i = 0; i < codes.length; i++) for (int c = 0, rest = checked(codes[i]); c < channels; rest /= levels.get(c++)) {
                int half = levels.get(c) / 2;
                values[i * channels + c] = (float) (rest % levels.get(c) - half) / half;
            }
            return scope.floats(values, codes.length, channels);
        }

        private int checked(int code) {
            if (code < 0 || code >= codes()) throw new IllegalArgumentException("expected a code from 0 to %d, got %d".formatted(codes() - 1, code));
            return code;
        }
    }

    /**
     * A learned code book (van den Oord et al. 2017, arXiv:1711.00937): the nearest of its vectors. Vectors are drawn to the latents that chose them, and latents, a quarter as much, to
     * their vectors.
     *
     * @param vectors [codes, channels]
     */
    record Codebook(Tensor vectors) implements Quantizer {
        private static final float COMMITMENT = 0.25f;

        public static Codebook of(Weights w, int codes, int channels) { return new Codebook(w.tensor("codebook.weight", codes, channels)); }

        @Override public int codes() { return vectors.shape().dim(0); }

        @Override public Quantized quantize(Tensor latents) {
            int channels = vectors.shape().last(), places = latents.shape().rows(), count = codes();
            var scope = latents.scope();
            var all = new int[count];
            Arrays.setAll(all, i -> i);
            float[] book = scope.ints(all).embedding(vectors).toFloats(), values = latents.toFloats();
            var codes = new int[places];
            for (int i = 0; i < places; i++) {
                double best = Double.POSITIVE_INFINITY;
                for (int code = 0; code < count; code++) {
                    double distance = 0;
                    for (int c = 0; c < channels; c++) distance += Math.pow(values[i * channels + c] - book[code * channels + c], 2);
                    if (distance < best) {
                        best = distance;
                        codes[i] = code;
                    }
                }
            }
            int[] dims = latents.shape().toArray();
            var chosen = scope.ints(codes).embedding(vectors);
            float[] rounded = chosen.toFloats(), negative = rounded.clone();
            for (int i = 0; i < negative.length; i++) negative[i] = -negative[i];
            var drawn = chosen.add(scope.floats(values, places, channels).scale(-1));
            var held = latents.view(places, channels).add(scope.floats(negative, places, channels));
            var loss = drawn.mul(drawn).sum().add(held.mul(held).sum().scale(COMMITMENT)).scale(1f / (places * channels));
            return new Quantized(straightThrough(latents, rounded).view(dims), codes, loss);
        }

        @Override public Tensor latents(Scope scope, int[] codes) { return scope.ints(codes).embedding(vectors); }
    }
}
