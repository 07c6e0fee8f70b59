package inkstone.tensor;

/**
 * Rotary position embedding (Su et al. 2021, arXiv:2104.09864): pair i of a head is turned by position · frequencies[i], cosine and sine times
 * {@code magnitude}. Every scaling kind (linear, llama3, YaRN, factors in the file) is a table of frequencies and one magnitude, so
 * the kernel knows none of them.
 *
 * @param frequencies F32 [rotaryDim / 2], radians per position; dimensions of a head beyond rotaryDim pass through unchanged
 * @param magnitude   1 except under YaRN (Peng et al. 2023, arXiv:2309.00071)
 * @param pairs       which dimensions form a pair
 */
public record Rope(Tensor frequencies, float magnitude, Pairs pairs, int headDim) {
    public enum Pairs {
        /** (0,1), (2,3), ...: GGUF files of the llama architecture, the original Llama release. */
        INTERLEAVED,
        /** (0, r/2), (1, r/2+1), ...: Hugging Face checkpoints, GPT-NeoX. */
        HALVES
    }
}
