package inkstone.transformer.tune.data;

import inkstone.tensor.ModelException;
import inkstone.transformer.tune.data.DataReport.Kind;
import inkstone.transformer.tune.data.Sample.Conversation;
import inkstone.transformer.tune.data.Sample.Unusable;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/** Samples become sequences of the store, and what was found on the way becomes the report. */
final class Reading {
    private static final int SEGMENT = 1 << 15, SHOWN_TOKENS = 400, MOST_LABELS = 1_000, BARS = 16;

    private final Path source;
    private final Format format;
    private final Prompting prompting;
    private final TuneDataSettings settings;
    private final int context;

    private final TokenStore store = new TokenStore();
    private int[] groups = new int[64];
    private int examples, groupCount;
    private final Map<String, Integer> labels = new LinkedHashMap<>();
    private final SeenRows seen = new SeenRows();

    private final List<DataReport.File> files = new ArrayList<>();
    private final Map<Kind, Long> counts = new EnumMap<>(Kind.class);
    private final Map<Kind, List<DataReport.Row>> shown = new EnumMap<>(Kind.class);
    private final List<DataReport.Preview> first = new ArrayList<>();
    private long rows, fileRows, line, rewritten, leftOut, unended, systemMerged;
    private String name;

    Reading(Path source, Format format, Prompting prompting, TuneDataSettings settings) {
        this.source = source;
        this.format = format;
        this.prompting = prompting;
        this.settings = settings;
        this.context = settings.contextLength();
    }

    // ---- files --------------------------------------------------------------------------------------------------------------------------------------------

    void rows(Detected file, Rows reader) throws IOException {
        begin(file);
        var layout = new Layout(file.format(), prompting.style().inputSeparator());
        for (var row = reader.next(); row != null; row = reader.next()) {
            fileRows++;
            line = row.line();
            try {
                if (row.fields() == null) throw Unusable.wrong("%s", row.problem());
                switch (layout.read(row.fields())) {
                    case Conversation conversation -> conversation(conversation);
                    case Sample.Preference preference -> preference(preference);
                    case Sample.Document document -> document(document.text());
                    case Sample.Labelled labelled -> labelled(labelled);
                }
            } catch (Unusable unusable) {
                found(unusable.empty() ? Kind.EMPTY : Kind.BAD, unusable.getMessage());
            }
        }
        end(file);
    }

    private void begin(Detected file) {
        name = file.path().getFileName().toString();
        fileRows = 0;
        line = 1;
    }

    private void end(Detected file) {
        rows += fileRows;
        files.add(new DataReport.File(name, file.container().told(), file.encoding(), fileRows));
    }

    private void found(Kind kind, String what) {
        counts.merge(kind, 1L, Long::sum);
        var rows = shown.computeIfAbsent(kind, _ -> new ArrayList<>());
        if (rows.size() < DataReport.SHOWN_ROWS) rows.add(new DataReport.Row(name, line, what));
    }

    // ---- conversations ------------------------------------------------------------------------------------------------------------------------------------

    private void conversation(Conversation conversation) throws Unusable {
        var fitted = fitted(conversation, conversation, 1)[0];
        requireTargets(fitted.example, "");
        if (isRepeated(fitted.example)) return;
        tell(fitted);
        store.add(source.toString(), fitted.example);
        example(true);
        preview("", fitted.example);
    }

    private void preference(Sample.Preference preference) throws Unusable {
        var fitted = fitted(preference.chosen(), preference.rejected(), 2);
        Example chosen = fitted[0].example, rejected = fitted[1].example;
        requireTargets(chosen, " of chosen");
        requireTargets(rejected, " of rejected");
        if (Arrays.equals(chosen.tokens(), rejected.tokens())) throw Unusable.wrong("chosen and rejected are the same%s", fitted[0].cut == null ? "" : " within the context");
        if (isRepeated(chosen, rejected)) return;
        tell(fitted[0]);
        store.add(source.toString(), chosen);
        store.add(source.toString(), rejected);
        example(true);
        preview("chosen", chosen);
        preview("rejected", rejected);
    }

    private static void requireTargets(Example example, String of) throws Unusable {
        if (example.targets() == 0) throw Unusable.wrong("nothing%s is left to learn: the template shows none of it, it has weight 0, or the context ends before it", of);
    }

    /** @param cut what had to go, in words, or null */
    private record Fitted(Example example, Prompting.Rendered rendered, String cut) {}

    private void tell(Fitted fitted) {
        if (fitted.cut != null) found(Kind.TOO_LONG, fitted.cut);
        if (fitted.rendered.rewritten()) rewritten++;
        if (fitted.rendered.leftOut() > 0) leftOut++;
        if (fitted.rendered.unended()) unended++;
        if (fitted.rendered.systemMerged()) systemMerged++;
    }

    /** One conversation or two that begin alike, cut in the same way: without their oldest turns, else at the end. */
    private Fitted[] fitted(Conversation one, Conversation other, int count) throws Unusable {
        try {
            var rendered = rendered(count, one, other);
            int length = length(rendered);
            if (length <= context) return fitted(rendered, null);
            var starts = turnStarts(count == 1 ? one : other);
            int low = 1, high = starts.length;
            while (low < high) {
                int middle = (low + high) / 2, fits = Math.max(prompting.length(from(one, starts[middle])), count == 1 ? 0 : prompting.length(from(other, starts[middle])));
                if (fits <= context) high = middle;
                else low = middle + 1;
            }
            int dropped = Math.min(low, starts.length - 1);
            if (dropped > 0) rendered = rendered(count, from(one, starts[dropped]), from(other, starts[dropped]));
            var told = dropped > 0 ? "%,d tokens: its oldest %s left out".formatted(length, dropped == 1 ? "turn was" : dropped + " turns were") : "%,d tokens".formatted(length);
            return fitted(rendered, length(rendered) <= context ? told : told + (dropped > 0 ? ", and the last" : ":") + " cut after %,d".formatted(context));
        } catch (IllegalArgumentException refused) {
            throw Unusable.wrong("%s", refused.getMessage());
        }
    }

    private List<Prompting.Rendered> rendered(int count, Conversation one, Conversation other) {
        return count == 1 ? List.of(prompting.render(one)) : List.of(prompting.render(one), prompting.render(other));
    }

    private static int length(List<Prompting.Rendered> rendered) { return rendered.stream().mapToInt(each -> each.example().tokens().length).max().orElse(0); }

    private Fitted[] fitted(List<Prompting.Rendered> rendered, String cut) {
        return rendered.stream().map(each -> new Fitted(each.example().tokens().length <= context ? each.example() : each.example().cut(context), each, cut)).toArray(Fitted[]::new);
    }

    /** Where the user's messages stand; never empty. Turns of a preference that are answers are none. */
    private static int[] turnStarts(Conversation conversation) {
        var messages = conversation.messages();
        var starts = IntStream.range(0, messages.size()).filter(i -> "user".equals(messages.get(i).get("role"))).toArray();
        return starts.length == 0 ? new int[] {0} : starts;
    }

    /** The system message and everything from a message on. */
    private static Conversation from(Conversation conversation, int start) {
        var messages = conversation.messages();
        var rest = new ArrayList<Map<String, Object>>();
        if ("system".equals(messages.getFirst().get("role")) && start > 0) rest.add(messages.getFirst());
        rest.addAll(messages.subList(start, messages.size()));
        return new Conversation(rest, conversation.tools());
    }

    // ---- texts --------------------------------------------------------------------------------------------------------------------------------------------

    private void document(String text) {
        var made = new ArrayList<Example>();
        var windows = new Windows(made::add);
        windows.add(prompting.text(text, -1));
        windows.end();
        if (made.isEmpty() || isRepeated(made.toArray(Example[]::new))) return;
        if (made.size() > 1) found(Kind.TOO_LONG, "%,d tokens: cut into %,d windows".formatted(made.stream().mapToInt(Example::targets).sum(), made.size()));
        for (int i = 0; i < made.size(); i++) {
            store.add(source.toString(), made.get(i));
            example(i == 0);
            preview("", made.get(i));
        }
    }

    /** A whole file as one document, encoded piece by piece, cut at line ends where there are some. */
    void text(Detected file, Reader reader) throws IOException {
        begin(file);
        var windows = new Windows(window -> {
            fileRows++;
            store.add(source.toString(), window);
            example(true);
            preview("", window);
        });
        var chars = new Chars(reader);
        var segment = new StringBuilder();
        int last = -1;
        for (int c = chars.next(); c >= 0; c = chars.next()) {
            if (c == '\r' && chars.peek() == '\n') continue;
            if (c == 0 || c == DataFile.UNDECODABLE) {
                throw new ModelException("%s: line %d holds %s".formatted(file.path(), chars.line(), c == 0 ? "a NUL character, so it is no text file" : "bytes that are not UTF-8; save it as UTF-8"));
            }
            segment.append((char) c);
            if (segment.length() < SEGMENT || c != '\n' && (segment.length() < 2 * SEGMENT || Character.isHighSurrogate((char) c))) continue;
            last = windows.add(prompting.text(segment.toString(), last));
            segment.setLength(0);
        }
        windows.add(prompting.text(segment.toString(), last));
        windows.end();
        end(file);
    }

    /**
     * Cuts documents into sequences of the context's length. Each begins with the token that begins a text, for models that want one, else with the last token of the
     * window before: either way every token of the document is a target once, except the first of one that nothing precedes.
     */
    private final class Windows {
        private final Consumer<Example> made;
        private final int[] window = new int[context];
        private int filled;

        Windows(Consumer<Example> made) {
            this.made = made;
            begin();
        }

        private void begin() {
            filled = 0;
            if (prompting.tokenizer().addsBos() && prompting.tokenizer().bos() >= 0) window[filled++] = prompting.tokenizer().bos();
        }

        /** Returns the last token. */
        int add(int... tokens) {
            for (int token : tokens) {
                if (filled == context) emit();
                window[filled++] = token;
            }
            return filled == 0 ? -1 : window[filled - 1];
        }

        private void emit() {
            var learned = new boolean[filled];
            Arrays.fill(learned, 1, filled, true);
            made.accept(new Example(Arrays.copyOf(window, filled), learned));
            int last = window[filled - 1];
            begin();
            if (filled == 0) window[filled++] = last;
        }

        /** Ends the document, with the token that ends a text where the model has one. */
        void end() {
            if (prompting.tokenizer().eos() >= 0) add(prompting.tokenizer().eos());
            if (filled > 1) emit();
            begin();
        }
    }

    private void labelled(Sample.Labelled labelled) throws Unusable {
        var tokens = prompting.whole(labelled.text());
        if (tokens.length > context) found(Kind.TOO_LONG, "%,d tokens: cut after %,d".formatted(tokens.length, context));
        var example = new Example(tokens.length > context ? Arrays.copyOf(tokens, context) : tokens, new boolean[Math.min(tokens.length, context)]);
        if (labels.size() == MOST_LABELS && !labels.containsKey(labelled.label())) {
            throw new ModelException("%s: more than %,d different labels; is it the right column?".formatted(source, MOST_LABELS));
        }
        if (isRepeated(example)) return;
        store.add(source.toString(), example);
        store.addLabel(labels.computeIfAbsent(labelled.label(), _ -> labels.size()));
        example(true);
        preview(labelled.label(), example);
    }

    // ---- examples -----------------------------------------------------------------------------------------------------------------------------------------

    private void example(boolean newGroup) {
        if (examples == groups.length) groups = Arrays.copyOf(groups, 2 * examples);
        if (newGroup) groupCount++;
        groups[examples++] = groupCount - 1;
    }

    private boolean isRepeated(Example... sequences) {
        long digest = sequences.length;
        for (var sequence : sequences) for (int i = 0; i < sequence.tokens().length; i++) digest = TokenStore.mixed(digest, 2L * sequence.tokens()[i] + (sequence.learned()[i] ? 1 : 0));
        long before = seen.add(digest, line);
        if (before == 0) return false;
        found(Kind.DUPLICATE, files.isEmpty() ? "the same as line %,d".formatted(before) : "the same as an earlier row");
        return true;
    }

    private void preview(String what, Example example) {
        if (examples > DataReport.SHOWN_EXAMPLES) return;
        var pieces = new ArrayList<DataReport.Piece>();
        var tokens = example.tokens();
        int length = Math.min(tokens.length, SHOWN_TOKENS);
        for (int from = 0, to; from < length; from = to) {
            for (to = from + 1; to < length && example.learned()[to] == example.learned()[from]; ) to++;
            pieces.add(new DataReport.Piece(prompting.shown(tokens, from, to), example.learned()[from]));
        }
        if (length < tokens.length) pieces.add(new DataReport.Piece(" … and %,d tokens more".formatted(tokens.length - length), false));
        first.add(new DataReport.Preview(what, pieces));
    }

    // ---- the report ---------------------------------------------------------------------------------------------------------------------------------------

    TuneData finish(String why, List<String> notes) {
        if (examples == 0) throw nothing();
        int each = format == Format.PREFERENCE ? 2 : 1;
        var sorted = sortLabels();
        var sets = split(each);
        var validation = sets[1];
        if (format == Format.LABELLED && sorted.size() < 2) notes.add("there is only one label, so nothing is to be told apart");
        note(notes, systemMerged, "the template knows no system message; it stands before the user's first words");
        note(notes, rewritten, "the template writes earlier turns otherwise than the last (often without their reasoning); they are learned as it writes them");
        note(notes, leftOut, "the template leaves out some messages of the assistant, from which nothing is learned");
        note(notes, unended, "the template does not end the assistant's last turn with a token at which this model stops; " + (prompting.tokenizer().eos() < 0
            ? "it will not learn to stop" : "the end of text was added"));
        for (var file : files) if (!file.encoding().equals("UTF-8")) notes.add("%s is %s and was read as such".formatted(file.name(), file.encoding()));
        var findings = counts.entrySet().stream().map(entry -> new DataReport.Finding(entry.getKey(), entry.getValue(), List.copyOf(shown.get(entry.getKey())))).toList();
        var report = new DataReport(source.toString(), format, why, List.copyOf(files), prompting.style().told(), context, rows, examples, store.tokens(), store.learnedTokens(),
            validation.size(), validation.tokens(), lengths(), sorted, findings, List.copyOf(first), List.copyOf(notes), "%016x".formatted(store.fingerprint()));
        return new TuneData(report, sets[0], validation);
    }

    private static void note(List<String> notes, long count, String what) { if (count > 0) notes.add("%s (%,d examples)".formatted(what, count)); }

    private ModelException nothing() {
        for (var kind : new Kind[] {Kind.BAD, Kind.EMPTY}) {
            if (!shown.containsKey(kind)) continue;
            var row = shown.get(kind).getFirst();
            return new ModelException("%s: none of its %,d rows can be used as %s; line %d: %s".formatted(source, rows, format.label(), row.line(), row.what()));
        }
        return new ModelException("%s has nothing to learn from".formatted(source));
    }

    /** Whole groups are held out, chosen by the seed: those to train on, and the others. */
    private ExampleSet[] split(int sequencesEach) {
        int out = (int) Math.round(settings.validationShare() * groupCount);
        if (settings.validationShare() > 0 && groupCount > 1) out = Math.clamp(out, 1, groupCount - 1);
        var order = IntStream.range(0, groupCount).toArray();
        ExampleBatches.shuffle(order, new Random(settings.seed()));
        var held = new boolean[groupCount];
        for (int i = 0; i < out; i++) held[order[i]] = true;
        var sets = new ExampleSet[2];
        for (int set = 0; set < 2; set++) {
            boolean wanted = set == 1;
            sets[set] = new ExampleSet(store, sequencesEach, IntStream.range(0, examples).filter(example -> held[groups[example]] == wanted).toArray(), format == Format.LABELLED);
        }
        return sets;
    }

    /** Labels in order: of their values where all are numbers, else of the alphabet. */
    private List<DataReport.Label> sortLabels() {
        if (labels.isEmpty()) return List.of();
        boolean numbers = labels.keySet().stream().allMatch(label -> label.matches("-?\\d{1,9}"));
        var names = labels.keySet().stream().sorted((a, b) -> numbers ? Integer.compare(Integer.parseInt(a), Integer.parseInt(b)) : a.compareTo(b)).toList();
        var to = new int[labels.size()];
        for (int i = 0; i < names.size(); i++) to[labels.get(names.get(i))] = i;
        store.relabel(to);
        var each = new int[names.size()];
        for (int i = 0; i < store.sequences(); i++) each[store.label(i)]++;
        return IntStream.range(0, names.size()).mapToObj(i -> new DataReport.Label(names.get(i), each[i])).toList();
    }

    private DataReport.Lengths lengths() {
        var all = IntStream.range(0, store.sequences()).map(store::length).sorted().toArray();
        int longest = all[all.length - 1], width = 1;
        for (int step = 0; longest >= width * BARS; step++) width = new int[] {1, 2, 5}[(step + 1) % 3] * (int) Math.pow(10, (step + 1) / 3);
        var counts = new int[longest / width + 1];
        for (int length : all) counts[length / width]++;
        return new DataReport.Lengths(all[0], all[all.length / 2], longest, width, counts);
    }
}
