package inkstone.tensor.train;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): the step of a matrix is its momentum made orthogonal by five Newton-Schulz iterations, times
 * 0.2 sqrt(larger side), so that rate and decay mean what they mean to AdamW (Liu et al. 2025, arXiv:2502.16982). Tables, heads, vectors and whatever else is not a hidden
 * matrix are AdamW's.
 */
public final class Muon implements Optimizer {
    private static final float MOMENTUM = 0.95f;
    private static final int ITERATIONS = 5;
    /* a x + b x³ + c x⁵, which takes every singular value from a small one up to about 1 in five rounds. */
    private static final float A = 3.4445f, B = -4.7750f, C = 2.0315f;

    private final Backend backend;
    private final Map<String, Tensor> matrices = new LinkedHashMap<>(), momenta = new LinkedHashMap<>();
    private final List<MemorySegment> owned = new ArrayList<>();
    private final AdamW others;
    private final float decay;
    private final Scope scope;

    public Muon(Backend backend, Map<String, Tensor> parameters, AdamW.Settings settings, long seed) {
        this.backend = backend;
        this.decay = settings.decay();
        this.scope = Scope.inference(backend);
        var rest = new LinkedHashMap<String, Tensor>();
        parameters.forEach((name, parameter) -> (isHidden(name, parameter) ? matrices : rest).put(name, parameter));
        this.others = new AdamW(backend, rest, settings, seed);
        matrices.forEach((name, parameter) -> {
            var memory = backend.allocate(parameter.data().byteSize());
            owned.add(memory);
            momenta.put("momentum:" + name, Tensor.of(DType.F32, memory, parameter.shape().toArray()));
        });
    }

    private static boolean isHidden(String name, Tensor parameter) {
        return parameter.shape().rank() == 2 && !name.contains("embd") && !name.startsWith("output");
    }

    @Override public void step(int step, double rate, float gradient) {
        others.step(step, rate, gradient);
        matrices.forEach((name, matrix) -> {
            step(matrix, momenta.get("momentum:" + name), (float) rate, gradient);
            scope.reset();
        });
    }

    private void step(Tensor matrix, Tensor momentum, float rate, float scale) {
        int out = matrix.shape().dim(0), in = matrix.shape().last();
        var g = copy(matrix.gradient()).scale(scale);
        var kept = copy(momentum).scale(MOMENTUM).add(g);
        backend.copy(momentum.data(), kept.data());
        var update = orthogonal(g.add(kept.scale(MOMENTUM)), out, in);                // Nesterov's look ahead
        float size = 0.2f * (float) Math.sqrt(Math.max(out, in));
        backend.copy(matrix.data(), copy(matrix).scale(1 - rate * decay).add(update.scale(-rate * size)).data());
    }

    private Tensor copy(Tensor weight) {
        var copy = scope.tensor(DType.F32, weight.shape().toArray());
        backend.copy(copy.data(), weight.data());
        return copy;
    }

    /** The nearest matrix whose singular values are 1, about: x [out, in]. */
    private Tensor orthogonal(Tensor x, int out, int in) {
        var squares = scope.tensor(DType.F32, 1);
        backend.kernels().sumOfSquares(squares, x);
        float norm = (float) Math.sqrt(squares.toFloats()[0]);
        if (!(norm > 0)) return x;
        x = x.scale(1 / norm);
        boolean tall = out > in;
        for (int i = 0; i < ITERATIONS; i++) {
            var gram = tall ? columnProducts(x, in) : x.linear(x, null);              // xᵀ x or x xᵀ, the smaller of the two
            var polynomial = gram.scale(B).add(gram.linear(gram, null).scale(C));
            var next = x.scale(A);
            if (tall) next = next.add(x.linear(polynomial, null));
            else backend.gradients().linearInput(next, polynomial, x);                // next += polynomial x
            x = next;
        }
        return x;
    }

    private Tensor columnProducts(Tensor x, int in) {
        var y = scope.tensor(DType.F32, in, in);
        backend.clear(y.data());
        backend.gradients().linearWeight(y, null, x, x);
        return y;
    }

    @Override public Map<String, Tensor> states() {
        var states = new LinkedHashMap<>(others.states());
        states.putAll(momenta);
        return states;
    }

    @Override public double bytesPerParameter() { return 4; }

    @Override public void close() {
        owned.forEach(backend::free);
        owned.clear();
        others.close();
        scope.close();
    }
}
