package inkstone.transformer.rwkv7;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.ModelConfig;

/**
 * The numbers of an RWKV-7.
 *
 * @param hidden    width of the channel mix
 * @param headDim   width of a head, whose state is a square
 * @param headEps   of the norm of each head
 * @param decayRank and rateRank, valueRank, gateRank: ranks of the maps that make the decay, the learning rate, the share of the first layer's value, and the gate
 */
public record Rwkv7Config(int vocabularySize, int dim, int hidden, int layers, int headDim, int decayRank, int rateRank, int valueRank, int gateRank, float eps,
                          float headEps, int contextLength) implements ModelConfig {
    /** 64 times the 1e-5 of the other norms: what GGUF files mean that do not say otherwise. */
    static final float HEAD_EPS = 64e-5f;
    /* Ten times what the largest models have: beyond, a file is broken. */
    private static final int MOST_LAYERS = 1 << 11, MOST_FEATURES = 1 << 20, MOST_HEAD = 1 << 10;

    public Rwkv7Config {
        for (int size : new int[] {vocabularySize, dim, hidden, layers, headDim, decayRank, rateRank, valueRank, gateRank, contextLength}) {
            if (size < 1) throw new ModelException("rwkv7 needs sizes of 1 or more, got " + size);
        }
        if (layers > MOST_LAYERS || dim > MOST_FEATURES || hidden > MOST_FEATURES || headDim > MOST_HEAD || dim % headDim != 0) {
            throw new ModelException("%d layers, %d and %d features, or heads of %d are those of no rwkv7".formatted(layers, dim, hidden, headDim));
        }
        if (!(eps >= 0 && eps < 1)) throw new ModelException("norm epsilon must be 0 to 1, got " + eps);
    }

    static Rwkv7Config fromGguf(Metadata file, int vocabularySize) {
        return DecoderConfig.named(file, () -> new Rwkv7Config(vocabularySize, file.integer("rwkv7.embedding_length"), file.integer("rwkv7.feed_forward_length"),
            file.integer("rwkv7.block_count"), file.integer("rwkv7.wkv.head_size"), file.integer("rwkv7.attention.decay_lora_rank"),
            file.integer("rwkv7.attention.iclr_lora_rank"), file.integer("rwkv7.attention.value_residual_mix_lora_rank"),
            file.integer("rwkv7.attention.gate_lora_rank"), file.floating("rwkv7.attention.layer_norm_epsilon"),
            file.floating("rwkv7.attention.group_norm_epsilon", HEAD_EPS), file.integer("rwkv7.context_length")));
    }

    @Override public String architecture() { return "rwkv7"; }
    @Override public AttentionShape attention() { throw new UnsupportedOperationException("rwkv7 has no attention"); }
    @Override public int[] stateWidths() { return new int[] {dim, dim, dim * headDim}; }
}
