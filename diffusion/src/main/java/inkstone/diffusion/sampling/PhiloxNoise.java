package inkstone.diffusion.sampling;

import inkstone.tensor.Philox;

/** Pairs of uniform numbers of {@link Philox} under the seed, made normal (Box & Muller 1958). An odd count leaves half a pair unused. */
final class PhiloxNoise implements NoiseSource {
    private final long seed;
    private long pair;

    PhiloxNoise(long seed) { this.seed = seed; }

    @Override public float[] normal(int n) {
        var values = new float[n];
        for (int i = 0; i < n; i += 2, pair++) {
            double radius = Math.sqrt(-2 * Math.log(1.0 - Philox.uniform(2 * pair, seed))), angle = 2 * Math.PI * Philox.uniform(2 * pair + 1, seed);
            values[i] = (float) (radius * Math.cos(angle));
            if (i + 1 < n) values[i + 1] = (float) (radius * Math.sin(angle));
        }
        return values;
    }
}
