package inkstone.transformer.gemma;

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
import inkstone.transformer.layers.GeGlu;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import java.util.Set;

/** Gemma 1 (Gemma Team 2024, arXiv:2403.08295): Llama's block with a GELU gate, embeddings scaled by sqrt(dim). Norm weights stand in GGUF files as what the norm multiplies by. */
public final class GemmaFamily implements Family {
    @Override public String architecture() { return "gemma"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> of(config, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.of(HuggingFaceNames.LLAMA); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("GemmaForCausalLM"); }

    /** Early releases say "gelu" where they mean its tanh form. */
    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "gelu_pytorch_tanh", "gelu");
        var c = DecoderConfig.fromHuggingFace(config, architecture());
        return HuggingFaceModel.of(HuggingFaceNames.LLAMA::gguf, c.toGguf()).arranged(to -> {
            for (int layer = 0; layer < c.layers(); layer++) {
                to.plusOne("blk.%d.attn_norm.weight".formatted(layer), c.dim());
                to.plusOne("blk.%d.ffn_norm.weight".formatted(layer), c.dim());
            }
            to.plusOne("output_norm.weight", c.dim());
        });
    }

    private static Decoder of(DecoderConfig c, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> new Block.PreNorm(Norm.Rms.of(c, w, "attn_norm"), SelfAttention.of(c, layer, rope, w),
            Norm.Rms.of(c, w, "ffn_norm"), GeGlu.of(w, c.dim(), c.hidden()))).withEmbeddingScale((float) Math.sqrt(c.dim()));
    }
}
