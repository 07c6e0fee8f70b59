package inkstone.transformer.seedoss;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.AdapterLayout;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceModel;
import inkstone.transformer.HuggingFaceNames;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import inkstone.transformer.layers.SwiGlu;
import java.util.Map;
import java.util.Set;

/** Seed-OSS (ByteDance Seed Team 2025, "Seed-OSS open-source models"): Llama's block with biases on queries, keys and values; post_attention_norm stands before the feed-forward. */
public final class SeedOssFamily implements Family {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.of("post_attention_layernorm", "post_attention_norm"));

    @Override public String architecture() { return "seed_oss"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> of(config, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.of(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("SeedOssForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        return HuggingFaceModel.of(NAMES::gguf, DecoderConfig.fromHuggingFace(config, architecture()).toGguf());
    }

    private static Decoder of(DecoderConfig c, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> new Block.PreNorm(Norm.Rms.of(c, w, "attn_norm"), SelfAttention.of(c, layer, rope, w),
            Norm.Rms.of(c, w, "post_attention_norm"), SwiGlu.of(w, "", c.dim(), c.hidden())));
    }
}
