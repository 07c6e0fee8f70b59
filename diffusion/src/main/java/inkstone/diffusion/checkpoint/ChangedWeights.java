package inkstone.diffusion.checkpoint;

import inkstone.diffusion.checkpoint.LoraFile.Change;
import inkstone.tensor.Backend;
import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.Linear;
import inkstone.tensor.Scope;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Arranged;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Parameters with low-rank changes: merged into weights of floats, in the format that they have, so that nothing is slower; at run time beside quantized ones, which a change would have to be
 * quantized into. Owns the memory of what it makes, until {@link #close}.
 */
public final class ChangedWeights implements Weights, AutoCloseable {
    private final Weights source;
    private final Arranged checkpoint;
    private final Map<String, List<Change>> changes;
    private final Backend backend;
    private final List<MemorySegment> owned = new ArrayList<>();

    /** @param changes by names without ".weight" */
    public ChangedWeights(Weights source, Arranged checkpoint, Map<String, List<Change>> changes, Backend backend) {
        this.source = source;
        this.checkpoint = checkpoint;
        this.changes = changes;
        this.backend = backend;
    }

    @Override public Tensor tensor(String name, int... dims) {
        var own = name.endsWith(".weight") ? changes.get(name.substring(0, name.length() - ".weight".length())) : null;
        return own == null ? source.tensor(name, dims) : merged(name, own, dims);
    }

    @Override public Tensor floats(String name, int... dims) { return source.floats(name, dims); }
    @Override public Optional<float[]> values(String name, int... dims) { return source.values(name, dims); }
    @Override public boolean has(String name) { return source.has(name); }

    @Override public Linear linear(String name, int in, int out) {
        var own = changes.get(name);
        var base = source.linear(name, in, out);
        if (own == null) return base;
        if (!checkpoint.tensors().get(name + ".weight").dtype().isQuantized()) return new Linear.Dense(merged(name + ".weight", own, new int[] {out, in}), ((Linear.Dense) base).bias());
        for (var change : own) {
            base = new Linear.Lora(base, stored(DType.F32, change.down(), change.rank(), in), stored(DType.F32, change.up(), out, change.rank()), change.scale(), Linear.Lora.WHOLE);
        }
        return base;
    }

    /* Read from the file each time: LoRAs come and go, and the weights without them stay as they are. */
    private Tensor merged(String name, List<Change> own, int[] dims) {
        var format = checkpoint.tensors().get(name).dtype();
        var values = new float[Math.toIntExact(new Shape(dims).elements())];
        var bytes = MemorySegment.ofArray(new byte[Math.toIntExact(format.bytes(values.length))]);
        checkpoint.read(name, 0, values.length, bytes);
        Blocks.toFloats(format, bytes, 0, values, values.length);
        for (var change : own) add(values, change);
        return stored(format, values, dims);
    }

    /** values [out, window · window · in] += scale · up down, whose windows lie behind the inputs as in files. */
    private void add(float[] values, Change change) {
        int area = change.window() * change.window(), row = area * change.in();
        var turned = new float[row * change.rank()];                                  // [window, in, rank]: the weight of a linear map
        for (int r = 0; r < change.rank(); r++) for (int c = 0; c < change.in(); c++) for (int p = 0; p < area; p++) {
            turned[(p * change.in() + c) * change.rank() + r] = change.down()[(r * change.in() + c) * area + p];
        }
        try (var scope = Scope.inference(backend)) {
            var product = scope.floats(change.up(), change.out(), change.rank()).linear(scope.floats(turned, row, change.rank()), null).toFloats();
            for (int i = 0; i < values.length; i++) values[i] += change.scale() * product[i];
        }
    }

    private Tensor stored(DType format, float[] values, int... dims) {
        var bytes = MemorySegment.ofArray(new byte[Math.toIntExact(format.bytes(values.length))]);
        Blocks.fromFloats(format, values, bytes, 0, values.length);
        var memory = backend.allocate(bytes.byteSize());
        owned.add(memory);
        backend.upload(memory, bytes);
        return Tensor.of(format, memory, dims);
    }

    @Override public void close() {
        owned.forEach(backend::free);
        owned.clear();
    }
}
