package inkstone.tensor;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Function;

/**
 * One operation on seeded inputs, made anew on any backend: what is compared between backends, results and gradients, and the gradients with finite differences.
 *
 * @param learns    which inputs have a gradient
 * @param tolerance normalised mean squared error allowed against the reference backend: sum (y - expected)² / sum expected²
 */
record OpCase(String name, List<Input> inputs, Learns learns, double tolerance, Function<List<Tensor>, Tensor> run) {
    enum Learns { NOTHING, ACTIVATIONS, ALL_FLOATS }

    private static final long SEED = 20251;

    /** An argument of an operation: normal random numbers, except for integers. */
    sealed interface Input permits Activation, Weight, Ints {
        Tensor make(Scope scope, Random random);
    }

    /** F32, owned by the scope. */
    record Activation(int... dims) implements Input {
        @Override public Tensor make(Scope scope, Random random) { return scope.floats(normal(random, new Shape(dims).elements()), dims); }
    }

    /**
     * A weight or a cache: any format, no scope, and on the host one byte off every alignment, as a file may have it. What it holds is kept once it was encoded, which in some formats
     * is a search that takes longer than the operation.
     */
    static final class Weight implements Input {
        private final DType dtype;
        private final int[] dims;
        private byte[] encoded;
        private int digest;

        Weight(DType dtype, int... dims) {
            this.dtype = dtype;
            this.dims = dims;
        }

        DType dtype() { return dtype; }

        int[] dims() { return dims; }

        @Override public Tensor make(Scope scope, Random random) {
            var values = normal(random, new Shape(dims).elements());
            if (encoded == null || digest != Arrays.hashCode(values)) {
                encoded = new byte[Math.toIntExact(dtype.bytes(values.length))];
                Blocks.fromFloats(dtype, values, MemorySegment.ofArray(encoded), 0, values.length);
                digest = Arrays.hashCode(values);
            }
            var host = Arena.ofAuto().allocate(encoded.length + 1).asSlice(1);
            host.copyFrom(MemorySegment.ofArray(encoded));
            return Tensor.of(dtype, scope.backend().resident(host), dims);
        }
    }

    /** I32 [rows, width], or [values.length] where width is 0. */
    record Ints(int width, int... values) implements Input {
        @Override public Tensor make(Scope scope, Random random) {
            return (width == 0 ? scope.tensor(DType.I32, values.length) : scope.tensor(DType.I32, values.length / width, width)).set(values);
        }
    }

    private static float[] normal(Random random, long count) {
        var values = new float[Math.toIntExact(count)];
        for (int i = 0; i < values.length; i++) values[i] = (float) random.nextGaussian();
        return values;
    }

    /** The inputs on a backend. Weights stay until the backend is closed. */
    List<Tensor> make(Scope scope) {
        var random = new Random(SEED);
        var tensors = new ArrayList<Tensor>();
        for (var input : inputs) tensors.add(input.make(scope, random));
        return tensors;
    }

    /** The result on a backend, as floats. */
    float[] on(Backend backend) {
        try (var scope = Scope.inference(backend)) {
            return on(scope);
        }
    }

    float[] on(Scope scope) { return floats(scope.backend(), run.apply(make(scope))); }

    private static float[] floats(Backend backend, Tensor tensor) {
        var bytes = new byte[Math.toIntExact(tensor.data().byteSize())];
        var host = MemorySegment.ofArray(bytes);
        backend.download(host, tensor.data());
        var values = new float[Math.toIntExact(tensor.shape().elements())];
        if (bytes.length > 0) Blocks.toFloats(tensor.dtype(), host, 0, values, values.length);
        return values;
    }

    /** The result as it is, and the gradients of (result · seeded random numbers) by each input: null for those without. */
    record Gradients(float[] result, List<float[]> byInput) {}

    /** {@code shift} is added to input {@code shifted}; -1: to none. */
    Gradients gradients(Backend backend, Scope scope, int shifted, float[] shift) {
        var tensors = make(scope);
        for (int i = 0; i < tensors.size(); i++) {
            var tensor = tensors.get(i);
            if (i == shifted) {
                float[] values = floats(backend, tensor);
                for (int j = 0; j < values.length; j++) values[j] += shift[j];
                backend.upload(tensor.data(), MemorySegment.ofArray(values));
            }
            if (!learns(i)) continue;
            if (tensor.scope() != null) tensor.learning();
            else tensors.set(i, Tensor.learning(tensor.data(), backend.allocate(tensor.data().byteSize()), tensor.shape().toArray()));
        }
        var y = run.apply(tensors);
        var random = scope.floats(normal(new Random(SEED + 1), y.shape().elements()), y.shape().toArray());
        if (y.learns()) scope.backward(y.mul(random).sum());
        return new Gradients(floats(backend, y), tensors.stream().map(t -> t.gradient() == null ? null : floats(backend, t.gradient())).toList());
    }

    /** The loss of {@link #gradients}, of its result. */
    double loss(float[] result) {
        var random = normal(new Random(SEED + 1), result.length);
        double sum = 0;
        for (int i = 0; i < result.length; i++) sum += (double) result[i] * random[i];
        return sum;
    }

    boolean learns(int input) {
        return switch (inputs.get(input)) {
            case Activation _ -> learns != Learns.NOTHING;
            case Weight weight -> learns == Learns.ALL_FLOATS && weight.dtype() == DType.F32;
            case Ints _ -> false;
        };
    }

    /**
     * What a GPU may differ by: products of matrices round their factors to 8 bits of mantissa (bfloat16), or activations to whole numbers of 127 levels a block, which ggml's
     * own tests allow a normalised mean squared error of 5e-4; what only moves numbers stays exact.
     */
    double cudaTolerance() {
        boolean rounded = name.startsWith("linear") || name.startsWith("expertLinear") || name.startsWith("attention") || name.startsWith("pagedAttention")
            || name.startsWith("conv") || name.startsWith("crossAttention")
            || name.endsWith(", which");                                                              // of route, with a product
        return rounded ? 5e-4 : tolerance;
    }

    long elements() {
        long sum = 0;
        for (var input : inputs) sum += input instanceof Activation a ? new Shape(a.dims()).elements() : input instanceof Weight w ? new Shape(w.dims()).elements() : 0;
        return sum;
    }

    static double normalisedError(float[] expected, float[] actual) {
        if (expected.length != actual.length) return Double.NaN;
        double error = 0, size = 0;
        for (int i = 0; i < expected.length; i++) {
            error += Math.pow((double) actual[i] - expected[i], 2);
            size += Math.pow(expected[i], 2);
        }
        return error == 0 ? 0 : error / size;
    }

    static Builder op(String name, Input... inputs) { return new Builder(name, List.of(inputs), Learns.ALL_FLOATS); }

    /** Reads as one line: {@code op("rmsNorm", x(7, 96), gain(96)).run(in -> in.get(0).rmsNorm(in.get(1), 1e-5f))}. */
    record Builder(String name, List<Input> inputs, Learns learns) {
        /** Weights of this operation do not learn. */
        Builder frozen() { return new Builder(name, inputs, Learns.ACTIVATIONS); }
        /** Runs only. */
        Builder forward() { return new Builder(name, inputs, Learns.NOTHING); }
        /* Single precision against sums in double precision: the root of the mean squared difference is a millionth of that of the result. */
        OpCase run(Function<List<Tensor>, Tensor> run) { return new OpCase(name, inputs, learns, 1e-12, run); }
        /** For operations that only move or convert numbers. */
        OpCase exactly(Function<List<Tensor>, Tensor> run) { return new OpCase(name, inputs, learns, 0, run); }
    }
}
