package inkstone.diffusion.train;

import inkstone.diffusion.dit.WeighedTokens;
import java.util.List;

/**
 * Noisy pictures and what a network should say of them.
 *
 * @param prompts of each
 * @param times   what the network is told of the noise
 * @param input   rows of patches [n · tokens, patch numbers]
 * @param target  the same, negated, so that an addition gives the error
 * @param weights of the squared error of each picture
 */
record PictureBatch(List<WeighedTokens> prompts, double[] times, float[] input, float[] target, double[] weights) {
    int count() { return times.length; }
}
