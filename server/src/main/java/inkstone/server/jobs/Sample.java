package inkstone.server.jobs;

/** A small file of examples that comes with the program, to try training with. */
public record Sample(String id, String name, String about, String file) {}
