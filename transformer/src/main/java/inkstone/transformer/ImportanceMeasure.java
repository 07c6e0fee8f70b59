package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ObservedBackend;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.TreeMap;
import java.util.function.IntConsumer;

/**
 * Measures an {@link ImportanceMatrix}: opens nothing itself, but gives the {@link #backend} on which the model must be opened. Matrices of the blocks are measured, and
 * the output matrix where that is asked for. One thread.
 */
public final class ImportanceMeasure {
    private final boolean output;
    private final Backend backend;
    private final TreeMap<String, Sums> sums = new TreeMap<>();

    private static final class Sums {
        final double[] squares;
        final long[] counts;

        Sums(int matrices, int columns) {
            squares = new double[matrices * columns];
            counts = new long[matrices];
        }
    }

    /** @param output whether the output matrix, where it is no part of the embeddings, is measured as well */
    public ImportanceMeasure(Backend backend, boolean output) {
        this.output = output;
        this.backend = new ObservedBackend(backend, new ObservedBackend.Observer() {
            @Override public void linear(String name, Tensor x) { observe(name, 1, x, null); }
            @Override public void expertLinear(String name, int count, Tensor x, Tensor experts) { observe(name, count, x, experts); }
        });
    }

    /** Computes on the backend given, and is closed instead of it. */
    public Backend backend() { return backend; }

    /**
     * Reads a text in windows, each from nothing; tokens after the last whole window are left out.
     *
     * @param model    opened on {@link #backend}
     * @param text     token ids
     * @param window   tokens of a window
     * @param name     what the text is called
     * @param progress told after each window how many are done
     * @throws ArithmeticException where activations are not numbers
     */
    public ImportanceMatrix measure(LanguageModel model, int[] text, int window, DType cacheType, String name, IntConsumer progress) {
        int windows = text.length / window;
        if (windows < 1) throw new IllegalArgumentException("a text needs at least one window of %d tokens, got %d tokens".formatted(window, text.length));
        sums.clear();
        boolean begins = model.tokenizer().addsBos();
        try (var engine = new Engine(model, window, window, cacheType)) {
            int rows = output ? Math.clamp(Perplexity.LOGITS_AT_ONCE / engine.vocabulary(), 1, Engine.PREFILL_ROWS) : Engine.PREFILL_ROWS;
            var sequence = engine.sequence(window);
            for (int i = 0; i < windows; i++) {
                sequence.truncate(0);
                for (int position = 0; position < window; position++) sequence.append(position == 0 && begins ? model.tokenizer().bos() : text[i * window + position]);
                boolean fits = sequence.reserve(window);
                assert fits : "the cache is as large as the window";
                while (sequence.pending() > 0) {
                    int now = Math.min(rows, sequence.pending());
                    engine.step(List.of(new Engine.Run(sequence, now, output ? now : 0)));
                }
                progress.accept(i + 1);
            }
        }
        var entries = new TreeMap<String, ImportanceMatrix.Entry>();
        sums.forEach((tensor, of) -> entries.put(tensor, new ImportanceMatrix.Entry(floats(tensor, of.squares), counts(of.counts))));
        return new ImportanceMatrix(entries, List.of(name), windows, window);
    }

    /** @param experts the matrix of each row, or null where there is one */
    private void observe(String name, int matrices, Tensor x, Tensor experts) {
        if (!name.startsWith("blk.") && !(output && name.equals("output.weight"))) return;
        int columns = x.shape().last(), rows = x.shape().rows();
        var of = sums.computeIfAbsent(name, _ -> new Sums(matrices, columns));
        var values = x.toFloats();
        if (experts == null) {
            for (int row = 0; row < rows; row++) add(values, row * columns, of.squares, 0, columns);
            of.counts[0] += rows;
            return;
        }
        var chosen = new int[Math.toIntExact(experts.shape().elements())];
        backend.download(MemorySegment.ofArray(chosen), experts.data());
        for (int i = 0; i < chosen.length; i++) {
            add(values, i / (chosen.length / rows) * columns, of.squares, chosen[i] * columns, columns);
            of.counts[chosen[i]]++;
        }
    }

    private static void add(float[] x, int from, double[] squares, int to, int columns) {
        for (int i = 0; i < columns; i++) squares[to + i] += (double) x[from + i] * x[from + i];
    }

    private static float[] floats(String name, double[] values) {
        var floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
            if (!Float.isFinite(floats[i])) throw new ArithmeticException("what comes to %s is not a number: the model's weights are broken or overflow".formatted(name));
        }
        return floats;
    }

    private static float[] counts(long[] counts) {
        var floats = new float[counts.length];
        for (int i = 0; i < floats.length; i++) floats[i] = counts[i];
        return floats;
    }
}
