package inkstone.gan;

import inkstone.tensor.DType;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Tensor;

/**
 * One more channel: how much the pictures of a group differ, the mean standard deviation over all places and channels (Karras et al. 2017, arXiv:1710.10196, section 3). It shows the
 * discriminator when a generator makes the same picture again and again.
 */
final class MinibatchDeviation {
    private static final int GROUP = 4;
    private static final float EPS = 1e-8f;

    private MinibatchDeviation() {}

    /** x [n, h, w, c] -> [n, h, w, c + 1]; groups of 4 neighbouring pictures, or of all where n is no multiple of 4. */
    static Tensor append(Tensor x) {
        int n = x.shape().dim(0), group = n % GROUP == 0 ? GROUP : n, groups = n / group, size = Math.toIntExact(x.shape().elements() / n), pixels = size / x.shape().last();
        var rows = x.view(groups, group * size);
        Tensor mean = null;
        for (int i = 0; i < group; i++) mean = plus(mean, part(rows, i, size));
        mean = mean.scale(-1f / group);
        Tensor variance = null;
        for (int i = 0; i < group; i++) {
            var difference = part(rows, i, size).add(mean);
            variance = plus(variance, difference.mul(difference));
        }
        variance = Activations.plus(variance.scale(1f / group), EPS);
        var deviation = variance.mul(variance.map(Elementwise.RECIPROCAL_ROOT));
        var perGroup = deviation.linear(Activations.constant(x.scope(), 1f / size, 1, size), null);                      // [groups, 1]
        var channel = zeros(x, n * pixels).modulate(null, perGroup);
        return x.view(n * pixels, x.shape().last()).concat(channel).view(n, x.shape().dim(1), x.shape().dim(2), x.shape().last() + 1);
    }

    private static Tensor part(Tensor rows, int i, int size) { return rows.columns(i * size, (i + 1) * size); }

    private static Tensor plus(Tensor sumOrNull, Tensor x) { return sumOrNull == null ? x : sumOrNull.add(x); }

    private static Tensor zeros(Tensor x, int rows) {
        var zeros = x.scope().tensor(DType.F32, rows, 1);
        x.scope().backend().clear(zeros.data());
        return zeros;
    }
}
