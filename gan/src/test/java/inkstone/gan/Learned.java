package inkstone.gan;

import inkstone.tensor.Backend;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Parameters;

/** A pair of networks before its first step. */
record Learned(GanConfig config, Backend backend, Parameters ofGenerator, Parameters ofDiscriminator, Generator generator, Discriminator discriminator) implements AutoCloseable {
    static Learned of(GanConfig c, Backend backend, Growth growth) {
        Parameters g = new Parameters(backend), d = new Parameters(backend);
        return new Learned(c, backend, g, d, Networks.generator(c, new LearningWeights(Networks.initial(c, 1), g, _ -> true), growth, true),
            Networks.discriminator(c, new LearningWeights(Networks.initial(c, 2), d, _ -> true), growth, true));
    }

    @Override public void close() {
        ofGenerator.close();
        ofDiscriminator.close();
    }

    static GanConfig small(GanConfig.Family family) {
        return switch (family) {
            case GAN -> new GanConfig(family, 16, 1, 10, 64, 64, 0, 0);
            case DCGAN -> new GanConfig(family, 16, 3, 10, 8, 64, 0, 0);
            case COGAN -> new GanConfig(family, 28, 1, 10, 4, 64, 0, 0);
            case PROGRESSIVE -> new GanConfig(family, 16, 3, 12, 256, 16, 0, 0);
            case STYLEGAN -> new GanConfig(family, 16, 3, 12, 256, 16, 2, 0);
            case STYLEGAN2 -> new GanConfig(family, 16, 3, 12, 256, 16, 2, 3);
        };
    }

    int domains() { return config.family() == GanConfig.Family.COGAN ? CoGan.DOMAINS : 1; }
}
