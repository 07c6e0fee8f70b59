package inkstone.transformer;

/**
 * How adapters of a family's Hugging Face models name the matrices that they change, and in which order these have their rows there. Stateless.
 *
 * @param names      of the family's tensors
 * @param prefix     what stands before those names in the model's own tree and is left away in {@code names}
 * @param halved     whether rows of queries and keys there are for pairs in halves of a head, in GGUF files for pairs side by side
 * @param transposed whether matrices are kept as [in, out], as GPT-2's are
 */
public record AdapterLayout(HuggingFaceNames names, String prefix, boolean halved, boolean transposed) {
    /** The head stands beside the model's tree, not in it. */
    private static final String HEAD = "lm_head";

    /** Rows and names as they are. */
    public static AdapterLayout of(HuggingFaceNames names) { return new AdapterLayout(names, "", false, false); }

    /** The same, with pairs in halves of a head. */
    public static AdapterLayout halved(HuggingFaceNames names) { return new AdapterLayout(names, "", true, false); }

    /** The linear map of a module there, as models ask for it: model.layers.0.self_attn.q_proj -> blk.0.attn_q; a name it does not know stays. */
    public String linear(String module) {
        var own = HuggingFaceFolder.textName(module);
        var known = names.gguf((own.startsWith(prefix) ? own.substring(prefix.length()) : own) + ".weight");
        return known.endsWith(".weight") ? known.substring(0, known.length() - ".weight".length()) : module;
    }

    /** The inverse of {@link #linear}; null where nothing there has that name. */
    public String module(String linear) {
        var known = names.huggingFace(linear);
        return known == null || known.equals(HEAD) ? known : prefix + known;
    }
}
