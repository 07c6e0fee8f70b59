/**
 * From noise to a picture: noise models, schedules, samplers, random numbers and guidance, on plain arrays of floats with double arithmetic. Nothing here knows of tensors or networks;
 * a network comes in as a {@link inkstone.diffusion.sampling.Denoiser}.
 */
package inkstone.diffusion.sampling;
