package inkstone.diffusion.train;

import inkstone.diffusion.dit.DitConfig;
import inkstone.diffusion.dit.WeighedTokens;
import java.util.Arrays;
import java.util.Collections;
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

    /** Empty pictures with the longest prompts: as large as a batch can be. */
    static PictureBatch largest(DitConfig config, int count) {
        int length = config.text().length(), numbers = count * config.tokens() * config.patchNumbers();
        var ones = new float[length];
        Arrays.fill(ones, 1);
        return new PictureBatch(Collections.nCopies(count, new WeighedTokens(new int[length], ones)), new double[count], new float[numbers], new float[numbers], new double[count]);
    }
}
