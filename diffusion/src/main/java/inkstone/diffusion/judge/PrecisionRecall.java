package inkstone.diffusion.judge;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * How many pictures that were made look true, and how much of what is true is made (Kynkäänniemi et al. 2019, arXiv:1904.06991): a picture lies in a set if it is nearer to one of the
 * set's pictures than that one is to its k-th neighbour in the set, all in the features of a network.
 *
 * @param precision share of the made pictures that lie among the true ones
 * @param recall    share of the true pictures that lie among the made ones
 */
public record PrecisionRecall(double precision, double recall) {
    /** @param real features [pictures][features] of more than {@code k} pictures, as many as {@code made} for numbers that can be compared */
    public static PrecisionRecall of(float[][] real, float[][] made, int k) {
        if (k < 1 || real.length <= k || made.length <= k) {
            throw new IllegalArgumentException("a k-th neighbour needs more than k pictures on both sides, got k = %d of %d and %d".formatted(k, real.length, made.length));
        }
        return new PrecisionRecall(share(made, real, k), share(real, made, k));
    }

    private static double share(float[][] pictures, float[][] set, int k) {
        var reach = IntStream.range(0, set.length).parallel().mapToDouble(i -> neighbour(set, i, k)).toArray();
        return IntStream.range(0, pictures.length).parallel().filter(i -> {
            for (int j = 0; j < set.length; j++) if (squared(pictures[i], set[j]) <= reach[j]) return true;
            return false;
        }).count() / (double) pictures.length;
    }

    /** The square of the distance of picture i to its k-th neighbour, itself not counted. */
    private static double neighbour(float[][] set, int i, int k) {
        var distances = new double[set.length];
        for (int j = 0; j < set.length; j++) distances[j] = j == i ? -1 : squared(set[i], set[j]);
        Arrays.sort(distances);
        return distances[k];
    }

    private static double squared(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) sum += (double) (a[i] - b[i]) * (a[i] - b[i]);
        return sum;
    }
}
