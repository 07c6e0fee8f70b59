package inkstone.transformer.adapters;

import inkstone.tensor.AdaptedWeights;
import inkstone.tensor.Backend;
import inkstone.tensor.Linear;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.transformer.AdapterBase;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A new adapter that is to be trained: {@code model.adapted(adapter)} makes the model whose chosen linear maps have it. a begins with uniform numbers below 1 / sqrt(in),
 * as PEFT begins, b with zeros, magnitudes with the lengths of the weight's rows; so the model begins as it is without. The same seed gives the same numbers, whatever the
 * order of the matrices. The parameters belong to whoever allocated them.
 */
public final class TrainableAdapter implements AdaptedWeights.Adaptation {
    /**
     * What is trained.
     *
     * @param alpha       the change is alpha / rank · b a
     * @param dora        whether lengths of rows are trained apart from their direction
     * @param targets     whether a linear map gets a change, by the name that models ask for: blk.0.attn_q
     * @param seed        of the numbers that it begins with
     */
    public record Settings(int rank, float alpha, boolean dora, Predicate<String> targets, long seed) {
        public Settings {
            if (rank < 1) throw new IllegalArgumentException("the rank must be 1 or more, got " + rank);
            if (!(alpha > 0 && Float.isFinite(alpha))) throw new IllegalArgumentException("alpha must be above 0, got " + alpha);
        }

        float scale() { return alpha / rank; }
    }

    /** Makes a parameter that can be trained, of these numbers. */
    public interface Allocation { Tensor parameter(String name, float[] values, int... dims); }

    /** The parameters of one linear map. */
    private record Matrices(int in, int out, Tensor a, Tensor b, Tensor magnitude) {}

    private final Settings settings;
    private final Backend backend;
    private final Allocation allocation;
    private final UnaryOperator<Tensor> input;
    private final Map<String, Matrices> matrices = new LinkedHashMap<>();
    private final Map<String, Tensor> parameters = new LinkedHashMap<>();

    /**
     * @param allocation of what learns, {@code Parameters::add} of a run
     * @param input      what the low-rank part sees of a map's input: {@code x -> x.dropout(rate)}, which drops in training scopes alone, or {@link Linear.Lora#WHOLE}
     */
    public TrainableAdapter(Settings settings, Backend backend, Allocation allocation, UnaryOperator<Tensor> input) {
        this.settings = settings;
        this.backend = backend;
        this.allocation = allocation;
        this.input = input;
    }

    @Override public Linear adapt(String name, Linear base, int in, int out) {
        if (!settings.targets.test(name)) return base;
        var m = matrices.computeIfAbsent(name, _ -> made(name, base, in, out));
        if (m.magnitude == null) return new Linear.Lora(base, m.a, m.b, settings.scale(), input);
        var dense = (Linear.Dense) base;
        return new Linear.Dora(dense.weight(), dense.bias(), m.a, m.b, settings.scale(), m.magnitude, input);
    }

    private Matrices made(String name, Linear base, int in, int out) {
        var random = new Random(settings.seed * 31 + name.hashCode());
        var values = new float[Math.multiplyExact(settings.rank, in)];
        double bound = 1 / Math.sqrt(in);
        for (int i = 0; i < values.length; i++) values[i] = (float) ((2 * random.nextDouble() - 1) * bound);
        var a = parameter(name + ".lora_a", values, settings.rank, in);
        var b = parameter(name + ".lora_b", new float[Math.multiplyExact(out, settings.rank)], out, settings.rank);
        if (!settings.dora) return new Matrices(in, out, a, b, null);
        if (!(base instanceof Linear.Dense dense)) throw new IllegalArgumentException("%s is adapted already; DoRA needs the weight itself".formatted(name));
        float[] lengths;
        try (var scope = Scope.inference(backend)) { lengths = Tensor.rowLengths(scope, dense.weight(), a, b, settings.scale()).toFloats(); }
        return new Matrices(in, out, a, b, parameter(name + ".lora_magnitude", lengths, out));
    }

    private Tensor parameter(String name, float[] values, int... dims) {
        var parameter = allocation.parameter(name, values, dims);
        parameters.put(name, parameter);
        return parameter;
    }

    /** All that is trained, by name, once a model is made: blk.0.attn_q.lora_a F32 [rank, in], .lora_b [out, rank] and, with DoRA, .lora_magnitude [out]. */
    public Map<String, Tensor> parameters() { return Collections.unmodifiableMap(parameters); }

    /** The adapter as it is now. For the thread of the backend. */
    public AdapterData data(String name) {
        var changes = new ArrayList<LowRank>();
        matrices.forEach((linear, m) -> changes.add(new LowRank(linear, m.in, m.out, settings.rank, floats(m.a), floats(m.b), settings.scale(),
            m.magnitude == null ? null : floats(m.magnitude))));
        return new AdapterData(name, changes);
    }

    private float[] floats(Tensor parameter) {
        var values = new float[Math.toIntExact(parameter.shape().elements())];
        backend.download(MemorySegment.ofArray(values), parameter.data());
        return values;
    }

    /**
     * Targets as people name them: "all" for every linear map of the layers, or last parts of the names of maps, in Hugging Face's words (q_proj) or GGUF's (attn_q).
     *
     * @throws IllegalArgumentException where one of them is no map of the model
     */
    public static Predicate<String> targets(List<String> names, AdapterBase base) {
        if (names.equals(List.of("all"))) return linear -> linear.startsWith("blk.");
        for (var name : names) {
            if (maps(base).anyMatch(linear -> isNamed(linear, name, base))) continue;
            throw new IllegalArgumentException("%s has no linear map %s; there are all, %s".formatted(base.source(), name,
                maps(base).map(linear -> linear.replaceFirst("^blk\\.\\d+\\.", "")).distinct().sorted().collect(Collectors.joining(", "))));
        }
        return linear -> names.stream().anyMatch(name -> isNamed(linear, name, base));
    }

    private static Stream<String> maps(AdapterBase base) {
        return Stream.concat(Stream.of("output"), base.tensors().keySet().stream().filter(name -> name.startsWith("blk.") && name.endsWith(".weight"))
            .map(name -> name.substring(0, name.length() - ".weight".length()))).filter(linear -> base.shape(linear) != null);
    }

    private static boolean isNamed(String linear, String name, AdapterBase base) {
        var module = base.layout() == null ? null : base.layout().module(linear);
        return ends(linear, name) || module != null && ends(module, name);
    }

    private static boolean ends(String whole, String part) { return whole.equals(part) || whole.endsWith("." + part); }
}
