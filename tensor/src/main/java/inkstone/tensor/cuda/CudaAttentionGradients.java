package inkstone.tensor.cuda;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Tensor;

/** The way back through attention, without a matrix of scores in memory; see attention_gradient.cu. */
final class CudaAttentionGradients {
    /** Rows met at a time, own rows of a warp, and warps of a block where shared memory allows. */
    private static final int MET = 32, OWN = 16, WARPS = 4;
    /** Features that a block adds up, of narrow heads and of wide ones. */
    private static final int NARROW = 64, WIDE = 128;
    private static final int BLOCK = 256;

    private final Gpu gpu;
    private final Gpu.Scratch scratch;
    private final Kernel bounds, crossBounds, pack, shares, logSums, narrowQueries, wideQueries, narrowKeys, wideKeys;

    CudaAttentionGradients(Gpu gpu) {
        this.gpu = gpu;
        scratch = gpu.scratch();
        bounds = kernel("bounds");
        crossBounds = kernel("cross_bounds");
        pack = kernel("pack");
        shares = kernel("shares");
        logSums = kernel("log_sums");
        narrowQueries = kernel("queries_" + NARROW);
        wideQueries = kernel("queries_" + WIDE);
        narrowKeys = kernel("keys_" + NARROW);
        wideKeys = kernel("keys_" + WIDE);
    }

    private Kernel kernel(String name) { return gpu.kernel("attention_gradient", "attention_gradient_" + name); }

    /**
     * One call: addresses in scratch memory, of packed inputs and of what is known of each row, and widths of packed rows.
     *
     * @param n rows of queries, {@code keys} rows of keys, of {@code sequences} sequences where there is a bias
     */
    private record Call(int n, int keys, int sequences, Tensor bias, AttentionShape shape, int keyWidth, int valueWidth, long base) {
        Call(int n, int keys, int sequences, Tensor bias, AttentionShape shape, long base) {
            this(n, keys, sequences, bias, shape, padded(shape.headDim()), padded(shape.valueHeadDim()), base);
        }
        Call at(long base) { return new Call(n, keys, sequences, bias, shape, base); }

        private static int padded(int dim) { return Math.ceilDiv(dim, 16) * 16; }
        private static long lines(long bytes) { return Math.ceilDiv(bytes, 256L) * 256; }

        long q() { return base; }
        long k() { return q() + lines(2L * n * shape.heads() * keyWidth); }
        long v() { return k() + lines(2L * keys * shape.kvHeads() * keyWidth); }
        long dy() { return v() + lines(2L * keys * shape.kvHeads() * valueWidth); }
        long logSums() { return dy() + lines(2L * n * shape.heads() * valueWidth); }
        long shares() { return logSums() + lines(4L * n * shape.heads()); }
        long seesLow() { return shares() + lines(4L * n * shape.heads()); }
        long seesHigh() { return seesLow() + lines(4L * n); }
        long seenLow() { return seesHigh() + lines(4L * n); }
        long seenHigh() { return seenLow() + lines(4L * keys); }
        long lone() { return seenHigh() + lines(4L * keys); }
        long loneKeys() { return lone() + lines(4L * n); }
        long bytes() { return loneKeys() + lines(4L * keys) - base; }
    }

    void attention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, Tensor starts, AttentionShape shape) {
        int n = q.shape().dim(0);
        if (n == 0 || dq == null && dk == null && dv == null) return;
        var call = placed(new Call(n, n, 1, null, shape, 0));
        bounds.with(call.seesLow()).with(call.seesHigh()).with(call.seenLow()).with(call.seenHigh()).with(call.lone()).with(starts).with(n).with(shape.window()).with(shape.causal())
            .with(shape.sinks() != null).launch(Math.ceilDiv(n, BLOCK), BLOCK);
        run(call, call.lone(), dq, dk, dv, dy, q, k, v, y);
    }

    void crossAttention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        int n = q.shape().dim(0), keys = k.shape().dim(0);
        if (n == 0 || dq == null && dk == null && dv == null) return;
        var call = placed(new Call(n, keys, sequences, bias, shape, 0));
        crossBounds.with(call.seesLow()).with(call.seesHigh()).with(call.seenLow()).with(call.seenHigh()).with(call.lone()).with(call.loneKeys()).with(lengths).with(n).with(keys)
            .with(n / sequences).with(keys / sequences).launch(Math.ceilDiv(Math.max(n, keys), BLOCK), BLOCK);
        run(call, call.loneKeys(), dq, dk, dv, dy, q, k, v, y);
    }

    private Call placed(Call call) {
        requireRoom(call.shape);
        return call.at(scratch.address(call.bytes()));
    }

    /** With what each row sees known; {@code loneKeys}: which keys are all that their queries see. */
    private void run(Call call, long loneKeys, Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y) {
        var shape = call.shape;
        int n = call.n, heads = shape.heads(), kvHeads = shape.kvHeads();
        pack(call.q(), q, heads, shape.headDim(), call.keyWidth);
        pack(call.k(), k, kvHeads, shape.headDim(), call.keyWidth);
        pack(call.v(), v, kvHeads, shape.valueHeadDim(), call.valueWidth);
        pack(call.dy(), dy, heads, shape.valueHeadDim(), call.valueWidth);
        shares.with(call.shares()).with(dy).with(y).with((long) n).with(heads).with(shape.valueHeadDim()).launch(Math.ceilDiv((long) n * heads, BLOCK / Gpu.WARP), BLOCK);
        logSums.with(call.logSums()).with(call.q()).with(call.k()).with(shape.sinks()).with(call.seesLow()).with(call.seesHigh()).with(n).with(heads).with(kvHeads)
            .with(call.keyWidth).with(shape.scale()).with(shape.softCap());
        launch(other(logSums, call), n, heads, 1, call.keyWidth + 8);

        int both = call.keyWidth + call.valueWidth + 16;
        if (dq != null) {
            boolean narrow = call.keyWidth <= NARROW;
            int blocks = Math.ceilDiv(call.keyWidth, narrow ? NARROW : WIDE);
            var queries = (narrow ? narrowQueries : wideQueries).with(dq);
            launch(arguments(queries, call, call.seesLow(), call.seesHigh(), call.lone(), blocks), n, heads, blocks, both);
        }
        if (dk != null || dv != null) {
            int widest = Math.max(dk == null ? 0 : call.keyWidth, dv == null ? 0 : call.valueWidth);
            boolean narrow = widest <= NARROW;
            int blocks = Math.ceilDiv(widest, narrow ? NARROW : WIDE);
            var keys = (narrow ? narrowKeys : wideKeys).with(dk).with(dv);
            launch(arguments(keys, call, call.seenLow(), call.seenHigh(), loneKeys, blocks), call.keys, kvHeads, blocks, both);
        }
    }

    private void pack(long packed, Tensor x, int heads, int dim, int width) {
        int n = x.shape().dim(0);
        pack.with(packed).with(x).with((long) n).with(heads).with(dim).with(width).launch(n, BLOCK);
    }

    private static Kernel arguments(Kernel kernel, Call call, long low, long high, long lone, int blocks) {
        var shape = call.shape;
        kernel.with(call.q()).with(call.k()).with(call.v()).with(call.dy()).with(call.logSums()).with(call.shares()).with(low).with(high).with(lone)
            .with(call.n).with(shape.heads()).with(shape.kvHeads()).with(shape.headDim()).with(shape.valueHeadDim()).with(call.keyWidth).with(call.valueWidth).with(blocks)
            .with(shape.scale()).with(shape.softCap());
        return other(kernel, call);
    }

    /** What concerns keys of other sequences, at the end of all passes' arguments. */
    private static Kernel other(Kernel kernel, Call call) { return kernel.with(call.keys).with(call.bias).with(call.n / call.sequences).with(call.keys / call.sequences); }

    /** A block for each tile of own rows, head, and block of features, of as many warps as there is shared memory for; {@code stride}: elements of shared memory for a row. */
    private void launch(Kernel kernel, int rows, int heads, int blocks, int stride) {
        int warps = WARPS;
        while (warps > 1 && sharedBytes(warps, stride) > gpu.sharedMemory) warps /= 2;
        kernel.launch((long) Math.ceilDiv(rows, OWN * warps) * heads * blocks, 1, 1, warps * Gpu.WARP, sharedBytes(warps, stride));
    }

    /** Before any launch: a block of one warp has room. */
    private void requireRoom(AttentionShape shape) {
        int bytes = sharedBytes(1, Call.padded(shape.headDim()) + Call.padded(shape.valueHeadDim()) + 16);
        if (bytes <= gpu.sharedMemory) return;
        throw new UnsupportedOperationException("gradients of attention with heads of %d and values of %d need %,d bytes of shared memory for a block, %s has %,d; train on the cpu backend"
            .formatted(shape.headDim(), shape.valueHeadDim(), bytes, gpu.name, gpu.sharedMemory));
    }

    private static int sharedBytes(int warps, int stride) { return (OWN * warps + 2 * MET) * stride * Short.BYTES; }
}
