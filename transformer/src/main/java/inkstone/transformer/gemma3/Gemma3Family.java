package inkstone.transformer.gemma3;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.AdapterLayout;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceModel;
import inkstone.transformer.HuggingFaceNames;
import inkstone.transformer.layers.Windows;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Gemma 3, text. */
public final class Gemma3Family implements Family {
    /* The 27B model, alone in having 62 layers, divides scores by the root of dim / heads; its files do not say so. */
    private static final int LAYERS_27B = 62;

    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.of("post_attention_layernorm", "post_attention_norm",
        "pre_feedforward_layernorm", "ffn_norm", "post_feedforward_layernorm", "post_ffw_norm", "self_attn.q_norm", "attn_q_norm", "self_attn.k_norm", "attn_k_norm"));
    private static final List<String> NORMS = List.of("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"), HEAD_NORMS = List.of("attn_q_norm", "attn_k_norm");
    private static final Map<String, Object> DEFAULTS = Map.of("num_attention_heads", 8L, "num_key_value_heads", 4L, "head_dim", 256L, "vocab_size", 262_208L,
        "max_position_embeddings", 131_072L, "rope_theta", 1e6, "sliding_window", 4096L);

    @Override public String architecture() { return "gemma3"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        int[] windows = Windows.of(metadata, architecture(), c.layers(), metadata.integer("gemma3.attention.sliding_window", 0), 6);
        float localBase = metadata.floating("gemma3.rope.freq_base_swa", 10_000), logitCap = metadata.floating("gemma3.final_logit_softcapping", 0);
        return weights.build(w -> Gemma3.of(c, queryScale(c), windows, localBase, logitCap, w, backend));
    }

    private static float queryScale(DecoderConfig c) { return (float) (1 / Math.sqrt(c.layers() == LAYERS_27B ? c.dim() / c.heads() : c.headDim())); }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.of(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("Gemma3ForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_activation", "gelu_pytorch_tanh", "gelu");
        // the text model inside one that also sees says only what differs from the library's defaults
        var values = new LinkedHashMap<>(DEFAULTS);
        values.putAll(config.values());
        var whole = new Metadata(config.source(), values);
        var c = DecoderConfig.fromHuggingFace(whole, architecture());
        int window = whole.integer("sliding_window");
        float queryScale = (float) (1 / Math.sqrt(whole.floating("query_pre_attn_scalar", c.headDim())));
        if (queryScale != queryScale(c)) throw new ModelException("%s: query_pre_attn_scalar is not the usual one, which is not supported".formatted(config.source()));
        var keys = new LinkedHashMap<>(c.toGguf());
        keys.putAll(Windows.toGguf(architecture(), Windows.ofHuggingFace(whole, c.layers(), window, 6), window));
        keys.put("gemma3.rope.freq_base_swa", whole.floating("rope_local_base_freq", 10_000));
        if (whole.floating("final_logit_softcapping", 0) > 0) keys.put("gemma3.final_logit_softcapping", whole.floating("final_logit_softcapping"));
        return HuggingFaceModel.of(NAMES::gguf, keys).arranged(to -> {
            for (int layer = 0; layer < c.layers(); layer++) {
                for (var norm : NORMS) to.plusOne("blk.%d.%s.weight".formatted(layer, norm), c.dim());
                for (var norm : HEAD_NORMS) to.plusOne("blk.%d.%s.weight".formatted(layer, norm), c.headDim());
            }
            to.plusOne("output_norm.weight", c.dim());
        });
    }
}
