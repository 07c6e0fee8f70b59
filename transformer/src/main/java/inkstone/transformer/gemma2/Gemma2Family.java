package inkstone.transformer.gemma2;

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

/** Gemma 2. */
public final class Gemma2Family implements Family {
    /* The 27B model, alone in having 46 layers, divides scores by the root of dim / heads; its files do not say so. */
    private static final int LAYERS_27B = 46;

    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.of("post_attention_layernorm", "post_attention_norm",
        "pre_feedforward_layernorm", "ffn_norm", "post_feedforward_layernorm", "post_ffw_norm"));
    private static final List<String> NORMS = List.of("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm");

    @Override public String architecture() { return "gemma2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        int window = metadata.integer("gemma2.attention.sliding_window", 4096);
        var config = DecoderConfig.named(metadata, () -> new Gemma2Config(c, queryScale(c), metadata.floating("gemma2.attn_logit_softcapping", 50),
            metadata.floating("gemma2.final_logit_softcapping", 30), Windows.of(metadata, architecture(), c.layers(), window, 2)));
        return weights.build(w -> Gemma2.of(config, w, backend));
    }

    private static float queryScale(DecoderConfig c) { return (float) (1 / Math.sqrt(c.layers() == LAYERS_27B ? c.dim() / c.heads() : c.headDim())); }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.of(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("Gemma2ForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_activation", "gelu_pytorch_tanh", "gelu");
        var c = DecoderConfig.fromHuggingFace(config, architecture());
        int window = config.integer("sliding_window", 4096);
        float queryScale = (float) (1 / Math.sqrt(config.floating("query_pre_attn_scalar", c.headDim())));
        if (queryScale != queryScale(c)) throw new ModelException("%s: query_pre_attn_scalar is not the usual one, which is not supported".formatted(config.source()));
        var keys = new LinkedHashMap<>(c.toGguf());
        keys.putAll(Windows.toGguf(architecture(), Windows.ofHuggingFace(config, c.layers(), window, 2), window));
        keys.put("gemma2.attn_logit_softcapping", config.floating("attn_logit_softcapping", 50));
        keys.put("gemma2.final_logit_softcapping", config.floating("final_logit_softcapping", 30));
        return HuggingFaceModel.of(NAMES::gguf, keys).arranged(to -> {
            for (int layer = 0; layer < c.layers(); layer++) for (var norm : NORMS) to.plusOne("blk.%d.%s.weight".formatted(layer, norm), c.dim());
            to.plusOne("output_norm.weight", c.dim());
        });
    }
}
