package inkstone.transformer.llama;

import inkstone.tensor.Backend;
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
import inkstone.transformer.RopeScaling;
import inkstone.transformer.layers.Experts;
import java.util.Map;
import java.util.Set;

/** Llama 1-3, Mistral, Mixtral, TinyLlama, SmolLM and other models of their shape, from GGUF files and from Hugging Face's. */
public final class LlamaFamily implements Family {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.of("block_sparse_moe.gate", "ffn_gate_inp"));

    @Override public String architecture() { return "llama"; }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.halved(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("LlamaForCausalLM", "MistralForCausalLM", "MixtralForCausalLM"); }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.INTERLEAVED).withWindow(metadata.integer("llama.attention.sliding_window", 0));
        var experts = Experts.Sizes.orNull(metadata, architecture());
        return weights.build(w -> Llama.of(config, experts, w, backend));
    }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        var c = DecoderConfig.fromHuggingFace(config, architecture()).withWindow(config.integer("sliding_window", 0));
        var model = HuggingFaceModel.of(NAMES::gguf, c.toGguf()).halved(c).withVectors(frequencies(c));
        int experts = config.integer("num_local_experts", 0);
        if (experts == 0) return model;
        return model.with("llama.expert_count", experts).with("llama.expert_used_count", config.integer("num_experts_per_tok", 2)).arranged(to -> {
            for (int layer = 0; layer < c.layers(); layer++) {
                to.experts(layer, experts, "model.layers.%d.block_sparse_moe.experts.".formatted(layer), ".w1.weight", ".w3.weight", ".w2.weight", c.hidden(), c.dim());
            }
        });
    }

    /** The table that a GGUF file has of Llama 3.1's frequencies. */
    private static Map<String, float[]> frequencies(DecoderConfig c) {
        if (!(c.scaling() instanceof RopeScaling.Llama3 scaling)) return Map.of();
        float[] factors = RopeScaling.NONE.frequencies(c.ropeBase(), c.rotaryDim());
        float[] scaled = scaling.frequencies(c.ropeBase(), c.rotaryDim());
        for (int i = 0; i < factors.length; i++) factors[i] /= scaled[i];
        return Map.of("rope_freqs.weight", factors);
    }
}
