package inkstone.tensor.checkpoint;

import java.lang.foreign.MemorySegment;
import java.util.Map;

/** A file of named tensors, mapped, not copied. Everything was checked against the file's size when it was opened. Any thread may read. */
public interface Checkpoint extends AutoCloseable {
    Metadata metadata();

    /** In file order. */
    Map<String, TensorInfo> tensors();

    /** The tensor's bytes, read-only, valid until close; not necessarily aligned. */
    MemorySegment data(String name);

    @Override void close();
}
