package inkstone.transformer;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.DType;
import inkstone.tensor.Recurrence;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;

/**
 * Whole sequences lying one after the other, no cache: training and scoring.
 *
 * @param positions I32 [n], counting from 0 in each sequence
 * @param starts    I32 [n], the first row of each row's sequence
 * @param sequences I32 [n], which of the {@code count} sequences each row is of
 */
public record Packed(Tensor positions, Tensor starts, Tensor sequences, int count) implements Context {
    /** Sequences of these lengths. */
    public static Packed of(Scope scope, int... lengths) {
        int n = 0;
        for (int length : lengths) n += length;
        var positions = new int[n];
        var starts = new int[n];
        var sequences = new int[n];
        int row = 0;
        for (int sequence = 0; sequence < lengths.length; sequence++) {
            int start = row, length = lengths[sequence];
            for (int position = 0; position < length; position++, row++) {
                positions[row] = position;
                starts[row] = start;
                sequences[row] = sequence;
            }
        }
        return new Packed(scope.ints(positions), scope.ints(starts), scope.ints(sequences), lengths.length);
    }

    @Override public Tensor attend(int layer, Tensor q, Tensor k, Tensor v, AttentionShape shape) { return q.attention(k, v, starts, shape); }

    @Override public Recurrence recurrence(int layer, int state, int width) {
        return new Recurrence(positions.scope().tensor(DType.F32, count, width), sequences, positions);
    }
}
