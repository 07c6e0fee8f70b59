package inkstone.diffusion.checkpoint;

/** How a model was made to need few steps, and so what suits it. */
public enum Distillation {
    NONE,
    /** Right after one to four steps without guidance (Sauer et al. 2023, arXiv:2311.17042; also Lightning and Hyper, Lin et al. 2024, arXiv:2402.13929). */
    TURBO,
    /** A latent consistency model (Luo et al. 2023, arXiv:2310.04378). */
    LCM
}
