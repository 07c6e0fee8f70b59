package inkstone.diffusion.mmdit;

/**
 * Sizes of a multimodal diffusion transformer (Esser et al. 2024, arXiv:2403.03206): width and heads follow from the depth, as in all published ones.
 *
 * @param depth          blocks; also heads
 * @param headDim        width of a head; {@code depth · headDim} is the model's width
 * @param channels       of the latents
 * @param patch          pixels of a patch in each direction
 * @param positions      of the table of positions in each direction, from whose middle a picture's are taken
 * @param context        width of the text's tokens
 * @param pooled         width of the text as one vector
 * @param queryKeyNorm   whether queries and keys are scaled to unit mean square ("3.5")
 * @param secondaryAttention how many of the first blocks have a second attention among the picture's patches alone ("3.5 medium": 13)
 */
public record MmDitConfig(int depth, int headDim, int channels, int patch, int positions, int context, int pooled, boolean queryKeyNorm, int secondaryAttention) {
    public MmDitConfig {
        if (depth < 1 || headDim < 1 || channels < 1 || patch < 1 || positions < 1 || context < 1 || pooled < 1 || secondaryAttention < 0 || secondaryAttention > depth) {
            throw new IllegalArgumentException("sizes of a multimodal diffusion transformer are 1 or more, with second attentions in at most all blocks; got depth %d, heads of %d, %d channels, patches of %d, %d positions, context %d, pooled %d, %d second attentions"
                .formatted(depth, headDim, channels, patch, positions, context, pooled, secondaryAttention));
        }
    }

    /** Stable Diffusion 3 medium. */
    public static final MmDitConfig MEDIUM_3 = new MmDitConfig(24, 64, 16, 2, 192, 4096, 2048, false, 0);
    /** Stable Diffusion 3.5 medium. */
    public static final MmDitConfig MEDIUM_3_5 = new MmDitConfig(24, 64, 16, 2, 384, 4096, 2048, true, 13);
    /** Stable Diffusion 3.5 large. */
    public static final MmDitConfig LARGE_3_5 = new MmDitConfig(38, 64, 16, 2, 192, 4096, 2048, true, 0);

    public int width() { return depth * headDim; }
}
