package inkstone.server.jobs;

/**
 * What is told of a job, as a line of JSON.
 *
 * @param number of the event in the job's history; of a {@code PASSING} one that of the last kept event before it
 */
public record JobMessage(String job, long number, Kind kind, String json) {
    public enum Kind {
        /** An event that the history keeps. */
        KEPT,
        /** An event for those who look now: a step of which the curve keeps only some. */
        PASSING,
        /** The job itself, as it is now. */
        JOB,
        /** There is no such job any more. */
        GONE,
        /** The history so far has been told; what follows is new. */
        LIVE
    }
}
