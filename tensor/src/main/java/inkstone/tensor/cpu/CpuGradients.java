package inkstone.tensor.cpu;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Gradients;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;
import inkstone.tensor.reference.ReferenceBackend;

/** Each gradient with the family it belongs to; what training seldom needs or what is small takes the plain loops. */
final class CpuGradients implements Gradients {
    private final CpuLinearBackward linear;
    private final Gradients plain = new ReferenceBackend().gradients();

    CpuGradients(Workers workers, Scratch scratch, Scratch single) {
        linear = new CpuLinearBackward(workers, scratch, single);
    }

    @Override public void embedding(Tensor dTable, Tensor tokens, Tensor dy) { plain.embedding(dTable, tokens, dy); }
    @Override public void linearInput(Tensor dx, Tensor dy, Tensor weight) { linear.linearInput(dx, dy, weight); }
    @Override public void linearWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x) { linear.linearWeight(dWeight, dBias, dy, x); }
    @Override public void rmsNorm(Tensor dx, Tensor dWeight, Tensor dy, Tensor x, Tensor weight, float eps) { plain.rmsNorm(dx, dWeight, dy, x, weight, eps); }
    @Override public void layerNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, float eps) { plain.layerNorm(dx, dWeight, dBias, dy, x, weight, eps); }
    @Override public void scale(Tensor dx, Tensor dy, float factor) { plain.scale(dx, dy, factor); }
    @Override public void softCap(Tensor dx, Tensor dy, Tensor y, float cap) { plain.softCap(dx, dy, y, cap); }
    @Override public void map(Tensor dx, Tensor dy, Tensor x, Elementwise function) { plain.map(dx, dy, x, function); }
    @Override public void mul(Tensor da, Tensor db, Tensor dy, Tensor a, Tensor b) { plain.mul(da, db, dy, a, b); }
    @Override public void lerp(Tensor da, Tensor db, Tensor dWeight, Tensor dy, Tensor a, Tensor b, Tensor weight) { plain.lerp(da, db, dWeight, dy, a, b, weight); }
    @Override public void rope(Tensor dx, Tensor dy, Tensor positions, Rope rope) { plain.rope(dx, dy, positions, rope); }
    @Override public void swiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) { plain.swiglu(dGate, dUp, dy, gate, up); }
    @Override public void gelu(Tensor dx, Tensor dy, Tensor x) { plain.gelu(dx, dy, x); }
    @Override public void geglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) { plain.geglu(dGate, dUp, dy, gate, up); }
    @Override public void clampedSwiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, float alpha, float limit) { plain.clampedSwiglu(dGate, dUp, dy, gate, up, alpha, limit); }
    @Override public void attention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, Tensor starts, AttentionShape shape) { plain.attention(dq, dk, dv, dy, q, k, v, y, starts, shape); }
    @Override public void expertInput(Tensor dx, Tensor dy, Tensor weight, Tensor experts) { plain.expertInput(dx, dy, weight, experts); }
    @Override public void expertWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor experts) { plain.expertWeight(dWeight, dBias, dy, x, experts); }
    @Override public void weightedSum(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor weights) { plain.weightedSum(dx, dWeights, dy, x, weights); }
    @Override public void route(Tensor dScores, Tensor dWeights, Tensor experts, Tensor weights, Tensor scores, Routing routing) { plain.route(dScores, dWeights, experts, weights, scores, routing); }
    @Override public void concat(Tensor da, Tensor db, Tensor dy) { plain.concat(da, db, dy); }
    @Override public void columns(Tensor dx, Tensor dy, int from) { plain.columns(dx, dy, from); }
    @Override public void gatherRows(Tensor dx, Tensor dy, Tensor rows) { plain.gatherRows(dx, dy, rows); }
    @Override public void dropout(Tensor dx, Tensor dy, float rate, long key) { plain.dropout(dx, dy, rate, key); }
    @Override public void sum(Tensor dx, Tensor dy) { plain.sum(dx, dy); }
    @Override public void crossEntropy(Tensor dLogits, Tensor dy, Tensor logits, Tensor targets) { plain.crossEntropy(dLogits, dy, logits, targets); }
}
