package inkstone.transformer.phi2;

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
import java.util.Map;
import java.util.Set;

/** Phi 1, 1.5 and 2. */
public final class Phi2Family implements Family {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.of("model\\.layers",
        Map.of("model.embed_tokens.weight", "token_embd.weight", "model.final_layernorm.weight", "output_norm.weight", "model.final_layernorm.bias", "output_norm.bias",
            "lm_head.weight", "output.weight", "lm_head.bias", "output.bias"),
        Map.of("input_layernorm", "attn_norm", "self_attn.q_proj", "attn_q", "self_attn.k_proj", "attn_k", "self_attn.v_proj", "attn_v", "self_attn.dense", "attn_output",
            "mlp.fc1", "ffn_up", "mlp.fc2", "ffn_down"));

    @Override public String architecture() { return "phi2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> Phi2.of(config, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.of(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("PhiForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "gelu_new", "gelu_pytorch_tanh", "gelu");
        if (config.bool("qk_layernorm", false)) throw new ModelException("%s: qk_layernorm is not supported".formatted(config.source()));
        var renamed = DecoderConfig.renamed(config, "layer_norm_eps", "rms_norm_eps");
        return HuggingFaceModel.of(NAMES::gguf, DecoderConfig.fromHuggingFace(renamed, architecture()).toGgufWithLayerNorm());
    }
}
