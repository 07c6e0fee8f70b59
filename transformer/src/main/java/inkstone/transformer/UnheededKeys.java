package inkstone.transformer;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/**
 * What a GGUF file says of a model's computation and the model's family never asked about. A file whose numbers are passed over gives wrong answers without a word, so
 * it is refused by the names of those keys. Keys that say what would hold without them pass, and so do those that only describe.
 */
final class UnheededKeys {
    /** Names behind the architecture's that change what a model computes. */
    private static final Pattern COMPUTING = Pattern.compile("(attention|rope|ssm|shortconv|wkv|kda|hyper_connection|xielu|expert)[._].*|experts_per_group|moe_.*|.*_scale|.*softcapping|"
        + "swiglu_clamp.*|.*residual|leading_dense_block_count|nextn_predict_layers|interleave_moe_layer_step|full_attention_interval|hidden_act.*|embedding_length_(per|out).*|"
        + "token_shift_count|rescale_every_n_layers|num_loops|.*deepstack.*|hash_layer_count|dense_\\d.*|altup.*|activation_sparsity.*|.*laurel.*");
    /** Of those, what only describes: scaled positions were trained, and for how many tokens; which norm a family has, it knows. */
    private static final Pattern DESCRIBING = Pattern.compile("rope\\.scaling\\.(original_context_length|finetuned)|attention\\.(layer_norm|layer_norm_rms|group_norm)_epsilon|attention\\.group_norm_groups");

    private UnheededKeys() {}

    /** Throws where such a key is left over, once the model is made. */
    static void refuse(Metadata file, String architecture) {
        var keys = file.unasked(architecture + ".").stream().filter(key -> changes(file, key, key.substring(architecture.length() + 1))).toList();
        if (keys.isEmpty()) return;
        throw new ModelException("%s: this family does not know what to make of %s, so its answers would be wrong".formatted(file.source(), String.join(", ", keys)));
    }

    private static boolean changes(Metadata file, String key, String name) {
        if (!COMPUTING.matcher(name).matches() || DESCRIBING.matcher(name).matches()) return false;
        var value = file.values().get(key);
        if (name.equals("attention.causal")) return !Boolean.TRUE.equals(value);
        if (name.endsWith("_swa") && value.equals(file.values().get(key.substring(0, key.length() - "_swa".length())))) return false;
        return !(name.matches(".*(scale|factor)") && value instanceof Double factor && factor == 1 || isNothing(value));
    }

    /** 0, false, "none", and lists of them. */
    private static boolean isNothing(Object value) {
        return switch (value) {
            case Long number -> number == 0;
            case Double number -> number == 0;
            case Boolean bool -> !bool;
            case String text -> List.of("", "none").contains(text);
            case long[] numbers -> Arrays.stream(numbers).allMatch(number -> number == 0);
            case double[] numbers -> Arrays.stream(numbers).allMatch(number -> number == 0);
            case boolean[] bools -> { for (boolean bool : bools) if (bool) yield false; yield true; }
            default -> false;
        };
    }
}
