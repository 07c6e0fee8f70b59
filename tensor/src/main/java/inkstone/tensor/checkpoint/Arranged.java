package inkstone.tensor.checkpoint;

import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;

/**
 * A safetensors or GGUF file seen as another one: other names, tensors put together, taken apart or decoded as {@link Arrangement}s say, metadata and vectors that a
 * configuration told. What needs no change is the file's own mapped memory; the rest is made when it is asked for, in memory that belongs to this object until
 * {@link #close}. What it is made of is read through mappings that end at once, so that only one copy stays. Any thread may read. Closing closes the file.
 */
public final class Arranged implements Checkpoint {
    private static final int FLOATS_AT_ONCE = 1 << 16;

    /**
     * How a file is seen.
     *
     * @param metadata     in place of the file's, whose values are text for humans
     * @param names        of a tensor in the file -> the name models ask for
     * @param unused       which of those names are passed over
     * @param arrangements by the names models ask for, of tensors under such names, among those there are; one whose first tensor is absent is passed over
     * @param vectors      F32 vectors that the file does not hold
     * @param tileRows     and tileColumns: what one scale of an F8_E4M3 tensor is for, 0 where the file should have none
     */
    public record View(Map<String, Object> metadata, UnaryOperator<String> names, Predicate<String> unused,
                       Function<Map<String, TensorInfo>, Map<String, Arrangement>> arrangements, Map<String, float[]> vectors, int tileRows, int tileColumns) {}

    private final Checkpoint file;
    private final Map<String, Contents.Raw> raw;
    private final Metadata metadata;
    private final Map<String, Encoding> held = new LinkedHashMap<>();
    private final Map<String, Made> made = new LinkedHashMap<>();
    private final Map<String, float[]> vectors;
    private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    private final Map<String, String> unsupported = new LinkedHashMap<>(), origins = new HashMap<>();
    private final Arena arena = Arena.ofShared();

    private Arranged(Checkpoint file, View view) {
        this.file = file;
        this.raw = file instanceof Safetensors safetensors ? safetensors.raw() : Map.of();
        this.metadata = new Metadata(file.metadata().source(), Collections.unmodifiableMap(view.metadata));
        this.vectors = view.vectors;
        hold(view);
        var infos = new LinkedHashMap<String, TensorInfo>();
        held.forEach((name, encoding) -> infos.put(name, new TensorInfo(name, encoding.dtype(), encoding.shape())));
        var used = new HashSet<String>();
        view.arrangements.apply(Collections.unmodifiableMap(infos)).forEach((name, arrangement) -> arrange(name, arrangement, used));
        infos.forEach((name, info) -> {
            if (used.contains(name)) return;
            tensors.put(name, info);
            if (!(held.get(name) instanceof Encoding.Plain)) arrange(name, Arrangement.of(name, info.shape().toArray()), used);
        });
        made.forEach((name, one) -> tensors.put(name, one.info));
        vectors.forEach((name, values) -> tensors.put(name, new TensorInfo(name, DType.F32, new Shape(values.length))));
    }

    /** @throws ModelException where two tensors get one name, or a tensor that another is made of is absent or of the wrong size */
    public static Arranged of(Checkpoint file, View view) { return new Arranged(file, view); }

    // ---- what the file holds ---------------------------------------------------------------------------------------------------------------------------

    private void hold(View view) {
        var scales = new HashSet<String>();
        raw.forEach((name, one) -> {
            if (one.isFloat8()) scales.add(name + "_scale_inv");
            if (isPacked(name, one)) scales.add(scalesOf(name));
        });
        file.tensors().values().forEach(info -> { if (!scales.contains(info.name())) hold(info.name(), info.name(), new Encoding.Plain(info), view); });
        file.unsupported().forEach((name, format) -> {
            var one = raw.get(name);
            if (scales.contains(name)) return;
            if (one != null && one.isFloat8() && view.tileRows > 0) hold(name, name, float8(name, one, view), view);
            else if (one != null && isPacked(name, one)) hold(name.substring(0, name.length() - "_blocks".length()), name, packed(name, one), view);
            else pass(name, format, view);
        });
    }

    private void hold(String name, String fileName, Encoding encoding, View view) {
        var asked = view.names.apply(name);
        if (view.unused.test(asked)) return;
        held.put(asked, encoding);
        origin(asked, fileName);
    }

    private void pass(String name, String format, View view) {
        var asked = view.names.apply(name);
        if (view.unused.test(asked)) return;
        unsupported.put(asked, format);
        origin(asked, name);
    }

    private void origin(String asked, String fileName) {
        var other = origins.put(asked, fileName);
        if (other == null) return;
        throw new ModelException("%s: tensors %s and %s both become %s"
            .formatted(metadata.source(), Diagnosis.shown(other), Diagnosis.shown(fileName), Diagnosis.shown(asked)));
    }

    private static String scalesOf(String blocks) { return blocks.substring(0, blocks.length() - "_blocks".length()) + "_scales"; }

    /** Blocks of MXFP4 with their scales. */
    private boolean isPacked(String name, Contents.Raw raw) {
        if (!name.endsWith("_blocks") || !raw.type().equals("U8")) return false;
        var scales = this.raw.get(scalesOf(name));
        return scales != null && scales.type().equals("U8");
    }

    private Encoding packed(String name, Contents.Raw raw) {
        int[] dims = raw.shape().toArray();
        var scales = this.raw.get(scalesOf(name)).shape();
        boolean fits = dims.length >= 2 && dims[dims.length - 1] == 16 && scales.rank() == dims.length - 1;
        for (int i = 0; fits && i < scales.rank(); i++) fits = scales.dim(i) == dims[i];
        if (!fits) throw new ModelException("%s: tensor %s %s is no MXFP4 with scales %s".formatted(metadata.source(), Diagnosis.shown(name), raw.shape(), scales));
        int[] shape = scales.toArray();
        shape[shape.length - 1] = Math.multiplyExact(shape[shape.length - 1], DType.MXFP4.blockSize);
        return new Encoding.Mxfp4(name, scalesOf(name), new Shape(shape));
    }

    private Encoding float8(String name, Contents.Raw raw, View view) {
        var scales = file.tensors().get(name + "_scale_inv");
        if (scales == null) throw new ModelException("%s: tensor %s_scale_inv is missing".formatted(metadata.source(), Diagnosis.shown(name)));
        var shape = raw.shape();
        if (shape.rank() != 2 || !scales.dtype().isFloat()
            || !scales.shape().equals(new Shape(Math.ceilDiv(shape.dim(0), view.tileRows), Math.ceilDiv(shape.last(), view.tileColumns)))) {
            throw new ModelException("%s: tensor %s %s needs a scale for each tile of %d by %d, found %s"
                .formatted(metadata.source(), Diagnosis.shown(name), shape, view.tileRows, view.tileColumns, scales.shape()));
        }
        return new Encoding.Fp8(name, scales.name(), scales.dtype(), shape, view.tileRows, view.tileColumns);
    }

    // ---- what is made of it ----------------------------------------------------------------------------------------------------------------------------

    /** Part of a made tensor: {@code start} is its first unit there, {@code part} counts in units of the encoding. */
    private record Placed(long start, Arrangement.Part part, Encoding encoding) {
        long end() { return start + part.count(); }

        void copy(MemorySegment[] bytes, long from, long count, MemorySegment target, long at) {
            int[] dims = part.dims();
            int last = dims.length - 1, run = dims[last];
            while (count > 0) {
                long inner = from % run, outer = from / run, units = Math.min(count, run - inner), first = part.offset() + inner * part.strides()[last];
                for (int axis = last - 1; axis >= 0; outer /= dims[axis--]) first += outer % dims[axis] * part.strides()[axis];
                encoding.copy(bytes, first, part.strides()[last], units, target, at);
                from += units;
                count -= units;
                at += units * encoding.dtype().blockBytes;
            }
        }
    }

    /** @param change what becomes of each number; the format is then F32, as it is where the parts have several */
    private record Made(TensorInfo info, List<Placed> parts, Arrangement.Change change) {
        boolean copied() { return change == Arrangement.Change.NONE && parts.stream().allMatch(part -> part.encoding.dtype() == info.dtype()); }
    }

    private void arrange(String name, Arrangement arrangement, HashSet<String> used) {
        if (!held.containsKey(arrangement.parts().getFirst().source())) return;
        var parts = new ArrayList<Placed>();
        DType format = null;
        long start = 0;
        for (var part : arrangement.parts()) {
            var encoding = held.get(part.source());
            if (encoding == null) throw new ModelException("%s: tensor %s is missing, of which %s is made".formatted(metadata.source(), Diagnosis.shown(part.source()), name));
            if (encoding.shape().elements() != part.elements()) {
                throw new ModelException("%s: tensor %s should have %d elements, found %s"
                    .formatted(metadata.source(), Diagnosis.shown(origins.get(part.source())), part.elements(), encoding.shape()));
            }
            var placed = new Placed(start, part.inBlocks(encoding.dtype().blockSize).flat(), encoding);
            parts.add(placed);
            start = placed.end();
            format = format == null || format == encoding.dtype() ? encoding.dtype() : DType.F32;
            used.add(part.source());
        }
        if (arrangement.change() != Arrangement.Change.NONE) format = DType.F32;
        var one = new Made(new TensorInfo(name, format, arrangement.shape()), List.copyOf(parts), arrangement.change());
        if (!one.copied() && parts.stream().anyMatch(part -> part.encoding.dtype().isQuantized())) {
            throw new ModelException("%s: %s is made of tensors of several formats, which cannot be put together".formatted(metadata.source(), name));
        }
        made.put(name, one);
        origins.putIfAbsent(name, "%s (of %s)".formatted(name, origins.get(arrangement.parts().getFirst().source())));
    }

    /** Lets {@code use} see the bytes of a tensor's encoding. */
    private interface Access { void with(Encoding encoding, Consumer<MemorySegment[]> use); }

    private void mapped(Encoding encoding, Consumer<MemorySegment[]> use) {
        use.accept(encoding.tensors().stream().map(this::bytes).toArray(MemorySegment[]::new));
    }

    private MemorySegment bytes(String name) { return file instanceof Safetensors safetensors ? safetensors.bytes(name) : file.data(name); }

    private void mappedForNow(Encoding encoding, Consumer<MemorySegment[]> use) {
        try (var own = Arena.ofConfined()) {
            var bytes = new ArrayList<MemorySegment>();
            for (var name : encoding.tensors()) bytes.add(file instanceof Safetensors safetensors ? safetensors.mapped(name, own) : file.data(name));
            use.accept(bytes.toArray(MemorySegment[]::new));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void read(String name, long from, long count, MemorySegment target, Access access) {
        var one = made.get(name);
        boolean copied = one.copied();
        var change = one.change;
        int size = one.info.dtype().blockBytes;
        long at = 0;
        for (var part : one.parts) {
            if (count == 0) break;
            if (from >= part.end()) continue;
            long first = from - part.start, units = Math.min(count, part.end() - from), offset = at;
            access.with(part.encoding, bytes -> {
                if (copied) part.copy(bytes, first, units, target, offset); else computed(part, change, bytes, first, units, target, offset);
            });
            from += units;
            count -= units;
            at += units * size;
        }
    }

    private static void computed(Placed part, Arrangement.Change change, MemorySegment[] bytes, long from, long count, MemorySegment target, long at) {
        var format = part.encoding.dtype();
        var floats = new float[(int) Math.min(count, FLOATS_AT_ONCE)];
        var stored = MemorySegment.ofArray(new byte[Math.toIntExact(format.bytes(floats.length))]);
        while (count > 0) {
            int n = (int) Math.min(count, floats.length);
            part.copy(bytes, from, n, stored, 0);
            Blocks.toFloats(format, stored, 0, floats, n);
            for (int i = 0; i < n; i++) floats[i] = change.apply(floats[i]);
            Blocks.fromFloats(DType.F32, floats, target, at, n);
            from += n;
            count -= n;
            at += DType.F32.bytes(n);
        }
    }

    // ---- a checkpoint ----------------------------------------------------------------------------------------------------------------------------------

    @Override public Metadata metadata() { return metadata; }
    @Override public Map<String, TensorInfo> tensors() { return Collections.unmodifiableMap(tensors); }
    @Override public Map<String, String> unsupported() { return Collections.unmodifiableMap(unsupported); }
    @Override public String origin(String name) { return origins.getOrDefault(name, name); }

    @Override public MemorySegment data(String name) {
        if (isMapped(name)) return file.data(((Encoding.Plain) held.get(name)).info().name());
        var info = tensors.get(name);
        if (info == null) throw new ModelException("%s has no tensor %s".formatted(metadata.source(), Diagnosis.shown(name)));
        var memory = arena.allocate(info.dtype().bytes(info.shape().elements()), 64);
        if (vectors.containsKey(name)) memory.copyFrom(MemorySegment.ofArray(vectors.get(name)));
        else read(name, 0, info.shape().elements() / info.dtype().blockSize, memory, this::mappedForNow);
        return memory.asReadOnly();
    }

    /**
     * Copies {@code count} blocks of a tensor's format (one element, where it is not quantized) from block {@code from} on. Of a tensor that must be made, no more
     * than those are.
     */
    public void read(String name, long from, long count, MemorySegment target) {
        int size = tensors.get(name).dtype().blockBytes;
        if (made.containsKey(name)) read(name, from, count, target, this::mapped);
        else MemorySegment.copy(vectors.containsKey(name) ? MemorySegment.ofArray(vectors.get(name)) : data(name), from * size, target, 0, count * size);
    }

    /** Whether the tensor is the file's own memory, so that {@link #data} costs nothing. */
    public boolean isMapped(String name) { return !made.containsKey(name) && held.get(name) instanceof Encoding.Plain; }

    /** Bytes of the tensors that {@link #data} has to make. */
    public long madeBytes() {
        return tensors.values().stream().filter(info -> !isMapped(info.name())).mapToLong(info -> info.dtype().bytes(info.shape().elements())).sum();
    }

    @Override public void close() {
        if (arena.scope().isAlive()) arena.close();
        file.close();
    }
}
