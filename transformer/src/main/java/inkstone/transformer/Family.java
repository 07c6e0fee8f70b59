package inkstone.transformer;

import inkstone.tensor.Backend;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tensor.checkpoint.Stored;
import java.util.Map;
import java.util.Set;
import java.util.function.IntUnaryOperator;

/** A model family: how its files become a model. Stateless. */
public interface Family {
    /** {@code general.architecture} of its GGUF files. */
    String architecture();

    /** {@code architectures} of the Hugging Face models it reads; none where it reads GGUF files alone. */
    default Set<String> huggingFaceArchitectures() { return Set.of(); }

    /** A model of a GGUF file; throws {@link inkstone.tensor.ModelException} where metadata or tensors do not fit. */
    CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend);

    /** What a Hugging Face config.json says of a model. */
    default HuggingFaceModel fromHuggingFace(Metadata config) {
        throw new UnsupportedOperationException("%s: %s models are read from GGUF files only".formatted(config.source(), architecture()));
    }

    /** A model as Hugging Face stores it, told in the words of GGUF, which are those of the code. */
    interface HuggingFaceModel {
        /** The GGUF name of a tensor; a name it does not know stays. */
        String ggufName(String tensor);

        /** {@code weights} go by their GGUF names. */
        CausalModel of(CheckpointWeights weights, Backend backend);

        /** The {@code architecture.*} keys of a GGUF file. */
        Map<String, Object> ggufMetadata();

        /** How the tensor is kept, compared with a GGUF file. */
        default Stored stored(String ggufName) { return Stored.AS_ASKED; }

        /** Which row of the tensor becomes a row of it in a GGUF file, where rotary pairs may lie elsewhere. */
        default IntUnaryOperator sourceRow(String ggufName) { return IntUnaryOperator.identity(); }

        /** F32 vectors that a GGUF file has and a Hugging Face model computes from its configuration. */
        default Map<String, float[]> ggufVectors() { return Map.of(); }

        /** Whether the tensor is a buffer of an old release that a GGUF file leaves out. */
        default boolean unused(String ggufName) { return false; }
    }
}
