package inkstone.transformer.mamba2;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.ModelConfig;
import inkstone.transformer.layers.Ssd;

/** The numbers of a Mamba-2. */
record Mamba2Config(int vocabularySize, int dim, int layers, Ssd.Sizes sizes, float eps, int contextLength) implements ModelConfig {
    /* Ten times what the largest models have: beyond, a file is broken. */
    private static final int MOST_LAYERS = 1 << 11, MOST_FEATURES = 1 << 20;

    Mamba2Config {
        if (vocabularySize < 1 || dim < 1 || dim > MOST_FEATURES || layers < 1 || layers > MOST_LAYERS || contextLength < 1 || !(eps >= 0 && eps < 1)) {
            throw new ModelException("%d layers of %d features, a norm epsilon of %s or a context of %d are those of no mamba2".formatted(layers, dim, eps, contextLength));
        }
    }

    static Mamba2Config fromGguf(Metadata file, int vocabularySize) {
        return DecoderConfig.named(file, () -> new Mamba2Config(vocabularySize, file.integer("mamba2.embedding_length"), file.integer("mamba2.block_count"),
            Ssd.Sizes.fromGguf(file, "mamba2"), file.floating("mamba2.attention.layer_norm_rms_epsilon"), file.integer("mamba2.context_length")));
    }

    @Override public String architecture() { return "mamba2"; }
    @Override public AttentionShape attention() { throw new UnsupportedOperationException("mamba2 has no attention"); }
    @Override public int[] stateWidths() { return sizes.stateWidths(); }
}
