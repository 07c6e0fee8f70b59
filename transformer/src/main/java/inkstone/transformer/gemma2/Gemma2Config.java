package inkstone.transformer.gemma2;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.ModelException;
import inkstone.transformer.DecoderConfig;

/**
 * The numbers of a Gemma 2.
 *
 * @param queryScale what scores are multiplied by
 * @param scoreCap   soft cap of the scores of attention
 * @param logitCap   soft cap of the logits
 * @param windows    of each layer, 0 where it sees all; never written to
 */
public record Gemma2Config(DecoderConfig decoder, float queryScale, float scoreCap, float logitCap, int[] windows) {
    public Gemma2Config {
        if (!(queryScale > 0 && scoreCap > 0 && logitCap > 0)) {
            throw new ModelException("gemma 2 needs a scale and soft caps above 0, got %s, %s and %s".formatted(queryScale, scoreCap, logitCap));
        }
    }

    AttentionShape attention(int layer) {
        return new AttentionShape(decoder.heads(), decoder.kvHeads(), decoder.headDim(), queryScale).withWindow(windows[layer]).withSoftCap(scoreCap);
    }
}
