package inkstone.gan;

import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.Optional;

/** The pairs of networks by family, and what their parameters are before they learn. */
public final class Networks {
    private Networks() {}

    /** @param growth how far it has grown; ignored by families that do not. {@code learning}: whether batch norms use their batch. */
    public static Generator generator(GanConfig c, Weights w, Growth growth, boolean learning) {
        return switch (c.family()) {
            case GAN -> MlpGan.G.of(c, w);
            case DCGAN -> Dcgan.G.of(c, w, learning);
            case COGAN -> CoGan.G.of(c, w, learning);
            case PROGRESSIVE -> ProgressiveGan.G.of(c, w, growth);
            case STYLEGAN -> StyleGan.G.of(c, w, growth);
            case STYLEGAN2 -> StyleGan2.G.of(c, w);
        };
    }

    public static Discriminator discriminator(GanConfig c, Weights w, Growth growth, boolean learning) {
        return switch (c.family()) {
            case GAN -> MlpGan.D.of(c, w);
            case DCGAN -> Dcgan.D.of(c, w, learning);
            case COGAN -> CoGan.D.of(c, w);
            case PROGRESSIVE, STYLEGAN -> ProgressiveGan.D.of(c, w, growth);
            case STYLEGAN2 -> StyleGan2.D.of(c, w);
        };
    }

    /** The whole of a growing network. */
    public static Growth grown(GanConfig c) { return new Growth(c.family().grows() ? c.levels() : Growth.FIRST_LEVEL, 1); }

    /** Parameters that count what went through, and do not learn. */
    public static boolean learns(String name) { return !name.endsWith(BatchNorm.MEAN) && !name.endsWith(BatchNorm.VARIANCE); }

    /** Parameters as they are before the first step: a function of the family, the names and the seed. They have values alone, no memory. */
    public static Weights initial(GanConfig c, long seed) {
        return new Weights() {
            @Override public Tensor tensor(String name, int... dims) { throw new ModelException("%s has values, but no memory yet".formatted(name)); }
            @Override public Tensor floats(String name, int... dims) { return tensor(name, dims); }
            @Override public boolean has(String name) { return true; }
            @Override public Optional<float[]> values(String name, int... dims) { return Optional.of(initial(c.family(), name, new Shape(dims), seed)); }
        };
    }

    private static float[] initial(GanConfig.Family family, String name, Shape shape, long seed) {
        var values = new float[Math.toIntExact(shape.elements())];
        double mean = 0, deviation = 0;
        boolean vector = shape.rank() == 1;
        if (name.endsWith("prelu.weight")) mean = 0.25;
        else if (name.endsWith(BatchNorm.VARIANCE)) mean = 1;
        else if (name.endsWith(BatchNorm.MEAN) || name.endsWith("noise_strength")) mean = 0;
        else if (family.compareTo(GanConfig.Family.PROGRESSIVE) < 0) {
            boolean norm = name.contains("norm.weight");
            mean = norm ? 1 : 0;
            /* The first family's layers as He et al. 2015 (arXiv:1502.01852) have it for rectifiers; the convolutional ones by the rule of Radford et al. */
            if (norm || !vector) deviation = family == GanConfig.Family.GAN ? norm ? 0 : Math.sqrt(2.0 / shape.last()) : 0.02;
        } else if (name.endsWith("affine.bias")) mean = family == GanConfig.Family.STYLEGAN2 ? 1 : 0;
        else if (name.equals("synthesis.constant")) mean = 1;
        else if (name.contains("mapping.fc") && !vector) deviation = 100;                          // divided by the hundredth at which it learns
        else if (!vector) deviation = 1;
        var random = Seeds.of(seed, name.hashCode());
        for (int i = 0; i < values.length; i++) values[i] = (float) (deviation == 0 ? mean : mean + deviation * random.nextGaussian());
        return values;
    }
}
