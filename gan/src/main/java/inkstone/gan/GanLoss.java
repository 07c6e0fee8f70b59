package inkstone.gan;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Tensor;

/** What the two networks want of each other. Sums over the pictures, [1]. */
public enum GanLoss {
    /** The discriminator says how likely a picture is true; the generator wants likely ones (Goodfellow et al. 2014, arXiv:1406.2661, the form that does not saturate). At the start, when all is even, each term is ln 2. */
    LOGISTIC {
        @Override public Tensor ofDiscriminator(Tensor real, Tensor fake) { return real.scale(-1).map(Elementwise.SOFTPLUS).sum().add(fake.map(Elementwise.SOFTPLUS).sum()); }
        @Override public Tensor ofGenerator(Tensor fake) { return fake.scale(-1).map(Elementwise.SOFTPLUS).sum(); }
    },
    /** The discriminator says how far the sets are apart (Arjovsky et al. 2017, arXiv:1701.07875); it needs a gradient penalty, and what it says of true pictures is kept near 0 by a thousandth of its square. */
    WASSERSTEIN {
        private static final float DRIFT = 1e-3f;
        @Override public Tensor ofDiscriminator(Tensor real, Tensor fake) { return fake.sum().add(real.sum().scale(-1)).add(real.mul(real).sum().scale(DRIFT)); }
        @Override public Tensor ofGenerator(Tensor fake) { return fake.sum().scale(-1); }
    };

    /** @param real what the discriminator says of true pictures [n, 1], {@code fake} of made ones */
    public abstract Tensor ofDiscriminator(Tensor real, Tensor fake);

    public abstract Tensor ofGenerator(Tensor fake);
}
