package inkstone.transformer;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;

/**
 * Whole sequences lying one after the other, no cache: training and scoring.
 *
 * @param positions I32 [n], counting from 0 in each sequence
 * @param starts    I32 [n], the first row of each row's sequence
 */
public record Packed(Tensor positions, Tensor starts) implements Context {
    /** Sequences of these lengths. */
    public static Packed of(Scope scope, int... lengths) {
        int n = 0;
        for (int length : lengths) n += length;
        var positions = new int[n];
        var starts = new int[n];
        int row = 0;
        for (int length : lengths) {
            int start = row;
            for (int position = 0; position < length; position++, row++) {
                positions[row] = position;
                starts[row] = start;
            }
        }
        return new Packed(scope.ints(positions), scope.ints(starts));
    }

    @Override public Tensor attend(int layer, Tensor q, Tensor k, Tensor v, AttentionShape shape) { return q.attention(k, v, starts, shape); }
}
