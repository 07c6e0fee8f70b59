package inkstone.diffusion.sampling;

/** A stream of normal random numbers. Its state moves on; not for two threads. */
@FunctionalInterface
public interface NoiseSource {
    /** The next n, of mean 0 and variance 1. */
    float[] normal(int n);

    /**
     * This stream for states whose pixels are rows [h, w, channels]: numbers are drawn in PyTorch's order [channels, h, w], in which other programs draw them, so that a seed means the same picture.
     */
    default NoiseSource channelsLast(int channels) {
        return n -> {
            float[] drawn = normal(n), turned = new float[n];
            int pixels = n / channels;
            for (int c = 0; c < channels; c++) for (int pixel = 0; pixel < pixels; pixel++) turned[pixel * channels + c] = drawn[c * pixels + pixel];
            return turned;
        };
    }
}
