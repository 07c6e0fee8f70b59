package inkstone.transformer;

import inkstone.tensor.Scope;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;

/**
 * Turns texts into vectors, in the order they came, one between two steps of a scheduler: a text is one pass through the model without a cache, whose memory is
 * given back after it. Texts are handed in by any thread; {@link #embedNext} belongs to the thread of the backend.
 */
final class EmbeddingQueue {
    private record Job(int[] tokens, Pooling pooling, CompletableFuture<float[]> vector) {}

    private final LanguageModel model;
    private final int contextLength, maxWaiting;
    private final ArrayDeque<Job> waiting = new ArrayDeque<>();

    EmbeddingQueue(LanguageModel model, int contextLength, int maxWaiting) {
        this.model = model;
        this.contextLength = contextLength;
        this.maxWaiting = maxWaiting;
    }

    /** @throws QueueFullException where as many texts as may wait do */
    synchronized CompletableFuture<float[]> submit(int[] tokens, Pooling pooling) {
        int vocabulary = model.model().config().vocabularySize();
        if (tokens.length == 0 || tokens.length > contextLength) {
            throw new IllegalArgumentException("a text to embed must have 1 to %d tokens, got %d".formatted(contextLength, tokens.length));
        }
        for (int token : tokens) {
            if (token < 0 || token >= vocabulary) {
                throw new IllegalArgumentException("the text has token %d, the vocabulary ends at %d".formatted(token, vocabulary - 1));
            }
        }
        if (waiting.size() >= maxWaiting) throw new QueueFullException("%d texts wait to be embedded already; try again later".formatted(waiting.size()));
        var job = new Job(tokens.clone(), pooling, new CompletableFuture<>());
        waiting.add(job);
        return job.vector;
    }

    synchronized boolean idle() { return waiting.isEmpty(); }

    private synchronized Job next() {
        waiting.removeIf(job -> job.vector.isDone());
        return waiting.poll();
    }

    /** Embeds the text that waits longest, if any. A failure is that text's own. */
    void embedNext() {
        var job = next();
        if (job == null) return;
        try {
            job.vector.complete(embed(job.tokens, job.pooling));
        } catch (RuntimeException | VirtualMachineError problem) {
            job.vector.completeExceptionally(problem);
        }
    }

    /** Fails what still waits. */
    void close() {
        for (var job = next(); job != null; job = next()) job.vector.completeExceptionally(new IllegalStateException("the scheduler is closed"));
    }

    /** Hidden states [n, dim] of the whole text -> one vector [dim] of length 1. */
    private float[] embed(int[] tokens, Pooling pooling) {
        int n = tokens.length, dim = model.model().config().dim();
        try (var scope = Scope.inference(model.backend())) {
            var hidden = model.model().forward(scope.ints(tokens), Packed.of(scope, n));
            var rows = switch (pooling) {
                case MEAN -> hidden;
                case LAST -> hidden.gatherRows(scope.ints(n - 1));
                case CLS -> hidden.gatherRows(scope.ints(0));
            };
            var values = new float[rows.shape().dim(0) * dim];
            model.backend().download(MemorySegment.ofArray(values), rows.data());
            return normalised(sum(values, dim));
        }
    }

    private static double[] sum(float[] rows, int dim) {
        var sum = new double[dim];
        for (int row = 0; row < rows.length; row += dim) for (int i = 0; i < dim; i++) sum[i] += rows[row + i];
        return sum;
    }

    /** Divided by its length, so that the mean needs no division of its own; a vector of zeros stays one. */
    private static float[] normalised(double[] vector) {
        double length = Math.sqrt(Arrays.stream(vector).map(x -> x * x).sum());
        if (!Double.isFinite(length)) {
            throw new ArithmeticException("the model computed hidden states that are not numbers: its weights are broken or overflow");
        }
        var unit = new float[vector.length];
        for (int i = 0; i < unit.length; i++) unit[i] = length == 0 ? 0 : (float) (vector[i] / length);
        return unit;
    }
}
