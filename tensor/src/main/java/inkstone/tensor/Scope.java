package inkstone.tensor;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/**
 * Owns the memory of one step's tensors: a bump arena over a few large chunks. {@link #reset} forgets every tensor and, outside of training, hands out the same
 * addresses again in the same order, so that a repeated step touches the same memory (and can be captured as a CUDA graph).
 * A tensor must not be used after the reset or close of its scope. One thread at a time.
 *
 * <p>A training scope also keeps a tape: for every operation on something that learns, a closure that carries the gradient of its result to its inputs.
 * {@link #backward} runs them last to first.
 */
public final class Scope implements AutoCloseable {
    private final Backend backend;
    private final boolean training, recompute;
    /** The memory of tensors by depth: 0, and one more for each {@link #local} block that is being computed again on the way back. */
    private final List<BumpArena> arenas = new ArrayList<>();
    private final List<Runnable> tape = new ArrayList<>();
    private int depth;
    private boolean recording;
    private long seed;
    private int drops;

    private Scope(Backend backend, boolean training, boolean recompute) { this(backend, training, recompute, new BumpArena(backend)); }

    private Scope(Backend backend, boolean training, boolean recompute, BumpArena arena) {
        this.backend = backend;
        this.training = training;
        this.recompute = recompute;
        this.recording = training;
        arenas.add(arena);
    }

    /** A scope, for tests, each of whose tensors is a block of the backend's: a kernel that leaves its tensor meets nobody's memory. */
    static Scope apart(Backend backend, boolean training) { return new Scope(backend, training, false, new BumpArena(backend, 0)); }

    /** A scope whose operations record nothing. */
    public static Scope inference(Backend backend) { return new Scope(backend, false, false); }

    /** A scope that keeps every activation until {@link #reset}. */
    public static Scope training(Backend backend) { return new Scope(backend, true, false); }

    /**
     * A training scope that keeps of a {@link Tensor#local} block its result alone and computes the block once more on the way back ("activation checkpointing";
     * Chen et al. 2016, arXiv:1604.06174): a third more computing, the memory of one layer and one row of activations a layer.
     */
    public static Scope recomputing(Backend backend) { return new Scope(backend, true, true); }

    public Backend backend() { return backend; }

    /** Whether operations are recorded here: dropout drops only then. */
    public boolean training() { return training; }

    /** An F32 or I32 tensor whose contents are unspecified until a kernel or {@link Tensor#set} writes them. */
    public Tensor tensor(DType dtype, int... dims) {
        Tensor.require(dtype == DType.F32 || dtype == DType.I32, "a scope holds F32 and I32, not %s", dtype);
        var shape = new Shape(dims);
        return new Tensor(this, shape, dtype, arenas.get(depth).allocate(dtype.bytes(shape.elements())), depth);
    }

    public Tensor floats(float[] values, int... dims) { return tensor(DType.F32, dims).set(values); }

    /** I32 [values.length] */
    public Tensor ints(int... values) { return tensor(DType.I32, values.length).set(values); }

    // ---- the tape ----------------------------------------------------------------------------------------------------------------------------------

    boolean recording() { return recording; }

    void record(Runnable backward) { tape.add(backward); }

    /** Zeroed memory for the gradient of a tensor of that depth, which lives as long as the tensor. */
    MemorySegment gradient(long bytes, int depth) {
        var memory = arenas.get(depth).allocate(bytes);
        backend.clear(memory);
        return memory;
    }

    /**
     * Adds the gradient of {@code loss}, F32 [1], to every tensor that learns and led to it. Once a step: the tape is empty afterwards.
     */
    public void backward(Tensor loss) {
        Tensor.require(loss.shape().elements() == 1 && loss.dtype() == DType.F32, "backward: expected a loss F32 [1], got %s", loss);
        if (!loss.learns()) throw new IllegalStateException("backward: nothing that learns led to this loss");
        loss.gradient().set(1f);
        unwind(0);
    }

    /** Runs the tape back to where it was {@code from} closures long. */
    private void unwind(int from) {
        while (tape.size() > from) tape.removeLast().run();
    }

    /** Seed of the dropouts of the step that begins; each takes the next number of it. */
    public void seed(long seed) {
        this.seed = seed;
        drops = 0;
    }

    /** A key for the next dropout. */
    long nextDrop() { return seed * 0x9E3779B97F4A7C15L + drops++; }

    /** For {@link Tensor#local} and, {@code always}, {@link Tensor#recomputed}. */
    Tensor local(Tensor x, UnaryOperator<Tensor> block, boolean always) {
        if (!recording) return withoutTrace(() -> block.apply(x));
        if (!recompute && !always) return block.apply(x);
        int dropsBefore = drops;
        recording = false;
        Tensor kept;
        try {
            kept = withoutTrace(() -> block.apply(x));
        } finally {
            recording = true;
        }
        return kept.recorded(() -> again(x, block, kept, dropsBefore));
    }

    /** Runs a block and keeps a copy of the result; the memory of everything else is handed out again. */
    private Tensor withoutTrace(Supplier<Tensor> block) {
        var arena = arenas.get(depth);
        var mark = arena.mark();
        var result = block.get();
        arena.release(mark);
        var kept = tensor(result.dtype(), result.shape().toArray());
        backend.copy(kept.data(), result.data());
        return kept;
    }

    /** On the way back: computes a block again, one level deeper, and carries the gradient of its result through it. */
    private void again(Tensor x, UnaryOperator<Tensor> block, Tensor result, int dropsBefore) {
        int dropsAfter = drops;
        drops = dropsBefore;
        nested(() -> {
            var y = block.apply(x);
            if (y.learns()) y.gradientFrom(result.gradient(), true);
        });
        drops = dropsAfter;
    }

    /**
     * The loss of a block whose gradient is known to be 1, F32 [1], carried back at once: what the block makes lives no longer than the block. For the head of a language
     * model, whose logits would otherwise exist for a whole batch. Where nothing is recorded it only computes.
     */
    public Tensor immediately(Supplier<Tensor> block) {
        if (!recording) return withoutTrace(block);
        var total = tensor(DType.F32, 1);
        nested(() -> {
            var loss = block.get();
            backend.copy(total.data(), loss.data());
            if (loss.learns()) loss.gradient().set(1f);
        });
        return total.recorded(() -> {
            float upstream = total.gradient().toFloats()[0];
            if (upstream != 1) throw new IllegalStateException("the gradient of a loss that was carried back at once is %s, not 1: weigh it inside its block".formatted(upstream));
        });
    }

    private void nested(Runnable block) {
        int from = tape.size();
        depth++;
        if (depth == arenas.size()) arenas.add(new BumpArena(backend));
        boolean before = recording;
        recording = true;
        try {
            block.run();
            unwind(from);
        } finally {
            recording = before;
            arenas.get(depth).reset();
            depth--;
        }
    }

    // ---- memory ------------------------------------------------------------------------------------------------------------------------------------

    /** Bytes this scope holds from its backend, used or not. */
    public long bytes() { return arenas.stream().mapToLong(BumpArena::bytes).sum(); }

    public void reset() {
        tape.clear();
        arenas.forEach(training ? BumpArena::resetTogether : BumpArena::reset);
    }

    @Override public void close() {
        tape.clear();
        arenas.forEach(BumpArena::close);
    }
}
