package inkstone.transformer;

import java.util.Arrays;

/** Arithmetic of text vectors of length 1, whose dot product is the cosine of the angle between them. */
public final class UnitVectors {
    private UnitVectors() {}

    /**
     * Divided by its length; a vector of zeros stays one.
     *
     * @throws ArithmeticException where a number of it is infinite or none
     */
    static float[] normalised(double[] vector) {
        double length = Math.sqrt(Arrays.stream(vector).map(x -> x * x).sum());
        if (!Double.isFinite(length)) {
            throw new ArithmeticException("the model computed hidden states that are not numbers: its weights are broken or overflow");
        }
        var unit = new float[vector.length];
        for (int i = 0; i < unit.length; i++) unit[i] = length == 0 ? 0 : (float) (vector[i] / length);
        return unit;
    }

    /** The first {@code dimensions} of a vector, of length 1 again: what models trained for it can be cut to (Kusupati et al. 2022, arXiv:2205.13147). */
    public static float[] shortened(float[] vector, int dimensions) {
        if (dimensions == vector.length) return vector;
        var first = new double[dimensions];
        for (int i = 0; i < dimensions; i++) first[i] = vector[i];
        return normalised(first);
    }

    /** 1: same direction; 0: nothing in common. Both of one width. */
    public static double cosine(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) sum += (double) a[i] * b[i];
        return sum;
    }
}
