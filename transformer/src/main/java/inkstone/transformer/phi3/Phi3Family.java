package inkstone.transformer.phi3;

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
import inkstone.transformer.RopeScaling;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Phi 3 and 4. Those made for 128k tokens have two tables of rotary factors, one for contexts up to the original length and one for longer ones
 * (LongRoPE, Ding et al. 2024, arXiv:2402.13753), of which the former is used, see {@link DecoderConfig#withLongRope}.
 */
public final class Phi3Family implements Family {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.of("self_attn.qkv_proj", "attn_qkv", "mlp.gate_up_proj", "ffn_up"));

    @Override public String architecture() { return "phi3"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES).withWindow(metadata.integer("phi3.attention.sliding_window", 0));
        return weights.build(w -> Phi3.of(config, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.of(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("Phi3ForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        int window = config.integer("sliding_window", 0);
        if (!config.has("rope_scaling.short_factor")) return HuggingFaceModel.of(NAMES::gguf, DecoderConfig.fromHuggingFace(config, architecture()).withWindow(window).toGguf());
        var values = new HashMap<>(config.values());
        values.keySet().removeIf(key -> key.startsWith("rope_scaling."));
        var c = DecoderConfig.fromHuggingFace(new Metadata(config.source(), values), architecture()).withWindow(window);
        int original = config.integer("original_max_position_embeddings");
        float magnitude = (float) Math.sqrt(1 + Math.log(Math.max(1.0, c.contextLength() / (double) original)) / Math.log(original));
        float[] brief = factors(config, "rope_scaling.short_factor", c.rotaryDim() / 2), extended = factors(config, "rope_scaling.long_factor", c.rotaryDim() / 2);
        return HuggingFaceModel.of(NAMES::gguf, c.toGguf()).with("phi3.rope.scaling.original_context_length", original).with("phi3.rope.scaling.attn_factor", magnitude)
            .withVectors(Map.of(DecoderConfig.SHORT_FACTORS, brief, DecoderConfig.LONG_FACTORS, extended));
    }

    private static float[] factors(Metadata config, String key, int count) {
        if (!(config.values().get(key) instanceof List<?> list) || list.size() != count || !list.stream().allMatch(Number.class::isInstance)) {
            throw new ModelException("%s: %s should be a list of %d numbers".formatted(config.source(), key, count));
        }
        var factors = new float[count];
        for (int i = 0; i < count; i++) factors[i] = ((Number) list.get(i)).floatValue();
        return factors;
    }
}
