package inkstone.transformer.glm4;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import inkstone.transformer.layers.SwiGlu;

/**
 * ChatGLM 2, 3 and GLM 4 ("chatglm"; GLM Team 2024, arXiv:2406.12793): Llama's block with biases on queries, keys and values, half of each head turning, gate above up;
 * GLM 4-0414 ("glm4"): the same with a norm behind each part as well. Layers that guess tokens further ahead are passed over.
 */
public record Glm4Family(String architecture) implements Family {
    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture, Rope.Pairs.INTERLEAVED);
        return weights.build(w -> {
            config.passOverFurtherLayers(file, w);
            return of(config, w, backend);
        });
    }

    private Decoder of(DecoderConfig c, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> {
            Norm attnNorm = Norm.Rms.of(c, w, "attn_norm"), ffnNorm = Norm.Rms.of(c, w, "ffn_norm");
            var attention = SelfAttention.of(c, layer, rope, w);
            var feedForward = SwiGlu.fused(w, c.dim(), c.hidden());
            if (architecture.equals("chatglm")) return new Block.PreNorm(attnNorm, attention, ffnNorm, feedForward);
            return new Block.Sandwich(attnNorm, attention, Norm.Rms.of(c, w, "post_attention_norm"), ffnNorm, feedForward, Norm.Rms.of(c, w, "post_ffw_norm"));
        });
    }
}
