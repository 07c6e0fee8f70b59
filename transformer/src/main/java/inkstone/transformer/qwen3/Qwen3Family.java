package inkstone.transformer.qwen3;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceNames;
import inkstone.transformer.layers.Experts;
import java.util.Map;
import java.util.Set;

/** Qwen 3: "qwen3" with one feed-forward in each block, "qwen3moe" with experts. */
public record Qwen3Family(String architecture) implements Family {
    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.HALVES);
        var experts = Experts.Sizes.orNull(file.metadata(), architecture);
        return weights.build(w -> Qwen3.of(config, experts, w, backend));
    }

    /** Those with experts keep each expert's matrices apart, which is not read. */
    @Override public Set<String> huggingFaceArchitectures() { return architecture.equals("qwen3") ? Set.of("Qwen3ForCausalLM") : Set.of(); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        if (config.bool("use_sliding_window", false)) throw new ModelException("%s: use_sliding_window is not supported".formatted(config.source()));
        return new HuggingFaceQwen3(DecoderConfig.fromHuggingFace(config, architecture));
    }

    private record HuggingFaceQwen3(DecoderConfig config) implements HuggingFaceModel {
        private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.of("self_attn.q_norm", "attn_q_norm", "self_attn.k_norm", "attn_k_norm"));

        @Override public String ggufName(String tensor) { return NAMES.gguf(tensor); }
        @Override public CausalModel of(CheckpointWeights weights, Backend backend) { return weights.build(w -> Qwen3.of(config, null, w, backend)); }
        @Override public Map<String, Object> ggufMetadata() { return config.toGguf(); }
    }
}
