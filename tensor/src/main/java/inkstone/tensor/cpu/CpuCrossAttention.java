package inkstone.tensor.cpu;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Tensor;

/** Attention to another sequence. */
final class CpuCrossAttention {
    CpuCrossAttention(Workers workers, Scratch scratch, Scratch single) {}
    void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) { throw new UnsupportedOperationException("crossAttention: no kernel here"); }
}
