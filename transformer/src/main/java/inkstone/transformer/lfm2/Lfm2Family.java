package inkstone.transformer.lfm2;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.FeedForward;
import inkstone.transformer.layers.LayeredConfig;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import inkstone.transformer.layers.SwiGlu;

/**
 * LFM 2, dense ("lfm2") and with experts ("lfm2moe"; Liquid AI 2025, arXiv:2511.23404): a few layers of attention with norms of each head among layers of short convolutions.
 * The last norm is called token_embd_norm in its files.
 */
public record Lfm2Family(String architecture) implements Family {
    private static final int MOST_ROWS = 64;

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGgufOfLayers(file, architecture, Rope.Pairs.HALVES);
        int kernel = metadata.integer(architecture + ".shortconv.l_cache"), window = metadata.integer(architecture + ".attention.sliding_window", 0);
        if (kernel < 2 || kernel > MOST_ROWS) throw new ModelException("%s: a convolution over %d rows is none that a model has".formatted(metadata.source(), kernel));
        boolean mixture = architecture.equals("lfm2moe");
        var experts = mixture ? Experts.Sizes.fromGguf(metadata, architecture, Experts.Sizes.routing(metadata, architecture, Routing.Scoring.SIGMOID, true)) : null;
        int dense = mixture ? metadata.integer(architecture + ".leading_dense_block_count", 0) : c.layers();
        int[] kvHeads = DecoderConfig.perLayer(metadata, architecture + ".attention.head_count_kv", c.layers());
        var attentions = new AttentionShape[c.layers()];
        var states = new int[c.layers()][];
        for (int layer = 0; layer < c.layers(); layer++) {
            if (kvHeads[layer] != 0 && kvHeads[layer] != c.kvHeads()) {
                throw new ModelException("%s: layers with %d and %d key-value heads are not supported".formatted(metadata.source(), kvHeads[layer], c.kvHeads()));
            }
            boolean attends = kvHeads[layer] > 0;
            attentions[layer] = attends ? c.attention().withWindow(window) : null;
            states[layer] = attends ? new int[0] : new int[] {Math.multiplyExact(kernel - 1, c.dim())};
        }
        var config = DecoderConfig.named(metadata, () -> new LayeredConfig(c, attentions, states));
        return weights.build(w -> of(config, kernel, experts, dense, w, backend));
    }

    /** @param dense how many first layers have no experts */
    private static Decoder of(LayeredConfig config, int kernel, Experts.Sizes experts, int dense, Weights weights, Backend backend) {
        var c = config.decoder();
        var rope = c.rope(weights, backend);
        return Decoder.of(c, (of, w, _) -> Norm.Rms.of(of, w, "token_embd_norm"), weights, (layer, w) -> {
            Norm attnNorm = Norm.Rms.of(c, w, "attn_norm"), ffnNorm = Norm.Rms.of(c, w, "ffn_norm");
            FeedForward feedForward = layer < dense ? SwiGlu.of(w, "", c.dim(), c.hidden()) : Experts.of(w, c.dim(), experts);
            var shape = config.attention(layer);
            if (shape == null) return ShortConv.of(c.dim(), kernel, layer, attnNorm, ffnNorm, feedForward, w);
            return new Block.PreNorm(attnNorm, SelfAttention.of(c, layer, rope, w).withShape(shape).withHeadNorms(c, w), ffnNorm, feedForward);
        }).withConfig(config);
    }
}
