package inkstone.tensor.cpu;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Kernels;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;

/** Each kernel with the family it belongs to. */
final class CpuKernels implements Kernels {
    private final CpuLinear linear;
    private final CpuRows rows;
    private final CpuAttention attention;

    CpuKernels(Workers workers, Scratch scratch) {
        linear = new CpuLinear(workers, scratch);
        rows = new CpuRows(workers, scratch);
        attention = new CpuAttention(workers, scratch);
    }

    @Override public void embedding(Tensor y, Tensor tokens, Tensor table) { rows.embedding(y, tokens, table); }
    @Override public void linear(Tensor y, Tensor x, Tensor weight, Tensor bias) { linear.linear(y, x, weight, bias); }
    @Override public void add(Tensor y, Tensor a, Tensor b) { rows.add(y, a, b); }
    @Override public void rmsNorm(Tensor y, Tensor x, Tensor weight, float eps) { rows.rmsNorm(y, x, weight, eps); }
    @Override public void rope(Tensor y, Tensor x, Tensor positions, Rope rope) { rows.rope(y, x, positions, rope); }
    @Override public void swiglu(Tensor y, Tensor gate, Tensor up) { rows.swiglu(y, gate, up); }
    @Override public void scatterRows(Tensor cache, Tensor x, Tensor slots) { rows.scatterRows(cache, x, slots); }
    @Override public void gatherRows(Tensor y, Tensor x, Tensor indices) { rows.gatherRows(y, x, indices); }

    @Override public void attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor starts, AttentionShape shape) { attention.attention(y, q, k, v, starts, shape); }

    @Override public void pagedAttention(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape shape) {
        attention.pagedAttention(y, q, keys, values, positions, sequences, pageTable, shape);
    }
}
