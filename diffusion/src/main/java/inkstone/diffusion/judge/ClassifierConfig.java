package inkstone.diffusion.judge;

/**
 * Sizes of a {@link Classifier}.
 *
 * @param channels of the pictures: 1 or 3
 * @param width    channels of the first stage; each further stage has twice as many
 * @param groups   of the norms; divides the width
 * @param features in which sets of pictures are compared
 */
public record ClassifierConfig(int channels, int width, int stages, int groups, int features, int classes) {
    public ClassifierConfig {
        if (channels < 1 || width < 1 || stages < 1 || stages > 6 || groups < 1 || width % groups != 0 || features < 1 || classes < 2) {
            throw new IllegalArgumentException("a classifier needs 1 to 6 stages, a width of whole groups and two classes or more, got %d channels, width %d, %d stages, %d groups, %d features, %d classes"
                .formatted(channels, width, stages, groups, features, classes));
        }
    }
}
