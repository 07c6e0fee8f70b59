package inkstone.transformer.layers;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.ModelException;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.ModelConfig;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Objects;

/**
 * The numbers of a model whose layers differ in what they keep of a sequence.
 *
 * @param attentions of each layer, null where it keeps no keys and values of its own; never written to
 * @param states     widths of the states of each layer, none where it is not recurrent; never written to
 */
public record LayeredConfig(DecoderConfig decoder, AttentionShape[] attentions, int[][] states) implements ModelConfig {
    /* Floats that a state may have: ten times what the largest models have. */
    private static final long MOST = 1 << 26;

    public LayeredConfig {
        for (var widths : states) for (int width : widths) if (width < 1 || width > MOST) throw new ModelException("a state of %d numbers is none that a model has".formatted(width));
    }

    @Override public String architecture() { return decoder.architecture(); }
    @Override public int vocabularySize() { return decoder.vocabularySize(); }
    @Override public int dim() { return decoder.dim(); }
    @Override public int layers() { return decoder.layers(); }
    @Override public int contextLength() { return decoder.contextLength(); }
    @Override public AttentionShape attention(int layer) { return attentions[layer]; }
    @Override public int[] stateWidths(int layer) { return states[layer]; }

    @Override public AttentionShape attention() {
        return Arrays.stream(attentions).filter(Objects::nonNull).max(Comparator.comparingInt(AttentionShape::keyDim))
            .orElseThrow(() -> new UnsupportedOperationException("%s has no attention".formatted(architecture())));
    }

    /** Of the widest layer. */
    @Override public int[] stateWidths() { return Arrays.stream(states).max(Comparator.comparingInt(widths -> widths.length)).orElse(new int[0]); }
}
