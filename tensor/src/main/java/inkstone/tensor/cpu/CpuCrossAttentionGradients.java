package inkstone.tensor.cpu;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Tensor;

/** Gradients of attention to another sequence. */
final class CpuCrossAttentionGradients {
    CpuCrossAttentionGradients(Workers workers, Scratch scratch, Scratch single) {}
    void crossAttention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) { throw new UnsupportedOperationException("crossAttention: no kernel here"); }
}
