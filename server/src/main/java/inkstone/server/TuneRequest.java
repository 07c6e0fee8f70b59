package inkstone.server;

import inkstone.server.jobs.TuneSettings;
import inkstone.server.jobs.TuneSettings.Method;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** The settings of a fine-tuning job as a client sends them: what is absent gets its usual value. */
final class TuneRequest {
    private static final int MOST_TARGETS = 64, LONGEST_TITLE = 120;
    private static final long LARGEST_SEED = (1L << 53) - 1;   // what a browser's numbers hold

    private TuneRequest() {}

    static TuneSettings of(Fields fields) {
        var method = method(fields);
        int rank = (int) fields.integer("rank", 1, 1_024, TuneSettings.RANK);
        var title = fields.string("title", "").strip();
        if (title.length() > LONGEST_TITLE) throw ApiException.invalid("title", "title may have %d characters, got %d".formatted(LONGEST_TITLE, title.length()));
        var targets = fields.array("targets", MOST_TARGETS).stream().map(target -> Fields.text(target, "targets")).toList();
        return new TuneSettings(title, required(fields, "model"), required(fields, "data"), fields.string("format", ""), method, rank, fields.number("alpha", 0, 1e6, 2 * rank),
            shortened(fields.number("dropout", 0, 0.9, TuneSettings.DROPOUT)), targets, fields.number("epochs", 0.01, 1_000, TuneSettings.EPOCHS), (int) fields.integer("maxSteps", 0, 10_000_000, 0),
            shortened(fields.number("learningRate", 1e-9, 1, method.learningRate())), (int) fields.integer("batchTokens", 16, 1 << 20, TuneSettings.BATCH_TOKENS),
            (int) fields.integer("context", 0, 1 << 20, 0), shortened(fields.number("validationShare", 0, 0.5, TuneSettings.VALIDATION_SHARE)), fields.integer("seed", 0, LARGEST_SEED, 0));
    }

    private static Method method(Fields fields) {
        var name = fields.string("method", Method.LORA.name());
        return Arrays.stream(Method.values()).filter(method -> method.name().equalsIgnoreCase(name)).findFirst().orElseThrow(() -> fields.wrong("method",
            Arrays.stream(Method.values()).map(method -> method.name().toLowerCase(Locale.ROOT)).collect(Collectors.joining(", "))));
    }

    private static String required(Fields fields, String name) {
        var text = fields.string(name, "");
        if (text.isEmpty()) throw fields.wrong(name, "the id of a " + (name.equals("data") ? "file that was uploaded" : name));
        return text;
    }

    /** A float as people wrote it: 0.05f is not to come back as 0.05000000074505806. */
    private static double shortened(float value) { return Double.parseDouble(Float.toString(value)); }
}
