package inkstone.transformer.deepseek2;

import inkstone.tensor.Tensor;

/**
 * Where each row of [n · heads, ..], the heads of n tokens, comes from.
 *
 * @param head  I32 [n · heads]: which head it is, what {@link Tensor#expertLinear} takes for a matrix to each head
 * @param token I32 [n · heads]: which of the n rows it is of
 */
record Heads(Tensor head, Tensor token) {
    static Heads of(Tensor tokens, int heads) {
        int rows = tokens.shape().dim(0) * heads;
        int[] head = new int[rows], token = new int[rows];
        for (int i = 0; i < rows; i++) {
            head[i] = i % heads;
            token[i] = i / heads;
        }
        return new Heads(tokens.scope().ints(head), tokens.scope().ints(token));
    }
}
