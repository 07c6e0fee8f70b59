package inkstone.transformer;

import inkstone.tensor.CountingBackend;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.TensorInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntUnaryOperator;

/**
 * The memory that a model takes of a device that has its own, in bytes, known before it is opened, and how many of its layers a smaller memory would hold. Layers go there from the
 * last on, with them the head; tables of embeddings stay behind unless they are the head.
 *
 * @param weights of each layer
 * @param caches  of each layer
 * @param head    the output norm and the output matrix
 * @param rest    the other weights
 * @param tied    whether the table of token embeddings is the output matrix, and counted there
 * @param work    activations of the largest step
 */
public record Footprint(long[] weights, long[] caches, long head, long rest, boolean tied, long work) {
    private static final String LAYER = "blk.", TABLE = "token_embd.weight", OUTPUT = "output";

    /** What kernels keep between their launches, and what a driver rounds up: a guess on the large side. */
    private static final long SCRATCH = 256 << 20;

    /** Rows of logits that are wanted at a time: answers that are written together. */
    private static final int LOGITS = 16;

    /**
     * Of a file or folder that {@link Models#openAny} opens.
     *
     * @param context     tokens of context for a model made for as many at most
     * @param cacheTokens tokens that the cache holds where the context is so many
     */
    public static Footprint of(Path path, IntUnaryOperator context, IntUnaryOperator cacheTokens, DType cacheType) throws IOException {
        return Models.measured(path, (checkpoint, model) -> of(checkpoint, model, context, cacheTokens, cacheType));
    }

    /** @param maker makes the model of weights without memory; null where the file's makes vectors only */
    private static Footprint of(Checkpoint checkpoint, Function<CountingBackend, CausalModel> maker, IntUnaryOperator context, IntUnaryOperator cacheTokens, DType cacheType) {
        var used = used(checkpoint);
        var weights = new long[1 + used.stream().mapToInt(tensor -> layer(tensor.name())).max().orElse(-1)];
        boolean tied = !checkpoint.tensors().containsKey(OUTPUT + ".weight");
        long head = 0, rest = 0;
        for (var tensor : used) {
            long bytes = tensor.dtype().bytes(tensor.shape().elements());
            int layer = layer(tensor.name());
            if (layer >= 0) weights[layer] += bytes;
            else if (isHead(tensor.name(), tied)) head += bytes;
            else rest += bytes;
        }
        var backend = new CountingBackend(true);
        var model = maker.apply(backend);
        var caches = new long[weights.length];
        if (model == null) return new Footprint(weights, caches, head, rest, tied, SCRATCH);
        int length = context.applyAsInt(model.config().contextLength()), tokens = cacheTokens.applyAsInt(length);
        for (int layer = 0; layer < Math.min(weights.length, model.config().layers()); layer++) caches[layer] = KvCache.bytes(model.config(), cacheType, tokens, length, layer);
        return new Footprint(weights, caches, head, rest, tied, SCRATCH + work(model, backend, length, tokens, cacheType));
    }

    /** All but those of layers that guess tokens further ahead, which no model asks for. */
    static List<TensorInfo> used(Checkpoint checkpoint) {
        var metadata = checkpoint.metadata();
        var prefix = metadata.string("general.architecture") + ".";
        int last = metadata.integer(prefix + "block_count", Integer.MAX_VALUE) - metadata.integer(prefix + "nextn_predict_layers", 0);
        return checkpoint.tensors().values().stream().filter(tensor -> layer(tensor.name()) < last).toList();
    }

    private static long work(CausalModel model, CountingBackend backend, int length, int tokens, DType cacheType) {
        int n = Math.min(length, Engine.PREFILL_ROWS);
        try (var scope = Scope.inference(backend); var cache = new KvCache(backend, model.config(), cacheType, tokens, length)) {
            var rows = scope.tensor(DType.I32, n);
            var table = scope.tensor(DType.I32, 1, Math.ceilDiv(length, cache.pageSize()));
            var hidden = model.forward(rows, new Cached(cache, rows, rows, rows, table, rows));
            model.logits(hidden.gatherRows(scope.tensor(DType.I32, Math.min(n, LOGITS))));
            return scope.bytes();
        }
    }

    /** The number of the layer that a parameter is of; -1 where it is of none. */
    private static int layer(String parameter) {
        int end = parameter.indexOf('.', LAYER.length());
        if (!parameter.startsWith(LAYER) || end < 0) return -1;
        var number = parameter.substring(LAYER.length(), end);
        return number.matches("\\d{1,4}") ? Integer.parseInt(number) : -1;
    }

    private static boolean isHead(String parameter, boolean tied) { return parameter.startsWith(OUTPUT) || tied && parameter.equals(TABLE); }

    public int layers() { return weights.length; }

    /** All of it. */
    public long bytes() { return bytes(layers()) + rest; }

    /** What so many of the last layers take, and what goes with them. */
    public long bytes(int last) { return weights(last) + Arrays.stream(caches, layers() - last, layers()).sum() + work; }

    /** How many of the last layers fit in so many bytes, 0 where none do; all of them only where the rest fits as well. */
    public int fitting(long free) {
        if (bytes() <= free) return layers();
        int most = Math.max(0, layers() - 1);
        while (most > 0 && bytes(most) > free) most--;
        return most;
    }

    /** Of {@link #bytes(int)} what is weights and not cache or work. */
    public long weights(int last) { return Arrays.stream(weights, weights.length - last, weights.length).sum() + head; }

    /** Whether this parameter goes where so many of the last layers go. */
    public boolean goes(String parameter, int last) {
        int layer = layer(parameter);
        return layer >= 0 ? layer >= layers() - last : isHead(parameter, tied);
    }
}
