package inkstone.transformer;

import inkstone.tensor.checkpoint.Metadata;
import java.util.Set;

/** What every family knows of its models as Hugging Face stores them. Stateless. */
public interface HuggingFaceFamily {
    /** {@code general.architecture} of its GGUF files. */
    String architecture();

    /** {@code architectures} of the Hugging Face models it reads; none where it reads GGUF files alone. */
    default Set<String> huggingFaceArchitectures() { return Set.of(); }

    /** What adapters of its Hugging Face models are read and written by; null where it has none, or where their rows cannot be told without a config.json. */
    default AdapterLayout adapterLayout() { return null; }

    /** What a Hugging Face config.json says of a model. */
    default HuggingFaceModel fromHuggingFace(Metadata config) {
        throw new UnsupportedOperationException("%s: %s models are read from GGUF files only".formatted(config.source(), architecture()));
    }
}
