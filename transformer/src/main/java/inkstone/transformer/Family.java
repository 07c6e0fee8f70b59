package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;

/** A model family: how its files become a model. Stateless. */
public interface Family extends HuggingFaceFamily {
    /** A model of a GGUF file, or of a folder seen as one; throws {@link inkstone.tensor.ModelException} where metadata or tensors do not fit. */
    CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend);
}
