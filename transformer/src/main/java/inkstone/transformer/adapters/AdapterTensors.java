package inkstone.transformer.adapters;

import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.transformer.AdapterBase;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.IntUnaryOperator;

/** The matrices of an adapter's file, gathered by the linear map that they change and checked against the model. For one reader. */
final class AdapterTensors {
    /** What of a change a tensor is. */
    enum Part { A, B, MAGNITUDE }

    /** Tells the rank in the file from what was agreed on, and with it the scale. */
    interface Scale { float of(String linear, int rank); }

    private final Checkpoint file;
    private final AdapterBase base;
    /** Names of the file's tensors, by linear map. */
    private final Map<String, Map<Part, String>> found = new LinkedHashMap<>();

    AdapterTensors(Checkpoint file, AdapterBase base) {
        this.file = file;
        this.base = base;
        file.unsupported().forEach((name, format) -> { throw wrong("tensor %s is %s, expected F32, F16 or BF16".formatted(shown(name), shown(format))); });
    }

    ModelException wrong(String problem) { return new ModelException("%s: %s".formatted(file.metadata().source(), problem)); }

    /** Text of a file on one line, and not long. */
    static String shown(String text) {
        var line = text.replaceAll("[^\\x20-\\x7e]", "?");
        return line.length() <= 100 ? line : line.substring(0, 100) + "...";
    }

    void put(String linear, Part part, String tensor) {
        var other = found.computeIfAbsent(linear, _ -> new LinkedHashMap<>()).put(part, tensor);
        if (other != null) throw wrong("tensors %s and %s are both for %s".formatted(shown(other), shown(tensor), shown(linear)));
    }

    /**
     * Everything that was put.
     *
     * @param rows row of a linear map in the model -> the same in the file
     */
    List<LowRank> changes(Scale scale, Function<String, IntUnaryOperator> rows) {
        if (found.isEmpty()) throw wrong("it has no tensors of an adapter (lora_a and lora_b)");
        var changes = new ArrayList<LowRank>();
        found.forEach((linear, parts) -> changes.add(change(linear, parts, scale, rows.apply(linear))));
        return changes;
    }

    private LowRank change(String linear, Map<Part, String> parts, Scale scale, IntUnaryOperator rows) {
        var shape = base.shape(linear);
        if (shape == null) {
            throw wrong("it changes %s, which %s does not have as a matrix that can be adapted; is it an adapter of another model?".formatted(shown(linear), base.source()));
        }
        if (linear.endsWith("_embd")) throw wrong("it changes the embeddings (%s), which is not supported; only linear maps are adapted".formatted(shown(linear)));
        int out = shape.dim(0), in = shape.last();
        for (var part : List.of(Part.A, Part.B)) {
            if (!parts.containsKey(part)) throw wrong("of the two matrices for %s lora_%s is missing".formatted(shown(linear), part == Part.A ? "a" : "b"));
        }
        var a = file.tensors().get(parts.get(Part.A));
        int rank = a.shape().rank() == 2 ? a.shape().dim(0) : 0;
        if (rank < 1 || a.shape().last() != in) throw misshapen(parts.get(Part.A), a.shape(), "[rank, %d]".formatted(in));
        requireShape(parts.get(Part.B), new Shape(out, rank));
        if (parts.containsKey(Part.MAGNITUDE)) requireShape(parts.get(Part.MAGNITUDE), new Shape(out));
        float times = scale.of(linear, rank);
        if (!Float.isFinite(times)) throw wrong("the scale of %s is not a number".formatted(shown(linear)));
        return new LowRank(linear, in, out, rank, floats(parts.get(Part.A)), moved(floats(parts.get(Part.B)), rank, rows), times,
            parts.containsKey(Part.MAGNITUDE) ? moved(floats(parts.get(Part.MAGNITUDE)), 1, rows) : null);
    }

    private void requireShape(String tensor, Shape expected) {
        var found = file.tensors().get(tensor).shape();
        if (!found.equals(expected)) throw misshapen(tensor, found, expected.toString());
    }

    private ModelException misshapen(String tensor, Shape found, String expected) {
        return wrong("tensor %s is %s, expected %s for %s; is it an adapter of another model?".formatted(shown(tensor), found, expected, base.source()));
    }

    private float[] floats(String tensor) {
        var info = file.tensors().get(tensor);
        if (info.dtype() == DType.I32) throw wrong("tensor %s is I32, expected F32, F16 or BF16".formatted(shown(tensor)));
        if (info.shape().elements() > Integer.MAX_VALUE - 8) throw wrong("tensor %s has %d numbers, more than any adapter's".formatted(shown(tensor), info.shape().elements()));
        var values = new float[(int) info.shape().elements()];
        Blocks.toFloats(info.dtype(), file.data(tensor), 0, values, values.length);
        for (float value : values) if (!Float.isFinite(value)) throw wrong("tensor %s holds %s; the adapter is broken".formatted(shown(tensor), value));
        return values;
    }

    /** Rows of {@code width} numbers, each from where {@code source} says. */
    static float[] moved(float[] rows, int width, IntUnaryOperator source) {
        var moved = new float[rows.length];
        for (int row = 0; row < rows.length / width; row++) System.arraycopy(rows, source.applyAsInt(row) * width, moved, row * width, width);
        return moved;
    }

    /** The operator that leads back, among the first {@code count}. */
    static IntUnaryOperator inverse(IntUnaryOperator rows, int count) {
        var back = new int[count];
        for (int row = 0; row < count; row++) back[rows.applyAsInt(row)] = row;
        return row -> back[row];
    }
}
