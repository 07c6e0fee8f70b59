package inkstone.diffusion.vae;

import java.util.List;

/**
 * Sizes of a convolutional autoencoder (Rombach et al. 2021, arXiv:2112.10752).
 *
 * @param pictureChannels of the picture: 3
 * @param channels        of the first level; a multiple of {@code groups}
 * @param multipliers     channels of each level, in multiples of {@code channels}; each level but the last halves width and height
 * @param blocks          residual blocks of a level of the encoder; the decoder has one more
 * @param latentChannels  numbers at a place of the latent
 * @param groups          of the group norms
 * @param variational     whether the encoder gives mean and log-variance (Kingma & Welling 2013, arXiv:1312.6114), twice latentChannels; else the latent
 * @param mixed           whether a linear map of each place stands behind the encoder and before the decoder (quant_conv, post_quant_conv)
 * @param scale           what networks see is (latent - shift) · scale
 * @param shift           see scale
 */
public record AutoencoderConfig(int pictureChannels, int channels, List<Integer> multipliers, int blocks, int latentChannels, int groups, boolean variational, boolean mixed, float scale,
                                float shift) {
    /** Stable Diffusion 1 and 2. */
    public static final AutoencoderConfig STABLE_DIFFUSION = new AutoencoderConfig(3, 128, List.of(1, 2, 4, 4), 2, 4, 32, true, true, 0.18215f, 0);
    /** Stable Diffusion XL: the same network with other weights. */
    public static final AutoencoderConfig STABLE_DIFFUSION_XL = STABLE_DIFFUSION.withScale(0.13025f, 0);

    public AutoencoderConfig withScale(float scale, float shift) {
        return new AutoencoderConfig(pictureChannels, channels, multipliers, blocks, latentChannels, groups, variational, mixed, scale, shift);
    }

    /** Pixels of a picture for one place of the latent, in each direction. */
    public int factor() { return 1 << multipliers.size() - 1; }

    int channelsAt(int level) { return channels * multipliers.get(level); }

    int deepest() { return channelsAt(multipliers.size() - 1); }
}
