package inkstone.transformer.mamba;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Arrangement;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceModel;
import inkstone.transformer.HuggingFaceNames;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Mamba, the first. */
public final class MambaFamily implements Family {
    /** Tokens that a GGUF file allows a model without positions, as other converters write it. */
    private static final int UNBOUNDED = 1 << 20;
    private static final HuggingFaceNames NAMES = HuggingFaceNames.of("backbone\\.layers",
        Map.of("backbone.embeddings.weight", "token_embd.weight", "backbone.embedding.weight", "token_embd.weight", "backbone.norm_f.weight", "output_norm.weight",
            "lm_head.weight", "output.weight"),
        Map.of("norm", "attn_norm", "mixer.in_proj", "ssm_in", "mixer.conv1d", "ssm_conv1d", "mixer.x_proj", "ssm_x", "mixer.dt_proj", "ssm_dt", "mixer.A_log", "ssm_a",
            "mixer.D", "ssm_d", "mixer.out_proj", "ssm_out"));

    @Override public String architecture() { return "mamba"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var embedding = file.tensors().get("token_embd.weight");
        if (embedding == null) throw new ModelException("%s: tensor token_embd.weight is missing".formatted(file.metadata().source()));
        if (file.metadata().bool("mamba.ssm.dt_b_c_rms", false)) throw new ModelException("%s: Falcon Mamba is not supported".formatted(file.metadata().source()));
        var config = MambaConfig.fromGguf(file.metadata(), embedding.shape().dim(0));
        return weights.build(w -> Mamba.of(config, w));
    }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("MambaForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        int dim = config.integer("hidden_size"), inner = config.integer("intermediate_size", config.integer("expand", 2) * dim), states = config.integer("state_size", 16);
        int kernel = config.integer("conv_kernel", 4), layers = config.integer("num_hidden_layers");
        boolean given = config.values().get("time_step_rank") instanceof Long;
        var keys = new LinkedHashMap<String, Object>();
        keys.put("mamba.vocab_size", config.integer("vocab_size"));
        keys.put("mamba.context_length", UNBOUNDED);
        keys.put("mamba.embedding_length", dim);
        keys.put("mamba.feed_forward_length", 0);
        keys.put("mamba.attention.head_count", 0);
        keys.put("mamba.block_count", layers);
        keys.put("mamba.ssm.conv_kernel", kernel);
        keys.put("mamba.ssm.inner_size", inner);
        keys.put("mamba.ssm.state_size", states);
        keys.put("mamba.ssm.time_step_rank", given ? config.integer("time_step_rank") : Math.ceilDiv(dim, 16));
        keys.put("mamba.attention.layer_norm_rms_epsilon", config.floating("layer_norm_epsilon", 1e-5f));
        return HuggingFaceModel.of(NAMES::gguf, keys).arranged(to -> {
            for (int layer = 0; to.has("blk." + layer + ".ssm_a"); layer++) {
                String a = "blk." + layer + ".ssm_a", conv = "blk." + layer + ".ssm_conv1d.weight";
                to.put(a, Arrangement.of(a, inner, states).changed(Arrangement.Change.NEGATIVE_EXP));
                to.put(conv, Arrangement.of(conv, inner, kernel));
            }
        });
    }
}
