package inkstone.diffusion.sampling;

/** What a network's raw output is; {@link NoiseModel#preconditioning} says how it becomes the picture without noise. */
public enum Parameterization {
    /** The noise (Ho et al. 2020, arXiv:2006.11239): Stable Diffusion 1.x, XL. */
    EPSILON,
    /** v = sqrt(a) · noise - sqrt(1 - a) · picture, where a is the share of the picture's power (Salimans & Ho 2022, arXiv:2202.00512): Stable Diffusion 2 at 768. */
    VELOCITY,
    /** noise - picture, along a straight line (Liu et al. 2022, arXiv:2209.03003; Lipman et al. 2022, arXiv:2210.02747): SD3, FLUX. */
    FLOW,
    /** The picture. */
    SAMPLE,
    /** What is missing from a skip connection, weighed so that its variance is 1 (Karras et al. 2022, arXiv:2206.00364, section 5). */
    EDM
}
