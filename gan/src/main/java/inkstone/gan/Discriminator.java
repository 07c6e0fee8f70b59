package inkstone.gan;

import inkstone.tensor.Tensor;

/** Judges pictures: the larger its number, the more it takes them for true. */
public interface Discriminator {
    /**
     * @param pictures in [-1, 1], [n, size, size, channels]
     * @param labels   classes I32 [n], or null for models without
     * @return [n, 1]; the probability of being true is the sigmoid of it where the loss is logistic
     */
    Tensor forward(Tensor pictures, Tensor labels);
}
