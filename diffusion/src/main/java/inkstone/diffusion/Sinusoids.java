package inkstone.diffusion;

/** Numbers as waves of many lengths, so that a network can tell them apart (Vaswani et al. 2017, arXiv:1706.03762). */
public final class Sinusoids {
    private Sinusoids() {}

    /** For each value, cos(value · f) for all f and then sin(value · f), with f = 10000^(-i / (dim / 2)): [values, dim], dim even. */
    public static float[] of(float[] values, int dim) {
        if (dim < 2 || dim % 2 != 0) throw new IllegalArgumentException("waves come in pairs: expected an even number of features, got " + dim);
        int half = dim / 2;
        var features = new float[values.length * dim];
        for (int v = 0; v < values.length; v++) for (int i = 0; i < half; i++) {
            double angle = values[v] * Math.exp(-Math.log(10_000) * i / half);
            features[v * dim + i] = (float) Math.cos(angle);
            features[v * dim + half + i] = (float) Math.sin(angle);
        }
        return features;
    }
}
