package inkstone.gan;

/**
 * What a pair of networks is.
 *
 * @param family   which of the six
 * @param size     height and width of the pictures: a power of two from 8 on; 28 for CoGAN, whose layers make no other
 * @param channels of the pictures: 1 or 3
 * @param latent   random numbers that a picture is made of
 * @param width    channels: of DCGAN's layer next to the picture (each further one has twice as many), of the largest layers of the growing and style-based networks
 * @param most     the most channels of a layer of the growing and style-based networks; ignored by the others
 * @param mapping  layers of the mapping network of style-based generators; ignored by the others
 * @param classes  that can be asked for, in StyleGAN2; 0: none
 */
public record GanConfig(Family family, int size, int channels, int latent, int width, int most, int mapping, int classes) {
    /** The six, in the order of their years. */
    public enum Family {
        GAN(2014, "GAN"), DCGAN(2015, "DCGAN"), COGAN(2016, "CoGAN"), PROGRESSIVE(2017, "Progressive GAN"), STYLEGAN(2018, "StyleGAN"), STYLEGAN2(2019, "StyleGAN2");

        public final int year;
        public final String title;

        Family(int year, String title) {
            this.year = year;
            this.title = title;
        }

        /** Whether it grows from 4 x 4 pixels on. */
        public boolean grows() { return this == PROGRESSIVE || this == STYLEGAN; }

        /** Whether it has a mapping network and styles. */
        public boolean styled() { return this == STYLEGAN || this == STYLEGAN2; }
    }

    public GanConfig {
        if (family == Family.COGAN ? size != 28 : size < 8 || size > 1024 || Integer.bitCount(size) != 1) {
            throw new IllegalArgumentException(family == Family.COGAN ? "CoGAN makes pictures of 28 x 28 pixels, got size " + size : "size: expected a power of two from 8 to 1024, got " + size);
        }
        if (channels != 1 && channels != 3) throw new IllegalArgumentException("channels: expected 1 or 3, got " + channels);
        if (latent < 1 || latent > 4096 || width < 1 || width > 65_536 || most < 1 || most > 4096) {
            throw new IllegalArgumentException("expected a latent of 1 to 4096, a width of 1 to 65536 and at most 4096 channels, got %d, %d and %d".formatted(latent, width, most));
        }
        if (family.styled() && (mapping < 1 || mapping > 16)) throw new IllegalArgumentException("mapping: expected 1 to 16 layers, got " + mapping);
        if (classes < 0 || classes == 1 || classes > 0 && family != Family.STYLEGAN2) throw new IllegalArgumentException("classes: expected 0, or 2 or more for StyleGAN2, got " + classes);
    }

    /** Base-2 logarithm of the size. */
    int levels() { return Integer.numberOfTrailingZeros(size); }

    /** Channels of the layers at 2^level pixels. */
    int channelsAt(int level) { return Math.max(1, Math.min(width >> level, most)); }
}
