package inkstone.tensor;

import java.lang.foreign.MemorySegment;

/**
 * Blocks whose elements are w = d s q - e m, q from 0 to {@code top}: d and e for the block, integers s and m from 0 to {@code limit} for each group. Minimises the
 * sum of (importance · (x - w)²). For chosen q the best scale and offset of a group are a line through the points (q, x) by least squares, which five sums give; so
 * is the error of any other line. Roundings are tried for several scales near range / top. Then s and m, d and e, and the roundings are fitted to one another in
 * turn. A limit of 1 means that the block is one group, with s = m = 1 and an offset of either sign.
 */
final class OffsetBlocks implements Quantizer {
    private static final int REFINEMENTS = 2;
    private static final double[] TARGETS = {-1, -0.8, -0.6, -0.4, -0.2, 0, 0.2, 0.4, 0.6, 0.8, 1, 1.2};

    private final DType dtype;
    private final float[] importance;
    private final int top, group, limit;
    private final BlockLayout layout;
    private final BlockLayout.Quantized result;
    private final double[] x, weight, scale, offset;
    /** Of a group: Σ w, Σ wx, and of its last rounding Σ wq, Σ wq², Σ wqx. */
    private double weights, values, quants, squares, product;
    /** The least squares line of those sums: x ≈ slope · q - drop. */
    private double slope, drop;

    OffsetBlocks(DType dtype, float[] importance, int top, int group, int limit, BlockLayout layout) {
        this.dtype = dtype;
        this.importance = importance;
        this.top = top;
        this.group = group;
        this.limit = limit;
        this.layout = layout;
        result = new BlockLayout.Quantized(dtype.blockSize, dtype.blockSize / group);
        x = new double[dtype.blockSize];
        weight = new double[dtype.blockSize];
        scale = new double[dtype.blockSize / group];
        offset = new double[dtype.blockSize / group];
    }

    @Override public void block(float[] values, int from, MemorySegment block) {
        for (int i = 0; i < x.length; i++) {
            x[i] = values[from + i];
            weight[i] = importance == null ? 1 : importance[from + i];
        }
        double largestScale = 0, largestOffset = 0;
        for (int g = 0; g < scale.length; g++) {
            search(g);
            largestScale = Math.max(largestScale, scale[g]);
            if (Math.abs(offset[g]) > Math.abs(largestOffset)) largestOffset = offset[g];
        }
        result.d = Quantizer.scaleAtLeast(dtype, largestScale / limit);
        result.e = Quantizer.scaleAtLeast(dtype, largestOffset / limit);
        double d = Float.float16ToFloat(result.d), e = Float.float16ToFloat(result.e);
        for (int g = 0; g < scale.length; g++) {
            result.scales[g] = rounded(scale[g] / d);
            result.offsets[g] = rounded(offset[g] / e);
        }
        for (int i = 0; i < REFINEMENTS; i++) {
            refit(d, e);
            d = Float.float16ToFloat(result.d);
            e = Float.float16ToFloat(result.e);
        }
        for (int g = 0; g < scale.length; g++) assign(g * group, d * result.scales[g], e * result.offsets[g]);
        layout.write(result, block);
    }

    private int rounded(double s) { return limit == 1 ? 1 : (int) Math.clamp(Math.rint(s), 0, limit); }

    /** Sets scale and offset of a group to the best that were found. */
    private void search(int g) {
        int from = g * group;
        double smallest = limit == 1 ? x[from] : Math.min(0, x[from]), largest = x[from];
        for (int i = from + 1; i < from + group; i++) {
            smallest = Math.min(smallest, x[i]);
            largest = Math.max(largest, x[i]);
        }
        scale[g] = (largest - smallest) / top;
        offset[g] = -smallest;
        if (largest == smallest) return;
        sum(from);
        double explained = Double.NEGATIVE_INFINITY;
        for (double target : TARGETS) {
            round(from, (top + target) / (largest - smallest), -smallest);
            fit();
            double now = explained(slope, drop);
            if (now > explained) {
                explained = now;
                scale[g] = slope;
                offset[g] = drop;
            }
        }
        round(from, 1 / scale[g], offset[g]);
        fit();
        if (explained(slope, drop) > explained) {
            scale[g] = slope;
            offset[g] = drop;
        }
    }

    /** Fits s and m of each group to its rounding, then d and e to all of them, and stores these. */
    private void refit(double d, double e) {
        double ss = 0, sm = 0, mm = 0, sx = 0, mx = 0;                  // normal equations of d and e
        for (int g = 0; g < scale.length; g++) {
            double step = d * result.scales[g];
            sum(g * group);
            round(g * group, step == 0 ? 0 : 1 / step, e * result.offsets[g]);
            if (limit > 1) choose(g, d, e);
            double s = result.scales[g], m = result.offsets[g];
            ss += s * s * squares;
            sm += s * m * quants;
            mm += m * m * weights;
            sx += s * product;
            mx += m * values;
        }
        double determinant = ss * mm - sm * sm;
        if (determinant > 1e-9 * ss * mm) {
            double fittedD = (sx * mm - sm * mx) / determinant, fittedE = (sm * sx - ss * mx) / determinant;
            if (fittedD >= 0 && (fittedE >= 0 || limit == 1)) {
                result.d = Quantizer.scale(dtype, fittedD);
                result.e = Quantizer.scale(dtype, fittedE);
            }
        } else if (mm == 0 && ss > 0) {
            result.d = Quantizer.scale(dtype, sx / ss);
        }
    }

    /** The integers around the least squares line of the last rounding that leave the smallest error. */
    private void choose(int g, double d, double e) {
        fit();
        int first = d == 0 ? 0 : Math.clamp((int) (slope / d), 0, limit - 1);
        double explained = explained(d * result.scales[g], e * result.offsets[g]);
        for (int s = first; s <= first + 1; s++) {
            double best = weights == 0 ? 0 : (d * s * quants - values) / weights;
            int m = e == 0 ? 0 : rounded(best / e);
            double now = explained(d * s, e * m);
            if (now > explained) {
                explained = now;
                result.scales[g] = s;
                result.offsets[g] = m;
            }
        }
    }

    private void sum(int from) {
        double weights = 0, values = 0;
        for (int i = from; i < from + group; i++) {
            weights += weight[i];
            values += weight[i] * x[i];
        }
        this.weights = weights;
        this.values = values;
    }

    /** Sums over a group with q = (x + offset) · inverse rounded. */
    private void round(int from, double inverse, double offset) {
        double quants = 0, squares = 0, product = 0, shift = offset * inverse + 0.5;
        for (int i = from; i < from + group; i++) {
            double q = Math.min(top, Math.max(0, (int) (x[i] * inverse + shift))), wq = weight[i] * q;
            quants += wq;
            squares += wq * q;
            product += wq * x[i];
        }
        this.quants = quants;
        this.squares = squares;
        this.product = product;
    }

    /** Slope and drop by least squares; where several groups share e, with a drop of at least 0. */
    private void fit() {
        double determinant = weights * squares - quants * quants;
        slope = (weights * product - quants * values) / determinant;
        drop = (quants * product - squares * values) / determinant;
        if (!(determinant > 0) || limit > 1 && drop < 0) {
            slope = squares == 0 ? 0 : product / squares;
            drop = 0;
        }
    }

    /** How much of Σ wx² a line leaves no error of. */
    private double explained(double slope, double drop) {
        return 2 * (slope * product - drop * values) - slope * slope * squares + 2 * slope * drop * quants - drop * drop * weights;
    }

    private void assign(int from, double step, double offset) {
        double inverse = step == 0 ? 0 : 1 / step, shift = offset * inverse + 0.5;
        for (int i = from; i < from + group; i++) result.q[i] = (byte) Math.min(top, Math.max(0, (int) (x[i] * inverse + shift)));
    }
}
