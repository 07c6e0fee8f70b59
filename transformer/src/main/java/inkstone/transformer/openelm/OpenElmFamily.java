package inkstone.transformer.openelm;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.LayeredConfig;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import inkstone.transformer.layers.SwiGlu;

/** OpenELM (Mehta et al. 2024, arXiv:2404.14619): Llama's block with norms of each head; later layers have more heads and wider feed-forwards. */
public final class OpenElmFamily implements Family {
    @Override public String architecture() { return "openelm"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var c = DecoderConfig.fromGgufOfLayers(file, architecture(), Rope.Pairs.HALVES);
        int[] heads = DecoderConfig.perLayer(metadata, "openelm.attention.head_count", c.layers());
        int[] kvHeads = DecoderConfig.perLayer(metadata, "openelm.attention.head_count_kv", c.layers());
        int[] hiddens = DecoderConfig.perLayer(metadata, "openelm.feed_forward_length", c.layers());
        var layers = new DecoderConfig[c.layers()];
        var attentions = new AttentionShape[c.layers()];
        for (int i = 0; i < layers.length; i++) {
            int layer = i;
            layers[i] = DecoderConfig.named(metadata, () -> c.withLayer(heads[layer], kvHeads[layer], hiddens[layer]));
            attentions[i] = layers[i].attention();
        }
        var config = new LayeredConfig(c, attentions, new int[c.layers()][0]);
        return weights.build(w -> {
            var rope = c.rope(w, backend);
            return Decoder.of(c, Norm.Rms::of, w, (layer, at) -> new Block.PreNorm(Norm.Rms.of(c, at, "attn_norm"),
                SelfAttention.of(layers[layer], layer, rope, at).withHeadNorms(c, at), Norm.Rms.of(c, at, "ffn_norm"), SwiGlu.of(at, "", c.dim(), hiddens[layer]))).withConfig(config);
        });
    }
}
