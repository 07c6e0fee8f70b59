package inkstone.server.jobs;

import inkstone.tensor.train.Insight;
import inkstone.tensor.train.TrainingEvent;
import java.util.Locale;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.cfg.EnumFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The records of this package, and what a training run tells, as JSON: in the database, on the event bus and before clients. Enums are lower case; a number that is none is null. */
public final class JobJson {
    private static final JsonMapper MAPPER = JsonMapper.builder().enable(EnumFeature.WRITE_ENUMS_TO_LOWERCASE).enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
        .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

    private JobJson() {}

    public static ObjectNode of(Record value) { return MAPPER.valueToTree(value); }

    public static String text(JsonNode node) { return MAPPER.writeValueAsString(node); }

    static Job job(String text) { return read(text, Job.class); }

    /** What {@link #of(Record)} made. */
    public static <T extends Record> T read(String text, Class<T> type) { return MAPPER.readValue(text, type); }

    public static JsonNode parse(String text) { return MAPPER.readTree(text); }

    static ObjectNode of(TrainingEvent event) {
        var json = MAPPER.createObjectNode();
        switch (event) {
            case TrainingEvent.Started e -> json.put("type", "started").put("what", e.what()).put("fromStep", e.fromStep()).put("steps", e.steps()).put("parameters", e.parameters())
                .put("trainable", e.trainable()).put("predictedBytes", e.predictedBytes());
            case TrainingEvent.Step e -> {
                json.put("type", "step").put("step", e.step()).put("steps", e.steps());
                number(json, "loss", e.loss());
                number(json, "learningRate", e.learningRate());
                number(json, "gradientNorm", e.gradientNorm());
                number(json, "tokensPerSecond", e.tokensPerSecond());
                json.put("tokens", e.tokens());
                number(json, "secondsLeft", e.secondsLeft());
            }
            case TrainingEvent.Evaluation e -> {
                number(json.put("type", "evaluation").put("step", e.step()), "loss", e.loss());
                if (!Double.isNaN(e.accuracy())) json.put("accuracy", e.accuracy());
            }
            case TrainingEvent.Sample e -> json.put("type", "sample").put("step", e.step()).put("prompt", e.prompt()).put("text", e.text());
            case TrainingEvent.Pictures e -> json.put("type", "pictures").put("step", e.step()).put("what", e.what()).put("file", e.file().getFileName().toString());
            case TrainingEvent.Measure e -> number(json.put("type", "measure").put("step", e.step()).put("name", e.name()), "value", e.value());
            /* Of the path the file's name alone: where this machine keeps things is nobody else's matter. */
            case TrainingEvent.Saved e -> json.put("type", "saved").put("step", e.step()).put("checkpoint", e.checkpoint().getFileName().toString());
            case TrainingEvent.Finished e -> json.put("type", "finished").put("step", e.step()).put("end", e.end().name().toLowerCase(Locale.ROOT));
        }
        return json;
    }

    /** @param note null where there is nothing to say any more */
    static ObjectNode of(Insight.Note note) {
        var json = MAPPER.createObjectNode().put("type", "insight");
        json.set("note", note == null ? MAPPER.nullNode() : MAPPER.<JsonNode>valueToTree(note));
        return json;
    }

    public static ObjectNode object() { return MAPPER.createObjectNode(); }

    private static void number(ObjectNode json, String name, double value) {
        if (Double.isFinite(value)) json.put(name, value);
        else json.putNull(name);
    }
}
