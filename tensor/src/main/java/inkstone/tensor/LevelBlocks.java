package inkstone.tensor;

import java.lang.foreign.MemorySegment;

/**
 * Blocks whose elements are w = d s level(q): one scale d, a small integer s for each group, levels even or not. Minimises the sum of (importance · (x - w)²). For
 * chosen levels v the best scale of a group is least squares, Σ xv / Σ v², and what it explains of Σ x² is (Σ xv)² / Σ v²; so a search over roundings needs two sums
 * for each. Roundings are tried for scales that bring the value of largest magnitude near either end of the levels. Then scales, d and roundings are fitted to one
 * another in turn.
 */
final class LevelBlocks implements Quantizer {
    private static final int REFINEMENTS = 2;

    private final DType dtype;
    private final float[] importance;
    private final double[] levels, targets;
    /** The index of the level nearest to (i - zero) / 2. */
    private final byte[] nearest;
    private final int zero;
    private final int group, lowScale, highScale;
    private final BlockLayout layout;
    private final BlockLayout.Quantized result;
    private final double[] x, weight, scale;
    /** Σ weight · x · v and Σ weight · v² of the last rounding, v its levels. */
    private double product, squares;

    private LevelBlocks(DType dtype, float[] importance, double[] levels, double[] targets, int group, int lowScale, int highScale, BlockLayout layout) {
        this.dtype = dtype;
        this.importance = importance;
        this.levels = levels;
        this.targets = targets;
        this.group = group;
        this.lowScale = lowScale;
        this.highScale = highScale;
        this.layout = layout;
        result = new BlockLayout.Quantized(dtype.blockSize, dtype.blockSize / group);
        x = new double[dtype.blockSize];
        weight = new double[dtype.blockSize];
        scale = new double[dtype.blockSize / group];
        zero = (int) (-2 * levels[0]);
        nearest = new byte[zero + (int) (2 * levels[levels.length - 1]) + 1];
        for (int i = 0, k = 0; i < nearest.length; i++) {
            double middle = (i - zero + 0.5) / 2;                      // of the values that share this entry; levels are integers, so all of them are nearest to the same one
            while (k < levels.length - 1 && middle > (levels[k] + levels[k + 1]) / 2) k++;
            nearest[i] = (byte) k;
        }
    }

    /** Levels low, low + 1, .. high. */
    static LevelBlocks uniform(DType dtype, float[] importance, int low, int high, int group, int lowScale, int highScale, BlockLayout layout) {
        var levels = new double[high - low + 1];
        for (int i = 0; i < levels.length; i++) levels[i] = low + i;
        var targets = new double[16];
        for (int i = 0; i < 10; i++) targets[i] = low - 0.8 + 0.2 * i;
        for (int i = 0; i < 6; i++) targets[10 + i] = high - 0.4 + 0.2 * i;
        return new LevelBlocks(dtype, importance, levels, targets, group, lowScale, highScale, layout);
    }

    /** The sixteen levels of IQ4. */
    static LevelBlocks iq4(DType dtype, float[] importance, int lowScale, int highScale, BlockLayout layout) {
        var levels = new double[16];
        for (int i = 0; i < 16; i++) levels[i] = Blocks.IQ4_LEVELS[i];
        var targets = new double[16];
        for (int i = 0; i < 9; i++) targets[i] = -145 + 5 * i;
        for (int i = 0; i < 7; i++) targets[9 + i] = 100 + 5 * i;
        return new LevelBlocks(dtype, importance, levels, targets, 32, lowScale, highScale, layout);
    }

    @Override public void block(float[] values, int from, MemorySegment block) {
        double extreme = 0;
        for (int i = 0; i < x.length; i++) {
            x[i] = values[from + i];
            weight[i] = importance == null ? 1 : importance[from + i];
        }
        for (int g = 0; g < scale.length; g++) {
            scale[g] = search(g * group);
            if (Math.abs(scale[g]) > Math.abs(extreme)) extreme = scale[g];
        }
        result.d = Quantizer.scaleAtLeast(dtype, extreme / lowScale);
        double d = Float.float16ToFloat(result.d);
        for (int g = 0; g < scale.length; g++) result.scales[g] = rounded(scale[g] / d);
        for (int i = 0; i < REFINEMENTS && d != 0; i++) {
            refit(d);
            d = Float.float16ToFloat(result.d);
        }
        for (int g = 0; g < scale.length; g++) assign(g * group, d * result.scales[g]);
        layout.write(result, block);
    }

    private int rounded(double s) { return (int) Math.clamp(Math.rint(s), lowScale, highScale); }

    /** The best scale found for the group that begins at {@code from}; 0 where all its elements are. */
    private double search(int from) {
        double extreme = 0;
        for (int i = from; i < from + group; i++) if (Math.abs(x[i]) > Math.abs(extreme)) extreme = x[i];
        if (extreme == 0) return 0;
        double best = extreme / levels[0], explained = -1;
        for (double target : targets) {
            round(from, target / extreme);
            if (product * product > explained * squares) {
                explained = product * product / squares;
                best = product / squares;
            }
        }
        round(from, 1 / best);
        return product * product > explained * squares ? product / squares : best;
    }

    /** Fits the scale of each group to its rounding, and d to all of them. */
    private void refit(double d) {
        double products = 0, allSquares = 0;
        for (int g = 0; g < scale.length; g++) {
            int s = result.scales[g];
            if (s == 0) continue;
            round(g * group, 1 / (d * s));
            if (squares == 0) continue;
            s = result.scales[g] = rounded(product / squares / d);
            products += s * product;
            allSquares += (double) s * s * squares;
        }
        if (allSquares > 0) result.d = Quantizer.scale(dtype, products / allSquares);
    }

    /** Sums over the group that begins at {@code from}, each element times {@code inverse} taken to the nearest level. */
    private void round(int from, double inverse) {
        double product = 0, squares = 0, twice = 2 * inverse;
        int last = nearest.length - 1;
        for (int i = from; i < from + group; i++) {
            double v = levels[nearest[Math.min(last, Math.max(0, (int) (x[i] * twice + zero)))]], wv = weight[i] * v;
            product += wv * x[i];
            squares += wv * v;
        }
        this.product = product;
        this.squares = squares;
    }

    private void assign(int from, double scale) {
        double twice = scale == 0 ? 0 : 2 / scale;
        for (int i = from; i < from + group; i++) result.q[i] = nearest[Math.min(nearest.length - 1, Math.max(0, (int) (x[i] * twice + zero)))];
    }
}
