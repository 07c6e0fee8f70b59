package inkstone.transformer;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What tensors of Hugging Face's files are called in GGUF files, whose names the code uses.
 *
 * @param layer    matches names in layers: the number, the name, the suffix
 * @param outside  whole names, outside the layers
 * @param inLayers what stands after the number, without ".weight" or ".bias"
 */
public record HuggingFaceNames(Pattern layer, Map<String, String> outside, Map<String, String> inLayers) {
    /** What Llama and most after it use. */
    public static final HuggingFaceNames LLAMA = of("model\\.layers",
        Map.of("model.embed_tokens.weight", "token_embd.weight", "model.norm.weight", "output_norm.weight", "lm_head.weight", "output.weight"),
        Map.of("input_layernorm", "attn_norm", "post_attention_layernorm", "ffn_norm",
            "self_attn.q_proj", "attn_q", "self_attn.k_proj", "attn_k", "self_attn.v_proj", "attn_v", "self_attn.o_proj", "attn_output",
            "mlp.gate_proj", "ffn_gate", "mlp.up_proj", "ffn_up", "mlp.down_proj", "ffn_down"));

    /** @param layers a regular expression */
    public static HuggingFaceNames of(String layers, Map<String, String> outside, Map<String, String> inLayers) {
        return new HuggingFaceNames(Pattern.compile(layers + "\\.(\\d+)\\.(.+?)(\\.weight|\\.bias)?"), outside, inLayers);
    }

    /** The same with these names in layers besides, or in place of those that there are. */
    public HuggingFaceNames with(Map<String, String> more) {
        var names = new HashMap<>(inLayers);
        names.putAll(more);
        return new HuggingFaceNames(layer, outside, Map.copyOf(names));
    }

    /** The same with these whole names besides. */
    public HuggingFaceNames outside(Map<String, String> more) {
        var names = new HashMap<>(outside);
        names.putAll(more);
        return new HuggingFaceNames(layer, Map.copyOf(names), inLayers);
    }

    /** The GGUF name of a tensor; a name it does not know stays. */
    public String gguf(String tensor) {
        var match = layer.matcher(tensor);
        if (!match.matches() || !inLayers.containsKey(match.group(2))) return outside.getOrDefault(tensor, tensor);
        return "blk.%s.%s%s".formatted(match.group(1), inLayers.get(match.group(2)), match.group(3) == null ? "" : match.group(3));
    }

    /** The inverse for a weight, both without ".weight"; null where no tensor gets that name. */
    public String huggingFace(String gguf) {
        var parts = gguf.split("\\.", 3);
        if (parts.length < 3 || !parts[0].equals("blk")) return key(outside, gguf + ".weight").map(name -> name.substring(0, name.length() - ".weight".length())).orElse(null);
        var layers = layer.pattern().substring(0, layer.pattern().indexOf("\\.(\\d+)")).replace("\\.", ".");
        return key(inLayers, parts[2]).map(name -> "%s.%s.%s".formatted(layers, parts[1], name)).orElse(null);
    }

    private static Optional<String> key(Map<String, String> names, String value) {
        return names.entrySet().stream().filter(entry -> entry.getValue().equals(value)).map(Map.Entry::getKey).sorted().findFirst();
    }
}
