package inkstone.transformer.deepseek2;

import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;

/** The map from x [n, dim] to queries [n, heads · headDim]: attn_q, or attn_q_a, a norm and attn_q_b where it is of low rank. */
record Queries(Linear first, Tensor norm, Linear second, float eps) {
    static Queries of(Deepseek2Config config, Weights w) {
        var c = config.decoder();
        int rank = config.queryRank();
        if (rank == 0) return new Queries(w.linear("attn_q", c.dim(), c.queryDim()), null, null, c.eps());
        return new Queries(w.linear("attn_q_a", c.dim(), rank), w.tensor("attn_q_a_norm.weight", rank), w.linear("attn_q_b", rank, c.queryDim()), c.eps());
    }

    Tensor forward(Tensor x) { return second == null ? first.forward(x) : second.forward(first.forward(x).rmsNorm(norm, eps)); }
}
