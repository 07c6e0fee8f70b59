package inkstone.transformer.train;

import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Packed;
import java.util.Arrays;
import java.util.stream.IntStream;

/** Cross-entropy of a causal language model on batches of tokens, in nats. The logits of a few hundred rows exist at a time. */
public final class LanguageLoss {
    /* Some 8 MB of logits and as much of gradients: rows enough for the matrix product, few enough for the cache. */
    private static final int LOGITS = 1 << 21, LEAST_ROWS = 32;

    private LanguageLoss() {}

    /** F32 [1]: the sum of the losses of all learned rows, times {@code scale}. In a training scope the head is carried back at once, so the gradient of the result must be 1. */
    public static Tensor of(CausalModel model, Scope scope, TokenBatch batch, float scale) {
        return overParts(Learned.of(model, scope, batch), (learned, start, end) ->
            scope.immediately(() -> learned.losses(model, scope, learned.hidden.rows(start, end), start, end).sum().scale(scale)));
    }

    /**
     * F32 [1, sequences]: for each sequence the sum of the losses of its learned rows, which is -ln of the probability of what is learned of it. The head is computed once more
     * on the way back, so its gradient may be any.
     */
    public static Tensor ofEach(CausalModel model, Scope scope, TokenBatch batch) {
        var sequenceOf = new int[batch.size()];
        for (int sequence = 0, row = 0; sequence < batch.lengths().length; row += batch.lengths()[sequence++]) Arrays.fill(sequenceOf, row, row + batch.lengths()[sequence], sequence);
        return overParts(Learned.of(model, scope, batch), (learned, start, end) -> {
            int n = end - start;
            var members = new float[Math.multiplyExact(batch.lengths().length, n)];
            for (int i = 0; i < n; i++) members[sequenceOf[learned.rows[start + i]] * n + i] = 1;
            return learned.hidden.rows(start, end).recomputed(hidden ->
                learned.losses(model, scope, hidden, start, end).view(1, n).linear(scope.floats(members, batch.lengths().length, n), null));
        });
    }

    /**
     * The rows of a batch that have targets.
     *
     * @param hidden  [n, dim]
     * @param rows    [n], their places in the batch
     * @param targets [n]
     * @param part    rows whose logits exist at a time
     */
    private record Learned(Tensor hidden, int[] rows, int[] targets, int part) {
        static Learned of(CausalModel model, Scope scope, TokenBatch batch) {
            var hidden = model.forward(scope.ints(batch.tokens()), Packed.of(scope, batch.lengths()));
            int[] rows = IntStream.range(0, batch.targets().length).filter(row -> batch.targets()[row] >= 0).toArray();
            if (rows.length == 0) throw new IllegalArgumentException("a batch without a learned token has no loss");
            int[] targets = IntStream.of(rows).map(row -> batch.targets()[row]).toArray();
            return new Learned(rows.length == batch.size() ? hidden : hidden.gatherRows(scope.ints(rows)), rows, targets,
                Math.max(LEAST_ROWS, LOGITS / model.config().vocabularySize()));
        }

        Tensor losses(CausalModel model, Scope scope, Tensor hidden, int start, int end) {
            return model.logits(hidden).crossEntropy(scope.ints(Arrays.copyOfRange(targets, start, end)));
        }
    }

    private interface Part { Tensor of(Learned learned, int start, int end); }

    private static Tensor overParts(Learned learned, Part part) {
        Tensor sum = null;
        for (int from = 0; from < learned.targets.length; from += learned.part) {
            var loss = part.of(learned, from, Math.min(learned.targets.length, from + learned.part));
            sum = sum == null ? loss : sum.add(loss);
        }
        return sum;
    }
}
