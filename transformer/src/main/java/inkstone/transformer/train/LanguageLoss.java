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
        var hidden = model.forward(scope.ints(batch.tokens()), Packed.of(scope, batch.lengths()));
        int[] learned = IntStream.range(0, batch.targets().length).filter(row -> batch.targets()[row] >= 0).toArray();
        if (learned.length == 0) throw new IllegalArgumentException("a batch without a learned token has no loss");
        int[] targets = IntStream.of(learned).map(row -> batch.targets()[row]).toArray();
        var rows = learned.length == batch.targets().length ? hidden : hidden.gatherRows(scope.ints(learned));
        int part = Math.max(LEAST_ROWS, LOGITS / model.config().vocabularySize());
        Tensor sum = null;
        for (int from = 0; from < targets.length; from += part) {
            int start = from, end = Math.min(targets.length, from + part);
            var loss = scope.immediately(() ->
                model.logits(rows.rows(start, end)).crossEntropy(scope.ints(Arrays.copyOfRange(targets, start, end))).sum().scale(scale));
            sum = sum == null ? loss : sum.add(loss);
        }
        return sum;
    }
}
