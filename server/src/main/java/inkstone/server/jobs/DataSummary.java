package inkstone.server.jobs;

import java.util.List;

/**
 * What was understood of a file of examples.
 *
 * @param format        id of the format that it was read as
 * @param formats       all that it could be read as, the one in force among them
 * @param learnedTokens tokens that the model is to write itself
 * @param heldOut       examples kept apart for evaluations
 * @param lengths       null where there is no example
 * @param findings      what is odd or wrong, the worst first
 * @param first         the first examples as the model sees them
 * @param questions     of held-out examples, to try the model with
 */
public record DataSummary(String format, List<Format> formats, int examples, long tokens, long learnedTokens, int heldOut, Lengths lengths, List<Finding> findings, List<List<Span>> first,
                          List<String> questions) {
    public record Format(String id, String name) {}

    /**
     * Lengths of the examples in tokens.
     *
     * @param bins examples in each of equally wide ranges from the shortest to the longest
     */
    public record Lengths(int shortest, int typical, int longest, List<Integer> bins) {}

    /**
     * @param severity WARN where the rest is used, BAD where nothing can be
     * @param title    short, with its number: "38 twice"
     * @param text     what was done about it, one sentence
     * @param rows     the first of them
     */
    public record Finding(Severity severity, String title, String text, List<Row> rows) {}

    public enum Severity { WARN, BAD }

    /** @param line from 1 */
    public record Row(long line, String text) {}

    /** @param learned whether the model is to write this part itself */
    public record Span(String text, boolean learned) {}
}
