package inkstone.diffusion.unet;

import inkstone.tensor.Tensor;

/**
 * What every block sees beside the picture.
 *
 * @param time    silu of the embedding of time and labels, [n, 4 · channels]
 * @param context rows of text, those of each picture together: [n · m, context]
 */
record Conditioning(Tensor time, Tensor context) {}
