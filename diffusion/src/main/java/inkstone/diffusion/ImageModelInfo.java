package inkstone.diffusion;

import java.util.List;

/**
 * What an image model is and what it accepts.
 *
 * @param name       short, as in "Dab" or "sd-v1-5"
 * @param family     "Stable Diffusion 1.5", for example
 * @param parameters of all its networks
 * @param embedded   whether it comes with the program
 * @param multiple   widths and heights are multiples of it
 * @param smallest   width and height
 * @param largest    width and height
 * @param defaults   a request that suits the model, with an empty prompt and seed 0
 * @param samplers   names, the default first
 * @param schedules  names, the default first
 * @param noises     names of generators of noise, the default first
 */
public record ImageModelInfo(String name, String family, long parameters, boolean embedded, int multiple, int smallest, int largest, ImageRequest defaults, List<String> samplers,
                             List<String> schedules, List<String> noises) {}
