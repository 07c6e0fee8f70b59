package inkstone.transformer;

import inkstone.tensor.AdaptedWeights;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tensor.checkpoint.TensorInfo;
import java.util.Map;
import java.util.function.Function;
import java.util.function.IntUnaryOperator;

/**
 * What adapters must know of the model that they change: its matrices, their names and the order of their rows; and how to make the model anew with other linear maps, on
 * the weights that are there already. Immutable, for any thread while the model is open.
 *
 * @param metadata of the model's file, or of its folder seen as one
 * @param tensors  by the names that models ask for
 * @param layout   of the family's Hugging Face models; null where its adapters from there cannot be read
 * @param folder   whether it is a folder, whose rows lie as in Hugging Face's files
 * @param builder  makes the model with adapted linear maps
 */
public record AdapterBase(Metadata metadata, Map<String, TensorInfo> tensors, AdapterLayout layout, boolean folder,
                          Function<AdaptedWeights.Adaptation, CausalModel> builder) {
    /** Of a model whose weights nothing can change. */
    public static AdapterBase none(String name) {
        return new AdapterBase(new Metadata(name, Map.of()), Map.of(), null, false, adaptation -> {
            throw new UnsupportedOperationException("%s has no weights that an adapter could change".formatted(name));
        });
    }

    static AdapterBase of(Checkpoint file, HuggingFaceFamily family, boolean folder, Function<AdaptedWeights.Adaptation, CausalModel> builder) {
        return new AdapterBase(file.metadata(), file.tensors(), family.adapterLayout(), folder, builder);
    }

    /** Of a file that is open to be written anew: such a one makes no model. */
    static AdapterBase of(Checkpoint file, HuggingFaceFamily family, boolean folder) {
        return of(file, family, folder, adaptation -> { throw new IllegalStateException("this file is open to be merged, not to run"); });
    }

    /** Name of the model's file. */
    public String source() { return metadata.source(); }

    public String architecture() { return metadata.string("general.architecture"); }

    /** [out, in] of a linear map; null where the model has no matrix of that name. */
    public Shape shape(String linear) {
        var info = tensors.get(linear + ".weight");
        if (info == null && isTied(linear)) info = tensors.get("token_embd.weight");
        return info == null || info.shape().rank() != 2 ? null : info.shape();
    }

    /** Whether this is the output head, and the model uses its embeddings for it. */
    public boolean isTied(String linear) { return linear.equals("output") && !tensors.containsKey("output.weight"); }

    /** Row of a linear map here -> the same row in Hugging Face's files. */
    public IntUnaryOperator huggingFaceRow(String linear) { return folder ? IntUnaryOperator.identity() : turned(linear); }

    /** Row of a linear map in GGUF files -> the same row here. */
    public IntUnaryOperator rowOfGguf(String linear) { return folder ? turned(linear) : IntUnaryOperator.identity(); }

    private IntUnaryOperator turned(String linear) {
        if (layout == null || !layout.halved() || !HuggingFaceModel.isTurned(linear + ".weight")) return IntUnaryOperator.identity();
        var prefix = architecture() + ".";
        int headDim = metadata.has(prefix + "attention.key_length") ? metadata.integer(prefix + "attention.key_length")
            : metadata.integer(prefix + "embedding_length") / metadata.integer(prefix + "attention.head_count");
        return HuggingFaceModel.turned(headDim, metadata.integer(prefix + "rope.dimension_count", headDim));
    }
}
