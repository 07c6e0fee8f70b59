package inkstone.tensor.checkpoint;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Where a writer gets one tensor's bytes: called once, when the tensor's turn comes, so that a file may be larger than memory. */
@FunctionalInterface
public interface TensorData {
    /** Writes the tensor's bytes, whole, in as many pieces as suit. */
    void writeTo(Output out) throws IOException;

    /** Bytes that are there already, for example those of another file. */
    static TensorData of(MemorySegment bytes) { return out -> out.write(bytes); }

    /** Takes a tensor's bytes in order. */
    interface Output {
        /** The bytes may be reused when this returns. */
        void write(MemorySegment bytes) throws IOException;
    }
}
