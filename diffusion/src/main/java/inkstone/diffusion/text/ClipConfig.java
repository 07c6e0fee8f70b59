package inkstone.diffusion.text;

import inkstone.tensor.Elementwise;

/**
 * Sizes of a text encoder of CLIP (Radford et al. 2021, arXiv:2103.00020) or OpenCLIP.
 *
 * @param length     rows: start, tokens, end, padding
 * @param hidden     of the feed-forward
 * @param activation QUICK_GELU of CLIP, GELU_ERF of OpenCLIP
 * @param projection width of the pooled vector, or 0 where there is none
 * @param padding    the token behind the end
 */
public record ClipConfig(int vocabulary, int length, int width, int layers, int heads, int hidden, Elementwise activation, int projection, int padding) {
    /** ViT-L/14 of CLIP: Stable Diffusion 1, and the first of XL. */
    public static final ClipConfig VIT_L = new ClipConfig(ClipTokenizer.VOCABULARY, ClipTokenizer.LENGTH, 768, 12, 12, 3072, Elementwise.QUICK_GELU, 0, ClipTokenizer.END);
    /** ViT-H/14 of OpenCLIP: Stable Diffusion 2. */
    public static final ClipConfig VIT_H = new ClipConfig(ClipTokenizer.VOCABULARY, ClipTokenizer.LENGTH, 1024, 24, 16, 4096, Elementwise.GELU_ERF, 1024, 0);
    /** ViT-bigG/14 of OpenCLIP: the second of Stable Diffusion XL. */
    public static final ClipConfig VIT_BIG_G = new ClipConfig(ClipTokenizer.VOCABULARY, ClipTokenizer.LENGTH, 1280, 32, 20, 5120, Elementwise.GELU_ERF, 1280, 0);
}
