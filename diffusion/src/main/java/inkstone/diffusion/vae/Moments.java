package inkstone.diffusion.vae;

import inkstone.diffusion.layers.PixelLinear;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Tensor;
import java.util.Arrays;

/**
 * What a variational encoder says of a latent: a normal distribution at each place (Kingma & Welling 2013, arXiv:1312.6114).
 *
 * @param mean        [n, h, w, c]
 * @param logVariance of the same shape; sampling holds it to [-30, 20]
 */
public record Moments(Tensor mean, Tensor logVariance) {
    private static final float LEAST = -30, MOST = 20;

    /** @param encoded [n, h, w, 2c], as {@link Encoder} gives it */
    public static Moments of(Tensor encoded) {
        int[] dims = encoded.shape().toArray();
        int c = dims[3] /= 2;
        var rows = PixelLinear.rows(encoded);
        return new Moments(rows.columns(0, c).view(dims), rows.columns(c, 2 * c).view(dims));
    }

    /** mean + exp(logVariance / 2) · noise, with a gradient: the noise is a constant. */
    public Tensor sample(Tensor noise) { return mean.add(logVariance.scale(0.5f).map(Elementwise.EXP).mul(noise)); }

    /** The same on the host, from what {@link Encoder} gave, {@code encoded} [places, 2c]; noise [places, c], or null for the mean. */
    public static float[] sample(float[] encoded, int channels, float[] noise) {
        var latent = new float[encoded.length / 2];
        for (int i = 0; i < latent.length; i++) {
            int at = i / channels * 2 * channels + i % channels;
            latent[i] = encoded[at] + (noise == null ? 0 : (float) (Math.exp(0.5 * Math.clamp(encoded[at + channels], LEAST, MOST)) * noise[i]));
        }
        return latent;
    }

    /** ½ Σ (mean² + variance - 1 - logVariance), of all places together: [1], the distance from the unit normal distribution in nats. */
    public Tensor divergence() {
        var scope = mean.scope();
        var ones = new float[Math.toIntExact(mean.shape().elements())];
        Arrays.fill(ones, -1);
        var terms = mean.mul(mean).add(logVariance.map(Elementwise.EXP)).add(logVariance.scale(-1)).add(scope.floats(ones, mean.shape().toArray()));
        return terms.sum().scale(0.5f);
    }
}
