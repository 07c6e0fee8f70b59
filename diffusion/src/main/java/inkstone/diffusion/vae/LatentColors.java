package inkstone.diffusion.vae;

import inkstone.diffusion.Picture;

/**
 * Latents seen without a network: the colour of each place as a linear function of its four numbers, fitted to what the decoders show (the factors that stable-diffusion.cpp and ComfyUI
 * use). A preview as small as the latent, at no cost.
 */
public enum LatentColors {
    STABLE_DIFFUSION(new float[][] {{.337366f, .216344f, .257386f}, {.165636f, .386828f, .046994f}, {-.267803f, .237036f, .223517f}, {-.178022f, -.200862f, -.678514f}},
        new float[] {-.017478f, -.055834f, -.105825f}),
    STABLE_DIFFUSION_XL(new float[][] {{.258303f, .277640f, .329699f}, {-.299701f, .105446f, .014194f}, {.050522f, .186163f, -.143257f}, {-.211938f, -.149892f, -.080036f}},
        new float[] {.144381f, -.033313f, .007061f});

    private final float[][] factors;
    private final float[] bias;

    LatentColors(float[][] factors, float[] bias) {
        this.factors = factors;
        this.bias = bias;
    }

    /** @param latent as the diffusion network sees it, scaled: [height, width, 4] */
    public Picture picture(float[] latent, int width, int height) {
        int channels = factors.length;
        if (latent.length != channels * width * height) {
            throw new IllegalArgumentException("expected %d numbers for %d x %d places of a latent, got %d".formatted(channels * width * height, width, height, latent.length));
        }
        var rgb = new float[3 * width * height];
        for (int i = 0; i < rgb.length; i++) {
            float value = bias[i % 3];
            for (int c = 0; c < channels; c++) value += latent[i / 3 * channels + c] * factors[c][i % 3];
            rgb[i] = value;
        }
        return Picture.of(width, height, 3, rgb);
    }
}
