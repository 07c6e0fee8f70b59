package inkstone.tensor;

import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Where tensors live and what computes on them: plain loops ({@code reference}), the Vector API ({@code cpu}) or a GPU.
 * One thread at a time may use a backend; whoever creates it closes it.
 */
public interface Backend extends AutoCloseable {
    /** "reference", "cpu", ... as {@code --device} and error messages name it. */
    String name();

    /** What it computes on, for people: the vectors of a processor, the name of a GPU. */
    default String device() { return name(); }

    /** Threads of this process that compute. */
    default int threads() { return 1; }

    Kernels kernels();

    Gradients gradients();

    /** Memory in bytes: what is free now, and all. */
    record Memory(long free, long total) {}

    /** The memory that tensors lie in, where it is the backend's own; empty where it is the machine's. */
    default Optional<Memory> memory() { return Optional.empty(); }

    /** Fresh zeroed memory of the backend, aligned to 64 bytes, until {@link #free}. */
    MemorySegment allocate(long bytes);

    /** Gives back what {@link #allocate} returned. */
    void free(MemorySegment memory);

    /**
     * The bytes of {@code host} where kernels can read them: the segment itself on a CPU (zero copy), device memory on a GPU, which is given back when nobody holds the
     * segment or a part of it any more.
     */
    MemorySegment resident(MemorySegment host);

    /** {@link #resident(MemorySegment)} for a parameter of a model, by its name in the file. Where it is not {@code host} itself, the caller gives it back with {@link #free}. */
    default MemorySegment resident(String name, MemorySegment host) { return resident(host); }

    /** Told before the parameters of a model become resident: how many there are and the bytes of all. A GPU takes one block for them. */
    default void expect(int parameters, long bytes) {}

    /** Told of each parameter of a model when it is there to be used, by the name that models ask for: nothing to do but for who keeps account of them. */
    default void loaded(String name, Tensor parameter) {}

    /** Where the keys, values and states of a layer are kept, from 0: memory that is allocated there and used with this backend. */
    default Backend ofLayer(int layer) { return this; }

    /** Host to backend; sizes are equal. */
    void upload(MemorySegment destination, MemorySegment host);

    /** Backend to host; sizes are equal. */
    void download(MemorySegment host, MemorySegment source);

    /** Within the backend; sizes are equal, and the two may overlap. */
    void copy(MemorySegment destination, MemorySegment source);

    /** Fills with zeros. */
    void clear(MemorySegment memory);

    /**
     * The result of a step that comes again and again with other numbers in the same memory. A GPU records its launches the second time and from then on repeats the record, which
     * costs the host microseconds; elsewhere the step just runs. It neither reads from the backend nor uploads.
     *
     * @param key what the step's launches depend on, with {@code equals}: shapes, and which memory it works in
     */
    default Tensor replay(Object key, Supplier<Tensor> step) { return step.get(); }

    /** Returns when every kernel launched so far has finished. */
    void synchronize();

    @Override void close();
}
