package inkstone.gan;

import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;

/**
 * How far networks that grow have grown (Karras et al. 2017, arXiv:1710.10196, section 2).
 *
 * @param level pictures have 2^level pixels in each direction now
 * @param share of the newest layers in what is seen; while it rises from 0 to 1 they fade in
 */
public record Growth(int level, float share) {
    static final int FIRST_LEVEL = 2;

    public Growth {
        if (level < FIRST_LEVEL || !(share >= 0 && share <= 1)) throw new IllegalArgumentException("growth: expected a level of 2 or more and a share of 0 to 1, got %d and %s".formatted(level, share));
    }

    boolean fades() { return level > FIRST_LEVEL && share < 1; }

    public int size() { return 1 << level; }

    static Tensor twice(Tensor x, Resampling resampling) { return x.resize(2 * x.shape().dim(1), 2 * x.shape().dim(2), resampling); }

    static Tensor half(Tensor x) { return x.resize(x.shape().dim(1) / 2, x.shape().dim(2) / 2, Resampling.AREA); }

    /** The old way's result where the new one's share is 0, the new one's where it is 1. */
    Tensor mixed(Tensor old, Tensor grown) { return old.scale(1 - share).add(grown.scale(share)); }

    /**
     * True pictures as the discriminator is to see them while it has grown so far: of its size, and half as sharp as the fade is far.
     *
     * @param x [n, size, size, channels] of the full size
     */
    public Tensor seen(Tensor x) {
        var y = x.shape().dim(1) == size() ? x : x.resize(size(), size(), Resampling.AREA);
        return fades() ? mixed(twice(half(y), Resampling.NEAREST), y) : y;
    }
}
