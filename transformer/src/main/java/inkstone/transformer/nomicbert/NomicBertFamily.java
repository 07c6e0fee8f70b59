package inkstone.transformer.nomicbert;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.EmbeddingFamily;
import inkstone.transformer.EmbeddingModel;

/** nomic-embed-text 1 and 1.5. */
public final class NomicBertFamily implements EmbeddingFamily {
    @Override public String architecture() { return "nomic-bert"; }

    @Override public EmbeddingModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        if (metadata.bool("nomic-bert.attention.causal", false)) throw new ModelException("%s: a causal nomic-bert is not supported".formatted(metadata.source()));
        int types = metadata.integer("tokenizer.ggml.token_type_count", 2);
        if (types < 1) throw new ModelException("%s: token_type_count must be 1 or more, got %d".formatted(metadata.source(), types));
        return weights.build(w -> NomicBert.of(config, types, w, backend));
    }
}
