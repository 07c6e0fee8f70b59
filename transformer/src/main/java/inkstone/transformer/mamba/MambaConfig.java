package inkstone.transformer.mamba;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.ModelConfig;

/**
 * The numbers of a Mamba.
 *
 * @param inner    width of the state-space layer
 * @param kernel   rows that the convolution sees, the current one included
 * @param states   of each inner feature
 * @param timeRank rank of the map that makes time steps
 */
public record MambaConfig(int vocabularySize, int dim, int layers, int inner, int kernel, int states, int timeRank, float eps, int contextLength) implements ModelConfig {
    /* Ten times what the largest models have: beyond, a file is broken. */
    private static final int MOST_LAYERS = 1 << 11, MOST_FEATURES = 1 << 20;

    public MambaConfig {
        for (int size : new int[] {vocabularySize, dim, layers, inner, states, timeRank, contextLength}) {
            if (size < 1) throw new ModelException("mamba needs sizes of 1 or more, got " + size);
        }
        if (layers > MOST_LAYERS || dim > MOST_FEATURES || inner > MOST_FEATURES || kernel < 2 || kernel > 64 || (long) inner * states > MOST_FEATURES * 64L) {
            throw new ModelException("%d layers, %d and %d features, a convolution over %d or %d states are more than any mamba has"
                .formatted(layers, dim, inner, kernel, states));
        }
        if (!(eps >= 0 && eps < 1)) throw new ModelException("norm epsilon must be 0 to 1, got " + eps);
    }

    static MambaConfig fromGguf(Metadata file, int vocabularySize) {
        return DecoderConfig.named(file, () -> new MambaConfig(vocabularySize, file.integer("mamba.embedding_length"), file.integer("mamba.block_count"),
            file.integer("mamba.ssm.inner_size"), file.integer("mamba.ssm.conv_kernel"), file.integer("mamba.ssm.state_size"), file.integer("mamba.ssm.time_step_rank"),
            file.floating("mamba.attention.layer_norm_rms_epsilon"), file.integer("mamba.context_length")));
    }

    @Override public String architecture() { return "mamba"; }
    @Override public AttentionShape attention() { throw new UnsupportedOperationException("mamba has no attention"); }
    @Override public int[] stateWidths() { return new int[] {(kernel - 1) * inner, inner * states}; }
}
