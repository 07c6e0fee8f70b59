package inkstone.transformer.gemma4;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.ModelConfig;
import inkstone.transformer.layers.Windows;

/**
 * The numbers of a Gemma 4.
 *
 * @param decoder      its heads and feed-forward are those of the widest layer
 * @param windows      of each layer, 0 where it sees all; never written to
 * @param kvHeads      and {@code hiddens}: of each layer; never written to
 * @param localHeadDim width of a head in windowed layers, {@code localRotaryDim} how much of it turns, {@code localBase} by which base
 * @param sharing      how many last layers read the keys and values of earlier ones
 * @param perLayer     width of what each layer gets of each token beside the hidden state, 0 for nothing
 * @param logitCap     soft cap of the logits, 0 for none
 * @param scales       what the result of each layer is multiplied by; never written to
 */
record Gemma4Config(DecoderConfig decoder, int[] windows, int[] kvHeads, int[] hiddens, int localHeadDim, int localRotaryDim, float localBase, int sharing, int perLayer,
                    float logitCap, float[] scales) implements ModelConfig {
    static final String SCALE = "layer_output_scale.weight";

    Gemma4Config {
        if (localHeadDim < 1 || localHeadDim > 1 << 12 || localRotaryDim < 2 || localRotaryDim % 2 != 0 || localRotaryDim > localHeadDim || perLayer < 0 || perLayer > 1 << 16) {
            throw new ModelException("gemma 4 needs local heads of which an even part turns, got %d and %d, and %d features for each layer".formatted(localHeadDim, localRotaryDim, perLayer));
        }
        if (sharing < 0 || sharing > 0 && decoder.layers() - sharing < 2) {
            throw new ModelException("%d layers cannot share the keys of %d others".formatted(sharing, decoder.layers() - sharing));
        }
        for (int layer = decoder.layers() - sharing; layer < decoder.layers(); layer++) {
            int source = decoder.layers() - sharing - (windows[layer] > 0 ? 2 : 1);
            if (windows[source] != windows[layer]) throw new ModelException("layer %d cannot read the keys of layer %d, which sees another window".formatted(layer, source));
        }
        for (int kv : kvHeads) if (kv < 1 || decoder.heads() % kv != 0) {
            throw new ModelException("%d heads cannot be shared evenly by %d key-value heads".formatted(decoder.heads(), kv));
        }
        if (!(localBase > 1) || !(logitCap >= 0)) {
            throw new ModelException("gemma 4 needs a local rope base above 1 and a soft cap of 0 or more, got %s and %s".formatted(localBase, logitCap));
        }
    }

    @Override public String architecture() { return decoder.architecture(); }
    @Override public int vocabularySize() { return decoder.vocabularySize(); }
    @Override public int dim() { return decoder.dim(); }
    @Override public int layers() { return decoder.layers(); }
    @Override public int contextLength() { return decoder.contextLength(); }

    int headDim(int layer) { return windows[layer] > 0 ? localHeadDim : decoder.headDim(); }

    /** The layer whose keys and values this one reads: its own, or the last before the sharing ones that sees as far. */
    int source(int layer) {
        int own = decoder.layers() - sharing;
        return layer < own ? layer : own - (windows[layer] > 0 ? 2 : 1);
    }

    AttentionShape shape(int layer) { return new AttentionShape(decoder.heads(), kvHeads[source(layer)], headDim(layer), 1).withWindow(windows[layer]); }

    @Override public AttentionShape attention(int layer) { return source(layer) == layer ? shape(layer) : null; }

    @Override public AttentionShape attention() {
        var widest = shape(0);
        for (int layer = 1; layer < layers(); layer++) if (shape(layer).keyDim() > widest.keyDim()) widest = shape(layer);
        return widest;
    }

    static Gemma4Config fromGguf(Checkpoint checkpoint, DecoderConfig c) {
        var file = checkpoint.metadata();
        return DecoderConfig.named(file, () -> {
            int[] windows = Windows.of(file, "gemma4", c.layers(), file.integer("gemma4.attention.sliding_window"), 6);
            int localHeadDim = file.integer("gemma4.attention.key_length_swa", c.headDim()), localValueDim = file.integer("gemma4.attention.value_length_swa", localHeadDim);
            if (localValueDim != localHeadDim) {
                throw new ModelException("local keys of %d and values of %d dimensions differ, which no gemma 4 has".formatted(localHeadDim, localValueDim));
            }
            var scales = new float[c.layers()];
            for (int layer = 0; layer < scales.length; layer++) {
                float[] scale = DecoderConfig.vector(checkpoint, "blk.%d.%s".formatted(layer, SCALE));
                scales[layer] = scale == null || scale.length == 0 ? 1 : scale[0];
            }
            return new Gemma4Config(c, windows, DecoderConfig.perLayer(file, "gemma4.attention.head_count_kv", c.layers()),
                DecoderConfig.perLayer(file, "gemma4.feed_forward_length", c.layers()), localHeadDim, file.integer("gemma4.rope.dimension_count_swa", localHeadDim),
                file.floating("gemma4.rope.freq_base_swa", 10_000), file.integer("gemma4.attention.shared_kv_layers", 0), file.integer("gemma4.embedding_length_per_layer_input", 0),
                file.floating("gemma4.final_logit_softcapping", 0), scales);
        });
    }
}
