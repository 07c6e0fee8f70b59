package inkstone.tensor;

/**
 * The numbers of one step of AdamW; see {@link Kernels#adamW}.
 *
 * @param step     t, from 1
 * @param gradient what gradients are multiplied by first: less than 1 where their norm is clipped
 * @param key      for the rounding of 8-bit states
 */
public record AdamStep(int step, float rate, float beta1, float beta2, float eps, float decay, float gradient, long key) {}
