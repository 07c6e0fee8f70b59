package inkstone.tensor.cuda;

import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;

/** Norms and sizes of pictures, and their gradients. Sums over pixels are taken of chunks first, so that many blocks share them, and in an order that the shape alone decides. */
final class CudaPictures {
    /** Of sums over pixels: threads of a block, its channels, pixels that make a chunk worth its while, and the most chunks. */
    private static final int BLOCK = 256, WIDE = 32, CHUNK = 64, MOST_CHUNKS = 256;
    /** Rows of what each channel of a picture needs. */
    private static final int ROWS = 5;

    private final Kernel moments, merge, groupNorm, gradientSums, gradientMerge, gradientWeights, groupNormGradient, resize, resizeGradient;
    private final Gpu.Scratch scratch;

    CudaPictures(Gpu gpu) {
        moments = gpu.kernel("pictures", "group_norm_moments");
        merge = gpu.kernel("pictures", "group_norm_merge");
        groupNorm = gpu.kernel("pictures", "group_norm");
        gradientSums = gpu.kernel("pictures", "group_norm_gradient_sums");
        gradientMerge = gpu.kernel("pictures", "group_norm_gradient_merge");
        gradientWeights = gpu.kernel("pictures", "group_norm_gradient_weights");
        groupNormGradient = gpu.kernel("pictures", "group_norm_gradient");
        resize = gpu.kernel("pictures", "resize");
        resizeGradient = gpu.kernel("pictures", "resize_gradient");
        scratch = gpu.scratch();
    }

    // ---- group norm --------------------------------------------------------------------------------------------------------------------------------------

    /** One call's shape, and where in scratch memory lies what its kernels leave to each other. */
    private record Norm(int n, int pixels, int channels, int groups, long base) {
        static Norm of(Tensor x, int groups, long base) { return new Norm(x.shape().dim(0), x.shape().dim(1) * x.shape().dim(2), x.shape().last(), groups, base); }

        int chunks() { return Math.ceilDiv(pixels, chunk()); }
        int chunk() { return Math.ceilDiv(pixels, Math.clamp(Math.ceilDiv(pixels, CHUNK), 1, MOST_CHUNKS)); }
        int blocks() { return Math.ceilDiv(channels, WIDE); }

        private static long lines(long bytes) { return Math.ceilDiv(bytes, 256L) * 256; }
        /** Sums of chunks, floats [n, chunks, 2, channels]. */
        long parts() { return base; }
        /** Moments [n, groups, 2], rows [n, 5, channels] and sums of pictures [n, 2, channels]. */
        long stats() { return parts() + lines(8L * n * chunks() * channels); }
        long rows() { return stats() + lines(8L * n * groups); }
        long sums() { return rows() + lines(4L * ROWS * n * channels); }
        long bytes() { return sums() + lines(8L * n * channels) - base; }
    }

    void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        if (x.shape().elements() == 0) return;
        var norm = prepared(x, weight, bias, groups, eps);
        Elements.launchRows(groupNorm.with(y).with(x).with(norm.rows()).with((long) norm.pixels).with(silu), y);
    }

    /** The moments of each picture and group, and what its channels need of them. */
    private Norm prepared(Tensor x, Tensor weight, Tensor bias, int groups, float eps) {
        var norm = Norm.of(x, groups, scratch.address(Norm.of(x, groups, 0).bytes()));
        moments.with(norm.parts()).with(x).with(norm.pixels).with(norm.channels).with(norm.chunk()).launch(norm.blocks(), norm.chunks(), norm.n, BLOCK, 0);
        merge.with(norm.stats()).with(norm.rows()).with(norm.parts()).with(x).with(weight).with(bias).with(norm.pixels).with(norm.channels).with(groups).with(norm.chunk()).with(norm.chunks())
            .with(eps).launch(groups, norm.n, 1, BLOCK, 0);
        return norm;
    }

    void groupNormGradient(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        if (x.shape().elements() == 0) return;
        var norm = prepared(x, weight, bias, groups, eps);
        gradientSums.with(norm.parts()).with(dy).with(x).with(norm.rows()).with(norm.pixels).with(norm.channels).with(norm.chunk()).with(silu)
            .launch(norm.blocks(), norm.chunks(), norm.n, BLOCK, 0);
        gradientMerge.with(norm.sums()).with(norm.rows()).with(norm.parts()).with(norm.stats()).with(weight).with(norm.pixels).with(norm.channels).with(groups).with(norm.chunks())
            .launch(groups, norm.n, 1, BLOCK, 0);
        if (dWeight != null || dBias != null) {
            gradientWeights.with(dWeight).with(dBias).with(norm.sums()).with(norm.n).with(norm.channels).launch(Math.ceilDiv(norm.channels, BLOCK), BLOCK);
        }
        if (dx != null) Elements.launchRows(groupNormGradient.with(dx).with(dy).with(x).with(norm.rows()).with((long) norm.pixels).with(silu), dx);
    }

    // ---- resizing ----------------------------------------------------------------------------------------------------------------------------------------

    void resize(Tensor y, Tensor x, Resampling resampling) { launch(resize.with(y).with(x), x, y, resampling, y); }

    void resizeGradient(Tensor dx, Tensor dy, Resampling resampling) { if (dx != null) launch(resizeGradient.with(dx).with(dy), dx, dy, resampling, dx); }

    /** Over the pixels of {@code result}. */
    private static void launch(Kernel kernel, Tensor before, Tensor after, Resampling resampling, Tensor result) {
        int order = switch (resampling) {
            case NEAREST -> 0;
            case BILINEAR -> 1;
            case AREA -> 2;
        };
        Elements.launchRows(kernel.with(before.shape().dim(1)).with(before.shape().dim(2)).with(after.shape().dim(1)).with(after.shape().dim(2)).with(order), result);
    }
}
