package inkstone.tensor.checkpoint;

/** How a file keeps a parameter, compared with what models ask for and GGUF files hold. */
public enum Stored {
    AS_ASKED,
    /** A matrix [in, out] where [out, in] is asked for: the linear layers of GPT-2. */
    TRANSPOSED,
    /** A vector whose every number is one less: the norms of Gemma, which multiply by 1 + weight. */
    LESS_ONE;

    /** What {@code stored} numbers, row-major with rows of {@code width}, are as asked for. */
    public float[] asked(float[] stored, int width) {
        if (this == AS_ASKED) return stored;
        var asked = new float[stored.length];
        int rows = stored.length / width;
        for (int i = 0; i < asked.length; i++) asked[i] = this == LESS_ONE ? stored[i] + 1 : stored[i % rows * width + i / rows];
        return asked;
    }
}
