package inkstone.transformer;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.TensorInfo;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What a user wants otherwise than a {@link QuantizationMixture} has it.
 *
 * @param pure       every matrix in the mixture's own format, none with more bits
 * @param keepOutput the output matrix stays as it is
 * @param embedding  format of the token embeddings; null: as the mixture has it
 * @param output     format of the output matrix, be it the embeddings' as well; null: as the mixture has it
 * @param tensors    formats of the tensors whose name has a match of the pattern somewhere; the first that matches counts
 */
public record MixtureOverrides(boolean pure, boolean keepOutput, DType embedding, DType output, Map<Pattern, DType> tensors) {
    public static final MixtureOverrides NONE = new MixtureOverrides(false, false, null, null, Map.of());

    /** The format that a tensor's name is given, if it is. */
    Optional<DType> named(String name) { return tensors.entrySet().stream().filter(entry -> entry.getKey().matcher(name).find()).map(Map.Entry::getValue).findFirst(); }

    /** Throws where a pattern matches nothing: it is misspelt. */
    void requireMatches(String source, Collection<TensorInfo> all) {
        for (var pattern : tensors.keySet()) {
            if (all.stream().noneMatch(tensor -> pattern.matcher(tensor.name()).find())) throw new ModelException("%s has no tensor whose name contains %s".formatted(source, pattern));
        }
    }
}
