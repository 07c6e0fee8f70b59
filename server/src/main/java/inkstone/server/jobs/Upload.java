package inkstone.server.jobs;

/**
 * A file of examples that was handed in.
 *
 * @param name as its owner calls it, made safe
 */
public record Upload(String id, String name, long bytes) {}
