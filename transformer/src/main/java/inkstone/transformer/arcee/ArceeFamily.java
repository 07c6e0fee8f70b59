package inkstone.transformer.arcee;

import inkstone.tensor.Backend;
import inkstone.tensor.Elementwise;
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
import inkstone.transformer.layers.Mlp;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import java.util.Set;

/** AFM 4.5B (Arcee AI 2025, "Announcing Arcee Foundation Models"): Llama's block with a squared ReLU (So et al. 2021, arXiv:2109.08668) and no gate. */
public final class ArceeFamily implements Family {
    @Override public String architecture() { return "arcee"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.INTERLEAVED);
        return weights.build(w -> of(config, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.halved(HuggingFaceNames.LLAMA); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("ArceeForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "relu2");
        var c = DecoderConfig.fromHuggingFace(config, architecture());
        return HuggingFaceModel.of(HuggingFaceNames.LLAMA::gguf, c.toGguf()).halved(c);
    }

    private static Decoder of(DecoderConfig c, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> new Block.PreNorm(Norm.Rms.of(c, w, "attn_norm"), SelfAttention.of(c, layer, rope, w),
            Norm.Rms.of(c, w, "ffn_norm"), Mlp.of(w, c.dim(), c.hidden(), x -> x.map(Elementwise.RELU_SQUARED))));
    }
}
