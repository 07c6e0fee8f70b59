package inkstone.transformer.bert;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.EmbeddingFamily;
import inkstone.transformer.EmbeddingModel;
import inkstone.transformer.Pooling;

/** BERT and the sentence embedders made of it (MiniLM, BGE, E5). */
public final class BertFamily implements EmbeddingFamily {
    @Override public String architecture() { return "bert"; }

    @Override public EmbeddingModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        var pooling = switch (metadata.integer("bert.pooling_type", 1)) {
            case 1 -> Pooling.MEAN;
            case 2 -> Pooling.CLS;
            case 3 -> Pooling.LAST;
            default -> throw new ModelException("%s: bert.pooling_type is %d, expected 1 (mean), 2 (first token) or 3 (last token)"
                .formatted(metadata.source(), metadata.integer("bert.pooling_type")));
        };
        if (metadata.bool("bert.attention.causal", false)) throw new ModelException("%s: a causal bert is not supported".formatted(metadata.source()));
        int types = metadata.integer("tokenizer.ggml.token_type_count", 2);
        if (types < 1) throw new ModelException("%s: token_type_count must be 1 or more, got %d".formatted(metadata.source(), types));
        return weights.build(w -> Bert.of(config, types, pooling, w));
    }
}
