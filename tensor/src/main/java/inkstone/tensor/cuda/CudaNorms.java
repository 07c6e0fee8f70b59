package inkstone.tensor.cuda;

import inkstone.tensor.Tensor;

/** Norms over the last axis. */
final class CudaNorms {
    /** Features up to which a row has a warp, and threads of a block of such rows; a longer row has a block of at most {@link #MOST} threads. */
    private static final int NARROW = 256, BLOCK = 128, MOST = 512;
    /** Columns of a block of the gradients of weights, threads in it, rows of a slab at least, and blocks that suffice to fill a device. */
    private static final int COLUMNS = 32, THREADS = 256, SLAB = 64, ENOUGH = 1024;

    private final Kernel rmsNorm, layerNorm, rmsNormGradient, layerNormGradient, weightPartials, weightSums;
    private final Gpu.Scratch scratch;

    CudaNorms(Gpu gpu) {
        rmsNorm = gpu.kernel("norms", "rms_norm");
        layerNorm = gpu.kernel("norms", "layer_norm");
        rmsNormGradient = gpu.kernel("norms", "rms_norm_gradient");
        layerNormGradient = gpu.kernel("norms", "layer_norm_gradient");
        weightPartials = gpu.kernel("norms", "norm_weight_partials");
        weightSums = gpu.kernel("norms", "norm_weight_sums");
        scratch = gpu.scratch();
    }

    void rmsNorm(Tensor y, Tensor x, Tensor weight, float eps) {
        int rows = x.shape().rows(), d = x.shape().last();
        launch(rmsNorm.with(y).with(x).with(weight).with(eps).with(rows).with(d), rows, d, y, x, weight);
    }

    void layerNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, float eps) {
        int rows = x.shape().rows(), d = x.shape().last(), heads = weight == null ? 1 : weight.shape().rows();
        launch(layerNorm.with(y).with(x).with(weight).with(bias).with(eps).with(rows).with(heads).with(d), rows, d, y, x, weight, bias);
    }

    void rmsNormGradient(Tensor dx, Tensor dWeight, Tensor dy, Tensor x, Tensor weight, float eps) {
        int rows = x.shape().rows(), d = x.shape().last();
        if (rows == 0) return;
        var slabs = new Slabs(rows, d);
        long partials = dWeight == null ? 0 : scratch.address(slabs.bytes() + 4L * rows), inverses = partials == 0 ? 0 : partials + slabs.bytes();
        launch(rmsNormGradient.with(dx).with(inverses).with(dy).with(x).with(weight).with(eps).with(rows).with(d), rows, d, dx, dy, x, weight);
        if (dWeight == null) return;
        weightPartials.with(partials).with(0L).with(dy).with(x).with(inverses).with(0L).with(rows).with(slabs.rows()).with(1).with(d)
            .launch(slabs.blocks(), slabs.count(), 1, THREADS, 0);
        sum(dWeight, partials, slabs);
    }

    void layerNormGradient(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, float eps) {
        int rows = x.shape().rows(), d = x.shape().last(), heads = weight == null ? 1 : weight.shape().rows();
        if (rows == 0) return;
        var slabs = new Slabs(rows / heads, heads * d);
        boolean learns = dWeight != null || dBias != null;
        long weights = learns ? scratch.address(2 * slabs.bytes() + 8L * rows) : 0, biases = weights + slabs.bytes();
        long inverses = dWeight == null ? 0 : biases + slabs.bytes(), means = dWeight == null ? 0 : inverses + 4L * rows;
        if (dx != null || dWeight != null) {
            launch(layerNormGradient.with(dx).with(inverses).with(means).with(dy).with(x).with(weight).with(eps).with(rows).with(heads).with(d), rows, d, dx, dy, x, weight);
        }
        if (!learns) return;
        weightPartials.with(dWeight == null ? 0 : weights).with(dBias == null ? 0 : biases).with(dy).with(x).with(inverses).with(means).with(rows / heads).with(slabs.rows())
            .with(heads).with(d).launch(slabs.blocks(), slabs.count(), 1, THREADS, 0);
        if (dWeight != null) sum(dWeight, weights, slabs);
        if (dBias != null) sum(dBias, biases, slabs);
    }

    private void sum(Tensor gradient, long partials, Slabs slabs) {
        weightSums.with(gradient).with(partials).with(slabs.count()).with(slabs.columns).launch(slabs.blocks(), THREADS);
    }

    /** How the rows of a matrix are shared out among blocks that sum its columns: by its shape alone, so that sums have one order. */
    private record Slabs(int matrixRows, int columns) {
        int blocks() { return Math.ceilDiv(columns, COLUMNS); }
        int rows() { return Math.ceilDiv(matrixRows, Math.clamp(Math.ceilDiv(ENOUGH, blocks()), 1, Math.ceilDiv(matrixRows, SLAB))); }
        int count() { return Math.ceilDiv(matrixRows, rows()); }
        /** Of one sum for each slab and column. */
        long bytes() { return 4L * count() * columns; }
    }

    /** Adds how rows are read, which may be four features at once where all that have this width are aligned, and launches. */
    private static void launch(Kernel kernel, int rows, int d, Tensor... rowsOfD) {
        boolean wide = d > NARROW, fours = d % 4 == 0;
        for (var tensor : rowsOfD) fours &= tensor == null || tensor.data().address() % 16 == 0;
        kernel.with(wide).with(fours);
        if (wide) kernel.launch(rows, Math.min(MOST, Math.ceilDiv(d, 4 * Gpu.WARP) * Gpu.WARP));
        else kernel.launch(Math.ceilDiv(rows, BLOCK / Gpu.WARP), BLOCK);
    }
}
