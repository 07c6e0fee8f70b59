package inkstone.diffusion.checkpoint;

import inkstone.tensor.checkpoint.Arranged;
import inkstone.tensor.checkpoint.Arrangement;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.Safetensors;
import inkstone.tensor.checkpoint.TensorInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * A file of networks for pictures, seen as they ask for it: weights of convolutions, which files keep as [out, in, height, width], with their channels last, and those with a window of one
 * pixel as matrices. What is turned lies in memory of its own until {@link #close}, in the file's format; the rest is the file's mapping.
 */
public record NetworkFile(Arranged checkpoint) implements AutoCloseable {
    /** Names as they are in the file. */
    public static NetworkFile open(Path path) throws IOException { return open(path, _ -> Map.of()); }

    /** @param others arrangements of tensors that are no weights of plain convolutions */
    public static NetworkFile open(Path path, Function<Map<String, TensorInfo>, Map<String, Arrangement>> others) throws IOException {
        return open(path, UnaryOperator.identity(), _ -> false, others);
    }

    /**
     * @param path   of a safetensors file, an index of such, or a GGUF file
     * @param names  in the file -> as models ask
     * @param unused which of the latter are passed over
     * @param others arrangements, by and of such names, of tensors that are no weights of plain convolutions
     */
    static NetworkFile open(Path path, UnaryOperator<String> names, Predicate<String> unused, Function<Map<String, TensorInfo>, Map<String, Arrangement>> others) throws IOException {
        Checkpoint file = path.toString().endsWith(".gguf") ? Gguf.open(path) : Safetensors.open(path);
        try {
            return new NetworkFile(Arranged.of(file, new Arranged.View(Map.of(), names, unused, infos -> turned(infos, others.apply(infos)), Map.of(), 0, 0)));
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static Map<String, Arrangement> turned(Map<String, TensorInfo> infos, Map<String, Arrangement> others) {
        var all = new HashMap<>(others);
        infos.forEach((name, info) -> {
            if (info.shape().rank() != 4 || all.containsKey(name)) return;
            int[] dims = info.shape().toArray();
            boolean pixel = dims[2] == 1 && dims[3] == 1;
            all.put(name, pixel ? Arrangement.of(name, dims).as(dims[0], dims[1]) : Arrangement.of(name, dims).axes(0, 2, 3, 1));
        });
        return all;
    }

    /** Bytes that loading everything takes beside the file's mapping. */
    public long turnedBytes() { return checkpoint.madeBytes(); }

    @Override public void close() { checkpoint.close(); }
}
