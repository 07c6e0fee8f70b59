package inkstone.diffusion.vae;

import inkstone.tensor.Weights;

/** Pictures to latents, which are smaller, and back. */
public record Autoencoder(Encoder encoder, Decoder decoder) {
    public static Autoencoder of(AutoencoderConfig config, Weights w) { return new Autoencoder(Encoder.of(config, w), Decoder.of(config, w)); }

    public AutoencoderConfig config() { return decoder.config(); }
}
