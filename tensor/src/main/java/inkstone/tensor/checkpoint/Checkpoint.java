package inkstone.tensor.checkpoint;

import inkstone.tensor.ModelException;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/**
 * A file of named tensors, mapped, not copied. Everything was checked against the file's size when it was opened. Any thread may read.
 * A mapped file must not be shortened or overwritten in place while it is open: the JVM then throws {@link InternalError} from the read that hits the missing
 * page. Replacing it by a rename, as the writers of this package do, is safe.
 */
public sealed interface Checkpoint extends AutoCloseable permits Gguf, Safetensors, Arranged {
    Metadata metadata();

    /** The tensors whose format is a {@link inkstone.tensor.DType}, in file order. */
    Map<String, TensorInfo> tensors();

    /**
     * The other tensors: name -> format as the file calls it ("Q3_K", "I64"). They do not stop a file from opening, since it may be opened for its
     * vocabulary alone.
     */
    Map<String, String> unsupported();

    /**
     * The tensor's bytes, read-only, valid until close; not necessarily aligned.
     *
     * @throws ModelException where the file has no such tensor, or its format is unsupported
     */
    MemorySegment data(String name);

    /** What messages call a tensor: its name in the file that the user has. */
    default String origin(String name) { return name; }

    @Override void close();
}
