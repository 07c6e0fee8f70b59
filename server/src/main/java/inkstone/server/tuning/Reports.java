package inkstone.server.tuning;

import inkstone.server.jobs.DataSummary;
import inkstone.server.jobs.DataSummary.Finding;
import inkstone.server.jobs.DataSummary.Lengths;
import inkstone.server.jobs.DataSummary.Row;
import inkstone.server.jobs.DataSummary.Severity;
import inkstone.server.jobs.DataSummary.Span;
import inkstone.transformer.tune.data.DataReport;
import inkstone.transformer.tune.data.Example;
import inkstone.transformer.tune.data.ExampleSet;
import inkstone.transformer.tune.data.Format;
import inkstone.transformer.tune.data.Prompting;
import inkstone.transformer.tune.data.TuneData;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** What was understood of examples, in the words of the page. */
final class Reports {
    private static final int BINS = 16, QUESTIONS = 8, TEXT_PROMPT = 24;
    /** Stands for a question in a template. */
    private static final String MARK = "\uE000";

    private Reports() {}

    static DataSummary of(TuneData data, Prompting prompting) {
        var report = data.report();
        var first = report.first().stream().map(preview -> preview.pieces().stream().map(piece -> new Span(piece.text(), piece.learned())).toList()).toList();
        return new DataSummary(report.format().label(), formats(report.format()), report.examples(), report.tokens(), report.learnedTokens(), report.heldOut(), lengths(data), findings(report),
            first, questions(data, prompting));
    }

    /** A text file has no rows to be read otherwise. */
    private static List<DataSummary.Format> formats(Format found) {
        return Arrays.stream(Format.values()).filter(format -> found == Format.TEXT ? format == found : format != Format.TEXT)
            .map(format -> new DataSummary.Format(format.label(), told(format))).toList();
    }

    private static String told(Format format) {
        return switch (format) {
            case CHAT -> "chat: messages with role and content";
            case SHAREGPT -> "ShareGPT: conversations with from and value";
            case ALPACA -> "Alpaca: instruction, input, output";
            case PROMPT_COMPLETION -> "prompts with completions";
            case TEXT -> "plain text";
            case PREFERENCE -> "preferences: a chosen and a rejected answer";
            case LABELLED -> "texts with labels";
        };
    }

    private static Lengths lengths(TuneData data) {
        var lengths = Stream.of(data.training(), data.validation()).flatMapToInt(set -> IntStream.range(0, set.size()).map(set::length)).sorted().toArray();
        if (lengths.length == 0) return null;
        int shortest = lengths[0], longest = lengths[lengths.length - 1], bins = Math.min(BINS, longest - shortest + 1);
        var counts = new Integer[bins];
        Arrays.fill(counts, 0);
        for (int length : lengths) counts[(int) ((long) (length - shortest) * bins / (longest - shortest + 1))]++;
        return new Lengths(shortest, lengths[lengths.length / 2], longest, List.of(counts));
    }

    private static List<Finding> findings(DataReport report) {
        var findings = new ArrayList<Finding>();
        for (var finding : report.findings()) {
            var rows = finding.rows().stream().map(row -> new Row(row.line(), row.what())).toList();
            findings.add(switch (finding.kind()) {
                case BAD -> new Finding(Severity.WARN, "%,d unusable".formatted(finding.count()), "These rows were left out.", rows);
                case EMPTY -> new Finding(Severity.WARN, "%,d empty".formatted(finding.count()), "These rows were left out.", rows);
                case DUPLICATE -> new Finding(Severity.WARN, "%,d twice".formatted(finding.count()), "Repeated examples were left out.", rows);
                case TOO_LONG -> new Finding(Severity.WARN, "%,d too long".formatted(finding.count()), "They have more than %,d tokens and were shortened.".formatted(report.contextLength()), rows);
            });
        }
        for (var note : report.notes()) findings.add(new Finding(Severity.WARN, "Note", note, List.of()));
        return findings;
    }

    // ---- questions to try the model with ---------------------------------------------------------------------------------------------------------------

    /** Of the first held-out examples that begin with a question alone; of text their first words. */
    private static List<String> questions(TuneData data, Prompting prompting) {
        var questions = new ArrayList<String>();
        var format = data.report().format();
        if (format == Format.PREFERENCE || format == Format.LABELLED) return questions;
        var rendered = format == Format.TEXT ? MARK : prompting.template().render(List.of(Map.of("role", "user", "content", MARK)), List.of(), true).text();
        int at = rendered.indexOf(MARK);
        if (at < 0) return questions;
        String before = rendered.substring(0, at), after = rendered.substring(at + MARK.length());
        var examples = data.validation().size() > 0 ? data.validation() : data.training();
        for (int i = 0; i < examples.size() && questions.size() < QUESTIONS; i++) {
            var text = prompt(examples, i, format, prompting);
            if (text.length() <= before.length() + after.length() || !text.startsWith(before) || !text.endsWith(after)) continue;
            var question = text.substring(before.length(), text.length() - after.length()).strip();
            if (!question.isEmpty() && !questions.contains(question)) questions.add(question);
        }
        return questions;
    }

    /** What stands before the first learned token, with its control tokens as the vocabulary spells them. */
    private static String prompt(ExampleSet examples, int index, Format format, Prompting prompting) {
        var example = examples.get(index);
        var tokenizer = prompting.tokenizer();
        int end = format == Format.TEXT ? Math.min(TEXT_PROMPT, example.tokens().length) : learned(example), begin = 0;
        if (tokenizer.addsBos() && end > 0 && example.tokens()[0] == tokenizer.bos()) begin = 1;
        var text = new StringBuilder();
        var stream = tokenizer.streamDecoder();
        for (int i = begin; i < end; i++) {
            int token = example.tokens()[i];
            if (tokenizer.isControl(token)) text.append(stream.flush()).append(tokenizer.piece(token));
            else text.append(stream.next(token));
        }
        return text.append(stream.flush()).toString();
    }

    private static int learned(Example example) {
        int first = 0;
        while (first < example.tokens().length && !example.learned()[first]) first++;
        return first;
    }
}
