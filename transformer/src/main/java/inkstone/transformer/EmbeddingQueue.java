package inkstone.transformer;

import inkstone.tensor.Scope;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * Turns texts into vectors: a pass through the model without a cache takes as many waiting texts side by side as fit, of one request or several, and its memory is
 * given back after it. A request whose texts did not all fit goes to the end of the line, so that a large one does not hold up a small one. Texts are handed in by
 * any thread; {@link #embedNext} belongs to the thread of the backend.
 */
final class EmbeddingQueue {
    /** The texts of one request; all but the future is guarded by the queue. */
    private static final class Job {
        final List<int[]> texts;
        final Pooling pooling;
        final float[][] vectors;
        final CompletableFuture<List<float[]>> result = new CompletableFuture<>();
        int next, left;

        Job(List<int[]> texts, Pooling pooling) {
            this.texts = texts;
            this.pooling = pooling;
            this.vectors = new float[texts.size()][];
            this.left = texts.size();
        }
    }

    /** One text of a job, in a pass. */
    private record Text(Job job, int index) {
        int[] tokens() { return job.texts.get(index); }
    }

    private final TextModel model;
    private final int contextLength, maxWaiting;
    private final ArrayDeque<Job> waiting = new ArrayDeque<>();

    /** @param maxWaiting requests that may wait */
    EmbeddingQueue(TextModel model, int contextLength, int maxWaiting) {
        this.model = model;
        this.contextLength = contextLength;
        this.maxWaiting = maxWaiting;
    }

    /** @throws QueueFullException where as many requests as may wait do */
    synchronized CompletableFuture<List<float[]>> submit(List<int[]> texts, Pooling pooling) {
        if (texts.isEmpty()) throw new IllegalArgumentException("there is no text to embed");
        var own = texts.stream().map(int[]::clone).toList();
        own.forEach(this::check);
        if (waiting.size() >= maxWaiting) throw new QueueFullException("%d requests wait to be embedded already; try again later".formatted(waiting.size()));
        var job = new Job(own, pooling);
        waiting.add(job);
        return job.result;
    }

    private void check(int[] tokens) {
        int vocabulary = model.config().vocabularySize();
        if (tokens.length == 0 || tokens.length > contextLength) {
            throw new IllegalArgumentException("a text to embed must have 1 to %d tokens, got %d".formatted(contextLength, tokens.length));
        }
        for (int token : tokens) {
            if (token < 0 || token >= vocabulary) {
                throw new IllegalArgumentException("the text has token %d, the vocabulary ends at %d".formatted(token, vocabulary - 1));
            }
        }
    }

    synchronized boolean idle() { return waiting.isEmpty(); }

    /** The texts of the next pass: those that wait longest, together at most {@code rows} tokens, or one that alone is longer. */
    private synchronized List<Text> next(int rows) {
        waiting.removeIf(job -> job.result.isDone());
        var texts = new ArrayList<Text>();
        int taken = 0;
        for (int jobs = waiting.size(); jobs > 0; jobs--) {
            var job = waiting.peek();
            while (job.next < job.texts.size() && (texts.isEmpty() || taken + job.texts.get(job.next).length <= rows)) {
                taken += job.texts.get(job.next).length;
                texts.add(new Text(job, job.next++));
            }
            waiting.remove();
            if (job.next < job.texts.size()) {
                waiting.add(job);
                break;
            }
        }
        return texts;
    }

    /** Embeds the texts that wait longest, if any, and returns how many tokens it read. A failure of a pass is that of its requests only. */
    int embedNext(int rows) {
        var texts = next(rows);
        if (texts.isEmpty()) return 0;
        var lengths = texts.stream().mapToInt(text -> text.tokens().length).toArray();
        try {
            float[] hidden = hidden(texts, lengths);
            int dim = model.config().dim(), row = 0;
            for (int i = 0; i < lengths.length; row += lengths[i++]) finish(texts.get(i), hidden, row * dim, lengths[i], dim);
        } catch (RuntimeException | VirtualMachineError problem) {
            texts.forEach(text -> text.job.result.completeExceptionally(problem));
        }
        return Arrays.stream(lengths).sum();
    }

    private void finish(Text text, float[] hidden, int from, int tokens, int dim) {
        var job = text.job;
        try {
            job.vectors[text.index] = UnitVectors.normalised(pooled(hidden, from, tokens, dim, job.pooling));
            if (--job.left == 0) job.result.complete(List.of(job.vectors));
        } catch (ArithmeticException broken) {
            job.result.completeExceptionally(broken);
        }
    }

    /** Fails what still waits. */
    synchronized void close() {
        waiting.forEach(job -> job.result.completeExceptionally(new IllegalStateException("the scheduler is closed")));
        waiting.clear();
    }

    /** [n, dim] of all texts, one after the other. */
    private float[] hidden(List<Text> texts, int[] lengths) {
        var tokens = new int[Arrays.stream(lengths).sum()];
        int row = 0;
        for (var text : texts) {
            System.arraycopy(text.tokens(), 0, tokens, row, text.tokens().length);
            row += text.tokens().length;
        }
        try (var scope = Scope.inference(model.backend())) { return model.hidden(scope.ints(tokens), Packed.of(scope, lengths)).toFloats(); }
    }

    /** The vector of one text, of any length: the mean is a sum here. */
    private static double[] pooled(float[] hidden, int from, int tokens, int dim, Pooling pooling) {
        int first = pooling == Pooling.LAST ? tokens - 1 : 0, end = pooling == Pooling.CLS ? 1 : tokens;
        var sum = new double[dim];
        for (int row = first; row < end; row++) for (int i = 0; i < dim; i++) sum[i] += hidden[from + row * dim + i];
        return sum;
    }
}
