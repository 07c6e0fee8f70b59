package inkstone.gan;

import inkstone.tensor.Tensor;

/** Makes pictures of random numbers. */
public interface Generator {
    /** Random numbers that a picture is made of. */
    int latent();

    /**
     * @param z      normal random numbers [n, latent]
     * @param labels classes I32 [n], or null for models without
     * @return pictures in [-1, 1], [n, size, size, channels]
     */
    Tensor forward(Tensor z, Tensor labels);
}
