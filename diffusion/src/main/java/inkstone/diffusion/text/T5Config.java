package inkstone.diffusion.text;

/**
 * Sizes of a T5 encoder.
 *
 * @param width  of a token
 * @param hidden of the feed-forward
 */
public record T5Config(int vocabulary, int width, int layers, int heads, int headDim, int hidden) {
    /** T5 1.1 XXL, which Stable Diffusion 3 and FLUX read prompts with. */
    public static final T5Config XXL = new T5Config(32_128, 4096, 24, 64, 64, 10_240);

    public T5Config {
        if (vocabulary < 1 || width < 1 || layers < 1 || heads < 1 || headDim < 1 || hidden < 1) {
            throw new IllegalArgumentException("sizes of a T5 encoder are 1 or more, got vocabulary %d, width %d, %d layers, %d heads of %d, hidden %d".formatted(vocabulary, width, layers, heads, headDim, hidden));
        }
    }
}
