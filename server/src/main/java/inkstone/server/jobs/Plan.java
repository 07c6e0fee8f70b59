package inkstone.server.jobs;

/**
 * What a job would take.
 *
 * @param settings     as they would be in force
 * @param memoryNeeded bytes, predicted
 * @param memoryFree   bytes that this machine can give
 * @param problem      why it cannot be run, and what could; null where it can
 */
public record Plan(TuneSettings settings, long steps, long parameters, long trainable, long memoryNeeded, long memoryFree, String problem) {}
