package inkstone.transformer.granite;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.ModelException;
import inkstone.transformer.DecoderConfig;

/**
 * The numbers of a Granite.
 *
 * @param embeddingScale what embeddings are multiplied by
 * @param residualScale  what each part of a block is multiplied by before it is added
 * @param attentionScale what scores are multiplied by
 * @param logitScale     what logits are divided by
 * @param shared         width of the expert that every row goes to, 0 for none
 * @param turns          whether it has rotary positions; its files say so in rope.scaling.finetuned
 */
public record GraniteConfig(DecoderConfig decoder, float embeddingScale, float residualScale, float attentionScale, float logitScale, int shared, boolean turns) {
    public GraniteConfig {
        if (shared < 0) throw new ModelException("granite needs a shared expert of 0 or more features, got " + shared);
        if (!(embeddingScale > 0 && residualScale > 0 && attentionScale > 0 && logitScale > 0)) {
            throw new ModelException("granite needs scales above 0, got %s, %s, %s and %s".formatted(embeddingScale, residualScale, attentionScale, logitScale));
        }
    }

    AttentionShape attention() { return new AttentionShape(decoder.heads(), decoder.kvHeads(), decoder.headDim(), attentionScale); }
}
