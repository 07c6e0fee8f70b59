package inkstone.tensor.cuda;

import inkstone.tensor.Tensor;

/** Sums and losses. */
final class CudaLoss {
    /** Of sums: threads of a block, elements worth a block, and the most blocks. */
    private static final int BLOCK = 256, SHARE = 4096, MOST_BLOCKS = 1024;

    private final Kernel sum, sumOfSquares, sumParts, sumGradient, crossEntropy, crossEntropyGradient;
    private final Gpu.Scratch scratch;

    CudaLoss(Gpu gpu) {
        sum = gpu.kernel("loss", "sum");
        sumOfSquares = gpu.kernel("loss", "sum_of_squares");
        sumParts = gpu.kernel("loss", "sum_parts");
        sumGradient = gpu.kernel("loss", "sum_gradient");
        crossEntropy = gpu.kernel("loss", "cross_entropy");
        crossEntropyGradient = gpu.kernel("loss", "cross_entropy_gradient");
        scratch = gpu.scratch();
    }

    void sum(Tensor y, Tensor x) { sum(sum, y, x); }

    void sumOfSquares(Tensor y, Tensor x) { sum(sumOfSquares, y, x); }

    private void sum(Kernel kernel, Tensor y, Tensor x) {
        long count = x.shape().elements();
        int blocks = (int) Math.clamp(Math.ceilDiv(count, SHARE), 1, MOST_BLOCKS);
        long parts = scratch.address(8L * MOST_BLOCKS);
        kernel.with(y).with(parts).with(x).with(count).launch(blocks, BLOCK);
        if (blocks > 1) sumParts.with(y).with(parts).with(blocks).launch(1, BLOCK);
    }

    void sumGradient(Tensor dx, Tensor dy) { if (dx != null) Elements.launch(sumGradient.with(dx).with(dy), dx); }

    void crossEntropy(Tensor y, Tensor logits, Tensor targets) {
        int classes = logits.shape().last();
        crossEntropy.with(y).with(logits).with(targets).with(classes).launch(logits.shape().rows(), threads(classes));
    }

    void crossEntropyGradient(Tensor dLogits, Tensor dy, Tensor logits, Tensor targets) {
        if (dLogits == null) return;
        int classes = logits.shape().last();
        crossEntropyGradient.with(dLogits).with(dy).with(logits).with(targets).with(classes).launch(logits.shape().rows(), threads(classes));
    }

    /** Threads that share a row: at least four classes for each, and 512 at most, of which four blocks run side by side. */
    private static int threads(int classes) { return Math.clamp(Integer.highestOneBit(classes / 4), Gpu.WARP, 512); }
}
