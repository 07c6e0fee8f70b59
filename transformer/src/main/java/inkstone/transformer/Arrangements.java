package inkstone.transformer;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Arrangement;
import inkstone.tensor.checkpoint.TensorInfo;
import java.util.LinkedHashMap;
import java.util.Map;

/** The tensors of a GGUF file that a folder of Hugging Face keeps otherwise, as a family tells them one by one. */
public final class Arrangements {
    private final String source;
    private final Map<String, TensorInfo> held;
    private final Map<String, Arrangement> made = new LinkedHashMap<>();

    /** @param held what the folder has, under translated names */
    Arrangements(String source, Map<String, TensorInfo> held) {
        this.source = source;
        this.held = held;
    }

    Map<String, Arrangement> made() { return made; }

    public boolean has(String name) { return held.containsKey(name); }

    /** The format of a tensor that the folder has. */
    public DType format(String name) { return held.get(name).dtype(); }

    /** The shape of a tensor that the folder has. */
    public int[] shape(String name) { return held.get(name).shape().toArray(); }

    /** An arrangement of tensors under their translated names, one of which may be {@code name} itself. Where its first is absent, so is the tensor. */
    public void put(String name, Arrangement arrangement) { made.put(name, arrangement); }

    /** The weight of a norm that multiplies by 1 + weight, as Gemma's do; GGUF files hold the sum. */
    public void plusOne(String norm, int width) { put(norm, Arrangement.of(norm, width).changed(Arrangement.Change.PLUS_ONE)); }

    /** Matrices [rows, columns] of {@code count} experts, {@code prefix}0{@code suffix} and so on -> [count, rows, columns]. */
    public void stack(String name, int count, String prefix, String suffix, int rows, int columns) {
        if (!has(prefix + 0 + suffix)) return;
        for (int expert = 1; expert < count; expert++) {
            if (!has(prefix + expert + suffix)) throw new ModelException("%s: tensor %s%d%s is missing, of which %s is made".formatted(source, prefix, expert, suffix, name));
        }
        put(name, Arrangement.stacked(count, expert -> Arrangement.of(prefix + expert + suffix, rows, columns)));
    }

    /**
     * SwiGLU experts [count, hidden, dim] and [count, dim, hidden]: one by one under {@code prefix} (its dot included) with these names of gate, up and down, or as
     * gate_up_proj [count, 2 hidden, dim] and down_proj, as transformers 5 keeps them in memory.
     */
    public void experts(int layer, int count, String prefix, String gate, String up, String down, int hidden, int dim) {
        String target = "blk." + layer + ".ffn_", fused = prefix + "gate_up_proj", whole = prefix + "down_proj";
        if (has(fused)) {
            var both = Arrangement.of(fused, count, 2, hidden, dim);
            put(target + "gate_exps.weight", both.at(1, 0));
            put(target + "up_exps.weight", both.at(1, 1));
            put(target + "down_exps.weight", Arrangement.of(whole, count, dim, hidden));
            return;
        }
        stack(target + "gate_exps.weight", count, prefix, gate, hidden, dim);
        stack(target + "up_exps.weight", count, prefix, up, hidden, dim);
        stack(target + "down_exps.weight", count, prefix, down, dim, hidden);
    }
}
