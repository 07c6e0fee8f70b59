package inkstone.transformer.train;

import inkstone.tensor.train.TrainingEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Keeps what a run tells in its folder: {@code log.jsonl}, one event a line, and {@code loss.svg}, its curves, drawn anew at every evaluation. A resumed run goes on with the
 * log: what a killed one wrote after its last checkpoint is taken out, because it happens again.
 */
public final class TrainingLog implements Consumer<TrainingEvent> {
    private final Path log, plot;
    private final LossPlot curves;

    public TrainingLog(Path folder, String title) {
        this.log = folder.resolve("log.jsonl");
        this.plot = folder.resolve("loss.svg");
        this.curves = new LossPlot(title);
    }

    public static Path file(Path folder) { return folder.resolve("log.jsonl"); }

    @Override public void accept(TrainingEvent event) {
        try {
            if (event instanceof TrainingEvent.Started started) begin(started.fromStep());
            append(event);
            switch (event) {
                case TrainingEvent.Step step -> curves.training(step.step(), step.loss());
                case TrainingEvent.Evaluation evaluation -> curves.validation(evaluation.step(), evaluation.loss());
                default -> {}
            }
            if (event instanceof TrainingEvent.Evaluation || event instanceof TrainingEvent.Finished) draw();
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
    }

    private void begin(long fromStep) throws IOException {
        if (!Files.exists(log)) return;
        var kept = new ArrayList<String>();
        for (var line : Files.readAllLines(log)) {
            JsonNode node;
            try {
                node = JsonMapper.shared().readTree(line);
            } catch (RuntimeException cutShort) {
                continue;                                              // the line that a kill cut short
            }
            if (node.path("step").asLong(0) > fromStep || fromStep == 0) continue;
            kept.add(line);
            if (node.path("event").asString("").equals("step")) curves.training(node.path("step").asLong(), node.path("loss").asDouble());
            if (node.path("event").asString("").equals("evaluation")) curves.validation(node.path("step").asLong(), node.path("loss").asDouble());
        }
        replace(log, String.join("\n", kept) + (kept.isEmpty() ? "" : "\n"));
    }

    private void append(TrainingEvent event) throws IOException {
        Files.writeString(log, JsonMapper.shared().writeValueAsString(json(event)) + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    private void draw() throws IOException { replace(plot, curves.svg()); }

    private static void replace(Path file, String text) throws IOException {
        var part = file.resolveSibling("." + file.getFileName() + ".part");
        Files.writeString(part, text);
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
    }

    /** An event as people read it in a file. */
    private static Map<String, Object> json(TrainingEvent event) {
        var json = new LinkedHashMap<String, Object>();
        json.put("event", event.getClass().getSimpleName().toLowerCase(java.util.Locale.ROOT));
        switch (event) {
            case TrainingEvent.Started e -> put(json, "what", e.what(), "from_step", e.fromStep(), "steps", e.steps(), "parameters", e.parameters(), "trainable", e.trainable(),
                "predicted_bytes", e.predictedBytes());
            case TrainingEvent.Step e -> put(json, "step", e.step(), "loss", e.loss(), "learning_rate", e.learningRate(), "gradient_norm", e.gradientNorm(),
                "tokens_per_second", e.tokensPerSecond(), "tokens", e.tokens());
            case TrainingEvent.Evaluation e -> {
                put(json, "step", e.step(), "loss", e.loss());
                if (Double.isNaN(e.accuracy())) put(json, "perplexity", Math.exp(e.loss())); else put(json, "accuracy", e.accuracy());
            }
            case TrainingEvent.Sample e -> put(json, "step", e.step(), "prompt", e.prompt(), "text", e.text());
            case TrainingEvent.Pictures e -> put(json, "step", e.step(), "what", e.what(), "file", e.file().getFileName().toString());
            case TrainingEvent.Measure e -> put(json, "step", e.step(), "name", e.name(), "value", e.value());
            case TrainingEvent.Saved e -> put(json, "step", e.step());
            case TrainingEvent.Finished e -> put(json, "step", e.step(), "end", e.end().name());
        }
        return json;
    }

    private static void put(Map<String, Object> json, Object... pairs) { for (int i = 0; i < pairs.length; i += 2) json.put((String) pairs[i], pairs[i + 1]); }

    /** The losses of a log, by step: for those who compare runs. */
    public static List<Double> losses(Path folder) throws IOException {
        var losses = new ArrayList<Double>();
        for (var line : Files.readAllLines(file(folder))) {
            var node = JsonMapper.shared().readTree(line);
            if (node.path("event").asString("").equals("step")) losses.add(node.path("loss").asDouble());
        }
        return losses;
    }
}
