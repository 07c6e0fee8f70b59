package inkstone.server.jobs;

import java.util.List;

/**
 * A model that can be tuned here.
 *
 * @param format  of its weights, for example "Q8_0"
 * @param bytes   of its file
 * @param methods that suit it: weights that are not floats cannot be tuned in full
 */
public record BaseModel(String id, String name, String format, long parameters, long bytes, List<TuneSettings.Method> methods) {}
