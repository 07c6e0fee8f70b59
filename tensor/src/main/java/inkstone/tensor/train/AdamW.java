package inkstone.tensor.train;

import inkstone.tensor.AdamStep;
import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Adam with decoupled weight decay (Loshchilov & Hutter 2017, arXiv:1711.05101). Matrices decay, vectors (norms, biases) do not. Its two states are F32, or 8 bits
 * (Dettmers et al. 2021, arXiv:2110.02861) for parameters of whole blocks of 32.
 */
public final class AdamW implements Optimizer {
    /**
     * @param decay weight decay of matrices
     * @param eightBit whether states take 8.5 bits a number and not 32
     */
    public record Settings(float beta1, float beta2, float eps, float decay, boolean eightBit) {
        public static final Settings USUAL = new Settings(0.9f, 0.95f, 1e-8f, 0.1f, false);

        public Settings {
            if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)) throw new IllegalArgumentException("betas: expected 0 to below 1, got %s and %s".formatted(beta1, beta2));
            if (!(eps > 0)) throw new IllegalArgumentException("eps: expected above 0, got " + eps);
            if (!(decay >= 0 && decay < 10)) throw new IllegalArgumentException("weight decay: expected 0 to below 10, got " + decay);
        }
    }

    private final Backend backend;
    private final Map<String, Tensor> parameters;
    private final Settings settings;
    private final long seed;
    private final Map<String, Tensor> states = new LinkedHashMap<>();
    private final List<MemorySegment> owned = new ArrayList<>();

    /** @param seed of the rounding of 8-bit states */
    public AdamW(Backend backend, Map<String, Tensor> parameters, Settings settings, long seed) {
        this.backend = backend;
        this.parameters = new LinkedHashMap<>(parameters);
        this.settings = settings;
        this.seed = seed;
        parameters.forEach((name, parameter) -> {
            states.put("m:" + name, state(parameter));
            states.put("v:" + name, state(parameter));
        });
    }

    private Tensor state(Tensor parameter) {
        var dtype = settings.eightBit() && parameter.shape().last() % DType.Q8_0.blockSize == 0 ? DType.Q8_0 : DType.F32;
        var memory = backend.allocate(dtype.bytes(parameter.shape().elements()));
        owned.add(memory);
        return Tensor.of(dtype, memory, parameter.shape().toArray());
    }

    @Override public void step(int step, double rate, float gradient) {
        int index = 0;
        for (var entry : parameters.entrySet()) {
            var parameter = entry.getValue();
            float decay = parameter.shape().rank() > 1 ? settings.decay() : 0;
            long key = seed + ((long) step << 20) + index++;
            backend.kernels().adamW(parameter, parameter.gradient(), states.get("m:" + entry.getKey()), states.get("v:" + entry.getKey()),
                new AdamStep(step, (float) rate, settings.beta1(), settings.beta2(), settings.eps(), decay, gradient, key));
        }
    }

    @Override public Map<String, Tensor> states() { return states; }

    @Override public double bytesPerParameter() { return settings.eightBit() ? 2 * 34 / 32.0 : 8; }

    @Override public void close() {
        owned.forEach(backend::free);
        owned.clear();
    }
}
