package inkstone.diffusion.checkpoint;

/** What kinds of models are known. */
public enum Family {
    STABLE_DIFFUSION_1("Stable Diffusion 1"), STABLE_DIFFUSION_2("Stable Diffusion 2"), STABLE_DIFFUSION_XL("Stable Diffusion XL");

    private final String label;

    Family(String label) { this.label = label; }

    /** As people call it. */
    public String label() { return label; }
}
