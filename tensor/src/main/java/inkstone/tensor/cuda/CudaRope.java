package inkstone.tensor.cuda;

import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;

/** Rotary positions. */
final class CudaRope {
    /** Elements of a row for each block, and its threads. */
    private static final int PART = 1024, BLOCK = 256;

    private final Kernel rope;

    CudaRope(Gpu gpu) { rope = gpu.kernel("rope", "rope"); }

    void rope(Tensor y, Tensor x, Tensor positions, Rope rope) { turn(y, x, positions, rope, false); }

    void ropeGradient(Tensor dx, Tensor dy, Tensor positions, Rope rope) { if (dx != null) turn(dx, dy, positions, rope, true); }

    private void turn(Tensor y, Tensor x, Tensor positions, Rope rope, boolean back) {
        int width = x.shape().last(), half = rope.frequencies().shape().last(), parts = Math.ceilDiv(width, PART);
        this.rope.with(y).with(x).with(positions).with(rope.frequencies()).with(rope.magnitude()).with(parts).with(width).with(rope.headDim()).with(half)
            .with(rope.pairs() == Rope.Pairs.INTERLEAVED).with(back).launch((long) x.shape().dim(0) * parts, 1, 1, BLOCK, 2 * Float.BYTES * half);
    }
}
