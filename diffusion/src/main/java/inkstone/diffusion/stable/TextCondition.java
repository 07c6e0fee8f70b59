package inkstone.diffusion.stable;

import inkstone.diffusion.layers.Sinusoid;

/**
 * What the network sees of a prompt.
 *
 * @param rows   of text, [length, width]
 * @param pooled one vector for the whole, or null where the network has no labels
 */
record TextCondition(float[] rows, int length, float[] pooled) {
    private static final int SIZE_WIDTH = 256;

    /** Nothing: what diffusers has in place of an empty negative prompt of Stable Diffusion XL, since training dropped text so. */
    TextCondition zeros() { return new TextCondition(new float[rows.length], length, pooled == null ? null : new float[pooled.length]); }

    /** The labels of Stable Diffusion XL (Podell et al. 2023, arXiv:2307.01952, section 2.2): pooled text, then the size of the original, what was cropped from it, and the size wanted. */
    float[] labels(int width, int height) {
        int[] sizes = {height, width, 0, 0, height, width};
        var labels = new float[pooled.length + sizes.length * SIZE_WIDTH];
        System.arraycopy(pooled, 0, labels, 0, pooled.length);
        for (int i = 0; i < sizes.length; i++) System.arraycopy(Sinusoid.of(sizes[i], SIZE_WIDTH), 0, labels, pooled.length + i * SIZE_WIDTH, SIZE_WIDTH);
        return labels;
    }
}
