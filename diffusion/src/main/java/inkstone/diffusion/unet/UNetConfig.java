package inkstone.diffusion.unet;

import java.util.List;

/**
 * Sizes of a UNet (Ronneberger et al. 2015, arXiv:1505.04597) as latent diffusion has it (Rombach et al. 2021, arXiv:2112.10752).
 *
 * @param inChannels  of the noisy picture and, behind it, of what else the network sees: 4, or 9 of inpainting models (latent, mask, latent of the rest)
 * @param outChannels of the prediction
 * @param channels    of the first level; a multiple of 32
 * @param multipliers channels of each level, in multiples of {@code channels}; each level but the last halves width and height
 * @param blocks      residual blocks of a level on the way down; on the way up there is one more
 * @param depths      transformer blocks behind each residual block of a level; 0: none
 * @param middleDepth transformer blocks between the two residual blocks where the picture is smallest
 * @param context     width of the text's rows, to which transformer blocks attend
 * @param heads       of every attention, or 0: one for each {@code headDim} channels
 * @param headDim     see heads
 * @param labels      width of a vector beside the time, such as sizes and pooled text (SDXL: 2816), or 0
 * @param guidance    width of the guidance's embedding, of latent consistency models, or 0
 */
public record UNetConfig(int inChannels, int outChannels, int channels, List<Integer> multipliers, int blocks, List<Integer> depths, int middleDepth, int context, int heads, int headDim,
                         int labels, int guidance) {
    public static final UNetConfig STABLE_DIFFUSION_1 = new UNetConfig(4, 4, 320, List.of(1, 2, 4, 4), 2, List.of(1, 1, 1, 0), 1, 768, 8, 0, 0, 0);
    public static final UNetConfig STABLE_DIFFUSION_2 = new UNetConfig(4, 4, 320, List.of(1, 2, 4, 4), 2, List.of(1, 1, 1, 0), 1, 1024, 0, 64, 0, 0);
    public static final UNetConfig STABLE_DIFFUSION_XL = new UNetConfig(4, 4, 320, List.of(1, 2, 4), 2, List.of(0, 2, 10), 10, 2048, 0, 64, 2816, 0);

    public int levels() { return multipliers.size(); }

    /** Width of the embedding of time. */
    int embedding() { return 4 * channels; }

    int channelsAt(int level) { return channels * multipliers.get(level); }

    int headsOf(int channels) { return heads > 0 ? heads : Math.max(1, channels / headDim); }

    /** Widths and heights of latents are multiples of it. */
    public int multiple() { return 1 << levels() - 1; }
}
