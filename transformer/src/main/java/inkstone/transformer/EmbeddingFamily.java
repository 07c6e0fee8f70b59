package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;

/** A family of encoders: how its files become a model. Stateless. */
public interface EmbeddingFamily extends HuggingFaceFamily {
    /** A model of a GGUF file, or of a folder seen as one; throws {@link inkstone.tensor.ModelException} where metadata or tensors do not fit. */
    EmbeddingModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend);
}
