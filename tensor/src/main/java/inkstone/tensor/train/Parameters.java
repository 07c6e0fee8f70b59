package inkstone.tensor.train;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a run trains: named F32 tensors with their gradients, in the order in which they were made. Owns their memory. One thread at a time. */
public final class Parameters implements AutoCloseable {
    private final Backend backend;
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final List<MemorySegment> owned = new ArrayList<>();

    public Parameters(Backend backend) { this.backend = backend; }

    /** A new parameter with these values. */
    public Tensor add(String name, float[] values, int... dims) {
        if (tensors.containsKey(name)) throw new IllegalArgumentException("parameter %s is there already".formatted(name));
        if (new Shape(dims).elements() != values.length) throw new IllegalArgumentException("parameter %s %s does not hold %d numbers".formatted(name, new Shape(dims), values.length));
        var data = allocate(values.length);
        backend.upload(data, MemorySegment.ofArray(values));
        var parameter = Tensor.learning(data, allocate(values.length), dims);
        tensors.put(name, parameter);
        return parameter;
    }

    private MemorySegment allocate(long floats) {
        var memory = backend.allocate(DType.F32.bytes(floats));
        owned.add(memory);
        return memory;
    }

    public Map<String, Tensor> tensors() { return Collections.unmodifiableMap(tensors); }

    /** How many numbers there are. */
    public long count() { return tensors.values().stream().mapToLong(tensor -> tensor.shape().elements()).sum(); }

    public void clearGradients() { for (var tensor : tensors.values()) backend.clear(tensor.gradient().data()); }

    /** Root of the sum of the squares of all gradients, which are read back together: a GPU is waited for once. */
    public double gradientNorm() {
        var host = new float[tensors.size()];
        var sums = backend.allocate(DType.F32.bytes(host.length));
        try {
            long at = 0;
            for (var tensor : tensors.values()) {
                backend.kernels().sumOfSquares(Tensor.of(DType.F32, sums.asSlice(at, Float.BYTES), 1), tensor.gradient());
                at += Float.BYTES;
            }
            backend.download(MemorySegment.ofArray(host), sums);
            double squares = 0;
            for (float square : host) squares += square;
            return Math.sqrt(squares);
        } finally {
            backend.free(sums);
        }
    }

    @Override public void close() {
        owned.forEach(backend::free);
        owned.clear();
        tensors.clear();
    }
}
