package inkstone.transformer.tune.data;

import com.fasterxml.jackson.annotation.JsonValue;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;

/**
 * What was understood of a file of training data. A record of plain values, which goes to JSON as it is.
 *
 * @param source          the file or folder
 * @param format          of its rows
 * @param why             how the format was told
 * @param files           one, or those of the folder
 * @param template        how a conversation becomes the model's text
 * @param contextLength   most tokens of a sequence
 * @param rows            read, good and bad; of plain text the windows
 * @param examples        to train on, those held out included
 * @param tokens          of them
 * @param learnedTokens   of those, the ones that are targets
 * @param heldOut         examples kept out of training, to see how the model does on what it has not seen
 * @param heldOutTokens   of them
 * @param lengths         of the sequences
 * @param labels          sorted; empty unless the data has labels. A label's index is its place
 * @param findings        those of which there are any
 * @param first           the first five examples as the model sees them; of a preference both answers
 * @param notes           what else a user should know, a sentence each
 * @param fingerprint     of the examples: a run goes on with the same data only
 */
public record DataReport(String source, Format format, String why, List<File> files, String template, int contextLength, long rows, int examples, long tokens,
                         long learnedTokens, int heldOut, long heldOutTokens, Lengths lengths, List<Label> labels, List<Finding> findings, List<Preview> first,
                         List<String> notes, String fingerprint) {
    public record File(String name, String container, String encoding, long rows) {}

    /** In tokens. @param counts of sequences with 0 to width - 1 tokens, width to 2 width - 1, and so on */
    public record Lengths(int shortest, int median, int longest, int width, int[] counts) {}

    public record Label(String name, int examples) {}

    /** @param rows the first of them */
    public record Finding(Kind kind, long count, List<Row> rows) {}

    public enum Kind {
        BAD("cannot be used and were left out"), EMPTY("are empty and were left out"), DUPLICATE("repeat an earlier one and were left out"), TOO_LONG("are longer than the context");

        private final String told;

        Kind(String told) { this.told = told; }

        @JsonValue public String label() { return name().toLowerCase(Locale.ROOT).replace('_', '-'); }
    }

    /** @param line where the row begins, from 1 */
    public record Row(String file, long line, String what) {}

    /** @param what "chosen", "rejected", a label, or empty */
    public record Preview(String what, List<Piece> pieces) {}

    public record Piece(String text, boolean learned) {}

    static final int SHOWN_ROWS = 20, SHOWN_EXAMPLES = 5;
    private static final int PRINTED_ROWS = 5, BAR = 40;

    /** For the terminal: what is learned stands between ⟦ and ⟧. */
    public void print(PrintWriter out) {
        out.printf(Locale.ROOT, "%s: %s (%s)%n", source, format.label(), why);
        for (var file : files) if (files.size() > 1) out.printf(Locale.ROOT, "  %s: %s, %s, %s%n", file.name, file.container, file.encoding, counted(file.rows, "row"));
        out.printf(Locale.ROOT, "%s, %s, %,d of them held out; %s, %,d of them learned%n", counted(rows, "row"), counted(examples, "example"), heldOut, counted(tokens, "token"), learnedTokens);
        if (format != Format.TEXT && format != Format.LABELLED) out.printf("Written as %s.%n", template);
        if (!labels.isEmpty()) out.println("Labels: " + String.join(", ", labels.stream().map(label -> "%s %,d".formatted(label.name, label.examples)).toList()));
        for (var note : notes) out.println("Note: " + note);
        for (var finding : findings) {
            out.printf(Locale.ROOT, "%n%s %s:%n", counted(finding.count, "row"), finding.count == 1 ? finding.kind.told.replace("are ", "is ").replace("were ", "was ")
                .replace("repeat ", "repeats ") : finding.kind.told);
            for (var row : finding.rows.subList(0, Math.min(PRINTED_ROWS, finding.rows.size()))) {
                out.printf(Locale.ROOT, "  %sline %,d: %s%n", files.size() > 1 ? row.file + " " : "", row.line, row.what);
            }
            if (finding.count > PRINTED_ROWS) out.printf(Locale.ROOT, "  and %,d more%n", finding.count - PRINTED_ROWS);
        }
        out.printf(Locale.ROOT, "%nLengths in tokens: %,d to %,d, half have %,d or less; the context is %,d%n", lengths.shortest, lengths.longest, lengths.median, contextLength);
        int most = 1;
        for (int count : lengths.counts) most = Math.max(most, count);
        for (int i = 0; i < lengths.counts.length; i++) {
            int filled = lengths.counts[i] == 0 ? 0 : Math.max(1, Math.round((float) BAR * lengths.counts[i] / most));
            out.printf(Locale.ROOT, "%,7d to %,7d  %s %,d%n", i * lengths.width, (i + 1) * lengths.width - 1, "#".repeat(filled), lengths.counts[i]);
        }
        if (format != Format.LABELLED) out.printf("%nThe first examples as the model sees them; it learns what stands between ⟦ and ⟧:%n");
        for (var preview : first) {
            out.printf("%n--- %s%n", preview.what);
            for (var piece : preview.pieces) out.print(piece.learned ? "⟦" + piece.text + "⟧" : piece.text);
            out.println();
        }
        out.flush();
    }

    private static String counted(long count, String what) { return String.format(Locale.ROOT, "%,d %s", count, count == 1 ? what : what + "s"); }
}
