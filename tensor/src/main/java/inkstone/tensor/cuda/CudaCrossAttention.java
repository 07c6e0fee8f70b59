package inkstone.tensor.cuda;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Tensor;

/** Attention to another sequence, and its gradient. */
final class CudaCrossAttention {
    CudaCrossAttention(Gpu gpu) {}
    void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) { throw new UnsupportedOperationException("crossAttention: no kernel here"); }
    void crossAttentionGradient(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) { throw new UnsupportedOperationException("crossAttentionGradient: no kernel here"); }
}
