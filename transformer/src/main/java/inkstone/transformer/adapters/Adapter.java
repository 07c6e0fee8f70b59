package inkstone.transformer.adapters;

import inkstone.tensor.AdaptedWeights;
import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Linear;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.transformer.LanguageModel;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * An adapter ready to be used with one model, whatever format the model's weights are in. Immutable; any thread may hold it. Its memory is small and is given back when
 * nothing refers to it any more.
 *
 * <p>Several add up: with weights w_i the matrix of a model is W + sum of w_i (W_i - W), W_i what adapter i alone would make of it. So an adapter of weight 0 is as if it
 * were not there, and what {@link Merge} writes is the same model.
 */
public final class Adapter {
    /**
     * A change on the backend: b a · scale, and with DoRA what else each row of the matrix is multiplied by, its b being multiplied already.
     *
     * @param excess magnitude / length - 1 of each row, [out]; null where the matrix itself stays
     */
    private record Loaded(Tensor a, Tensor b, float scale, float[] excess) {}

    /** An adapter and how much of it is wanted: 1 is all, 0 nothing; more, or less than nothing, are possible. */
    public record Use(Adapter adapter, float weight) {
        public Use {
            if (!Float.isFinite(weight)) throw new IllegalArgumentException("the weight of adapter %s must be a number, got %s".formatted(adapter.name, weight));
        }
    }

    private final String name;
    private final Path path;
    private final int rank;
    private final long parameters;
    private final Map<String, Loaded> changes = new HashMap<>();

    private Adapter(AdapterData data, Path path) {
        this.name = data.name();
        this.path = path;
        this.rank = data.rank();
        this.parameters = data.parameters();
    }

    /**
     * Reads an adapter for a model, see {@link AdapterData#read}. For the thread of the model's backend.
     *
     * @throws ModelException where it does not fit the model
     */
    public static Adapter open(Path path, LanguageModel model) throws IOException { return of(AdapterData.read(path, model.adapterBase()), path, model); }

    /** @param path where it came from, for people */
    public static Adapter of(AdapterData data, Path path, LanguageModel model) { return of(data, path, model, model.backend()); }

    /**
     * An adapter to be used on another backend than that of {@code model}, which is of the same weights: for a model whose backend belongs to another thread.
     *
     * @param path where it came from, for people
     */
    public static Adapter of(AdapterData data, Path path, LanguageModel model, Backend used) {
        var adapter = new Adapter(data, path);
        var left = new HashMap<String, LowRank>();
        data.changes().forEach(change -> left.put(change.linear(), change));
        model.adapterBase().builder().apply((linear, base, in, out) -> {
            var change = left.remove(linear);
            if (change != null) adapter.changes.put(linear, loaded(change, base, model.backend(), used));
            return base;
        });
        if (left.isEmpty()) return adapter;
        throw new ModelException("%s: it changes %s, which is no linear map of this model that can be adapted".formatted(path, left.keySet().stream().sorted().findFirst().orElseThrow()));
    }

    public String name() { return name; }
    public Path path() { return path; }
    /** The largest of its matrices. */
    public int rank() { return rank; }
    public long parameters() { return parameters; }

    /** @param backend that computes the lengths of rows, where a magnitude is given */
    private static Loaded loaded(LowRank change, Linear base, Backend backend, Backend used) {
        var a = tensor(used, change.a(), change.rank(), change.in());
        if (change.magnitude() == null) return new Loaded(a, tensor(used, change.b(), change.out(), change.rank()), change.scale(), null);
        if (!(base instanceof Linear.Dense dense)) throw new IllegalStateException("%s is adapted already".formatted(change.linear()));
        float[] lengths;
        try (var scope = Scope.inference(backend)) {
            lengths = Tensor.rowLengths(scope, dense.weight(), tensor(backend, change.a(), change.rank(), change.in()), tensor(backend, change.b(), change.out(), change.rank()), change.scale()).toFloats();
        }
        var excess = new float[change.out()];
        var scaled = change.b().clone();
        for (int row = 0; row < excess.length; row++) {
            float factor = LowRank.factor(change.linear(), row, change.magnitude()[row], lengths[row]);
            excess[row] = factor - 1;
            for (int r = 0; r < change.rank(); r++) scaled[row * change.rank() + r] *= factor;
        }
        return new Loaded(a, tensor(used, scaled, change.out(), change.rank()), change.scale(), excess);
    }

    private static Tensor tensor(Backend backend, float[] values, int... dims) {
        return Tensor.of(DType.F32, backend.resident(Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, values)), dims);
    }

    /** What these adapters together make of a model's linear maps; the base itself where none of them has any weight there. */
    public static AdaptedWeights.Adaptation together(List<Use> uses, Backend backend) {
        var all = List.copyOf(uses);
        return (linear, base, in, out) -> {
            var active = new ArrayList<Use>();
            for (var use : all) if (use.weight != 0 && use.adapter.changes.containsKey(linear)) active.add(use);
            var adapted = scaled(linear, base, out, active, backend);
            for (var use : active) {
                var change = use.adapter.changes.get(linear);
                adapted = new Linear.Lora(adapted, change.a, change.b, use.weight * change.scale, Linear.Lora.WHOLE);
            }
            return adapted;
        };
    }

    /** The matrix itself, its rows as long as all DoRAs together want them. */
    private static Linear scaled(String linear, Linear base, int out, List<Use> active, Backend backend) {
        if (active.stream().allMatch(use -> use.adapter.changes.get(linear).excess == null)) return base;
        var factors = new float[out];
        for (int row = 0; row < out; row++) {
            double factor = 1;
            for (var use : active) {
                var excess = use.adapter.changes.get(linear).excess;
                if (excess != null) factor += (double) use.weight * excess[row];
            }
            factors[row] = (float) factor;
        }
        var dense = (Linear.Dense) base;
        return new Linear.Scaled(new Linear.Dense(dense.weight(), null), tensor(backend, factors, out), dense.bias());
    }
}
