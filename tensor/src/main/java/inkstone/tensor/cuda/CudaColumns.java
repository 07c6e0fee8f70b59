package inkstone.tensor.cuda;

import inkstone.tensor.Tensor;

/** Parts of rows, and what is the same for all rows. Sums over rows are taken of chunks first, so that many blocks share them, and in an order that the shape alone decides. */
final class CudaColumns {
    /** Of sums over rows: threads of a block, columns of a block, rows that make a chunk worth its while, and the most chunks. */
    private static final int BLOCK = 256, WIDE = 32, CHUNK = 64, MOST_CHUNKS = 256;

    private final Kernel scaleColumns, lerp, concat, columns, scaleColumnsGradient, lerpGradient, addColumns, scaleColumnsSums, lerpSums, addSums, modulate, gated, sharedFactorGradient, sharedSums, addSharedSums;
    private final Gpu.Scratch scratch;

    CudaColumns(Gpu gpu) {
        scaleColumns = gpu.kernel("columns", "scale_columns");
        lerp = gpu.kernel("columns", "lerp_rows");
        concat = gpu.kernel("columns", "concat_rows");
        columns = gpu.kernel("columns", "take_columns");
        scaleColumnsGradient = gpu.kernel("columns", "scale_columns_gradient");
        lerpGradient = gpu.kernel("columns", "lerp_gradient");
        addColumns = gpu.kernel("columns", "add_columns");
        scaleColumnsSums = gpu.kernel("columns", "scale_columns_sums");
        lerpSums = gpu.kernel("columns", "lerp_sums");
        addSums = gpu.kernel("columns", "add_sums");
        modulate = gpu.kernel("columns", "modulate");
        gated = gpu.kernel("columns", "gated");
        sharedFactorGradient = gpu.kernel("columns", "shared_factor_gradient");
        sharedSums = gpu.kernel("columns", "shared_sums");
        addSharedSums = gpu.kernel("columns", "add_shared_sums");
        scratch = gpu.scratch();
    }

    void scaleColumns(Tensor y, Tensor x, Tensor factors, Tensor divisors, Tensor bias) {
        Elements.launchRows(scaleColumns.with(y).with(x).with(factors).with(divisors).with(bias), y);
    }

    void lerp(Tensor y, Tensor a, Tensor b, Tensor weight) { Elements.launchRows(lerp.with(y).with(a).with(b).with(weight).with(oneRow(weight)), y); }

    private static boolean oneRow(Tensor weight) { return weight.shape().rank() == 1; }

    void concat(Tensor y, Tensor a, Tensor b) { Elements.launchRows(concat.with(y).with(a).with(b).with(a.shape().last()).with(b.shape().last()), y); }

    void columns(Tensor y, Tensor x, int from) { Elements.launchRows(columns.with(y).with(x).with(x.shape().last()).with(from), y); }

    void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift) {
        Elements.launchRows(modulate.with(y).with(x).with(scale).with(shift).with(sharing(x, scale)).with(sharing(x, shift)), y);
    }

    void gated(Tensor y, Tensor residual, Tensor x, Tensor gate) { Elements.launchRows(gated.with(y).with(residual).with(x).with(gate).with(sharing(x, gate)), y); }

    /** How many rows of x share one of {@code t}, which may be null. */
    private static long sharing(Tensor x, Tensor t) { return t == null ? 1 : Math.max(1, x.shape().rows() / t.shape().dim(0)); }

    // ---- gradients -----------------------------------------------------------------------------------------------------------------------------------------

    void scaleColumnsGradient(Tensor dx, Tensor dFactors, Tensor dBias, Tensor dy, Tensor x, Tensor factors, Tensor divisors) {
        if (dx != null) Elements.launchRows(scaleColumnsGradient.with(dx).with(dy).with(factors).with(divisors), dy);
        if (dFactors == null && dBias == null) return;
        var sums = new Sums(dy);
        sums.launch(scaleColumnsSums.with(sums.parts(2)).with(dy).with(x));
        if (dFactors != null) sums.addTo(dFactors, 0, divisors);
        if (dBias != null) sums.addTo(dBias, 1, null);
    }

    void lerpGradient(Tensor da, Tensor db, Tensor dWeight, Tensor dy, Tensor a, Tensor b, Tensor weight) {
        boolean one = oneRow(weight);
        if (da != null || db != null || !one) {
            Elements.launchRows(lerpGradient.with(da).with(db).with(one ? null : dWeight).with(dy).with(a).with(b).with(weight).with(one), dy);
        }
        if (dWeight == null || !one) return;
        var sums = new Sums(dy);
        sums.launch(lerpSums.with(sums.parts(1)).with(dy).with(a).with(b));
        sums.addTo(dWeight, 0, null);
    }

    void modulateGradient(Tensor dx, Tensor dScale, Tensor dShift, Tensor dy, Tensor x, Tensor scale) {
        if (dx != null) Elements.launchRows(sharedFactorGradient.with(dx).with(dy).with(scale).with(1f).with(sharing(dy, scale)), dy);
        sharedSums(dScale, dy, x);
        sharedSums(dShift, dy, null);
    }

    void gatedGradient(Tensor dx, Tensor dGate, Tensor dy, Tensor x, Tensor gate) {
        if (dx != null) Elements.launchRows(sharedFactorGradient.with(dx).with(dy).with(gate).with(0f).with(sharing(dy, gate)), dy);
        sharedSums(dGate, dy, x);
    }

    /** A row of the destination += dy x, or dy where x is null, of all rows that share it. */
    private void sharedSums(Tensor destination, Tensor dy, Tensor x) {
        if (destination == null || dy.shape().rows() == 0) return;
        int columns = dy.shape().last(), groups = destination.shape().dim(0), blocks = Math.ceilDiv(columns, WIDE);
        long sharing = sharing(dy, destination);
        int chunks = (int) Math.clamp(Math.ceilDiv(sharing, CHUNK), 1, MOST_CHUNKS);
        long parts = scratch.address(4L * groups * chunks * columns);
        sharedSums.with(parts).with(dy).with(x).with(sharing).with(columns).with(blocks).with(Math.ceilDiv(sharing, (long) chunks)).launch((long) groups * blocks, chunks, 1, BLOCK, 0);
        addSharedSums.with(destination).with(parts).with(chunks).with(columns).with(blocks).launch((long) groups * blocks, BLOCK);
    }

    void concatGradient(Tensor da, Tensor db, Tensor dy) {
        int width = dy.shape().last(), left = da != null ? da.shape().last() : width - db.shape().last();
        if (da != null) addColumns(da, 0, dy, 0, left);
        if (db != null) addColumns(db, 0, dy, left, width - left);
    }

    void columnsGradient(Tensor dx, Tensor dy, int from) { if (dx != null) addColumns(dx, from, dy, 0, dy.shape().last()); }

    private void addColumns(Tensor dx, int to, Tensor dy, int from, int count) {
        Elements.launchRows(addColumns.with(dx).with(dy).with(dx.shape().last()).with(to).with(dy.shape().last()).with(from), dy.shape().rows(), count);
    }

    /** Sums over the rows of dy. */
    private final class Sums {
        private final long rows;
        private final int columns, chunks;

        Sums(Tensor dy) {
            rows = dy.shape().rows();
            columns = dy.shape().last();
            chunks = (int) Math.clamp(Math.ceilDiv(rows, CHUNK), 1, MOST_CHUNKS);
        }

        /** Memory for so many sums of each column and chunk. */
        long parts(int sums) { return scratch.address(4L * sums * chunks * columns); }

        void launch(Kernel kernel) {
            kernel.with(rows).with(columns).with(Math.ceilDiv(rows, (long) chunks)).launch(Math.ceilDiv(columns, WIDE), chunks, 1, BLOCK, 0);
        }

        /** Adds sum number {@code index} of each column. */
        void addTo(Tensor destination, int index, Tensor divisors) {
            addSums.with(destination).with(parts(1) + 4L * index * chunks * columns).with(divisors).with(chunks).with(columns).launch(Math.ceilDiv(columns, WIDE), BLOCK);
        }
    }
}
