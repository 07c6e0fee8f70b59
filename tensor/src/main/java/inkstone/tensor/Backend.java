package inkstone.tensor;

import java.lang.foreign.MemorySegment;

/**
 * Where tensors live and what computes on them: plain loops ({@code reference}), the Vector API ({@code cpu}) or a GPU.
 * One thread at a time may use a backend; whoever creates it closes it.
 */
public interface Backend extends AutoCloseable {
    /** "reference", "cpu", ... as {@code --device} and error messages name it. */
    String name();

    Kernels kernels();

    Gradients gradients();

    /** Fresh zeroed memory of the backend, aligned to 64 bytes, until {@link #free}. */
    MemorySegment allocate(long bytes);

    /** Gives back what {@link #allocate} returned. */
    void free(MemorySegment memory);

    /** The bytes of {@code host} where kernels can read them: the segment itself on a CPU (zero copy), device memory on a GPU. */
    MemorySegment resident(MemorySegment host);

    /** Told of each parameter of a model when it is there to be used, by the name that models ask for: nothing to do but for who keeps account of them. */
    default void loaded(String name, Tensor parameter) {}

    /** Host to backend; sizes are equal. */
    void upload(MemorySegment destination, MemorySegment host);

    /** Backend to host; sizes are equal. */
    void download(MemorySegment host, MemorySegment source);

    /** Within the backend; sizes are equal, and the two may overlap. */
    void copy(MemorySegment destination, MemorySegment source);

    /** Fills with zeros. */
    void clear(MemorySegment memory);

    /** Returns when every kernel launched so far has finished. */
    void synchronize();

    @Override void close();
}
