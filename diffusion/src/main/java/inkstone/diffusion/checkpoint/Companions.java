package inkstone.diffusion.checkpoint;

import java.nio.file.Path;
import java.util.List;

/**
 * Files beside a model's own: what it lacks, or what is to be used in place of its own. Each may be null.
 *
 * @param autoencoder  of Stable Diffusion's layout
 * @param texts        text encoders, those of the model in their order: CLIP's ViT-L, then for XL OpenCLIP's bigG; empty: the model's own
 * @param tinyDecoder  of TAESD, for previews
 */
public record Companions(Path autoencoder, List<Path> texts, Path tinyDecoder) {
    public static final Companions NONE = new Companions(null, List.of(), null);
}
