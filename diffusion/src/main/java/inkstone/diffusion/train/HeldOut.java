package inkstone.diffusion.train;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Combinations that a run never learns from, chosen before it, by which it is judged afterwards: JSON lines with a {@code prompt} and either {@code file} (a picture of a folder), {@code parts}
 * (layer -> name, never together) or {@code shape}, a form in a colour or two of them in a relation.
 */
public record HeldOut(List<Row> rows) {
    /** One of the three is not null. */
    public record Row(String prompt, String file, Map<String, String> parts, ShapeScenes.Held shape) {}

    public static final HeldOut NOTHING = new HeldOut(List.of());

    public static HeldOut read(Path path) throws IOException {
        if (!Files.isRegularFile(path)) throw new ModelException("%s: there is no such list of what is held out".formatted(path));
        var rows = new ArrayList<Row>();
        var lines = Files.readAllLines(path);
        for (int i = 0; i < lines.size(); i++) {
            if (lines.get(i).isBlank()) continue;
            try {
                rows.add(row(JsonMapper.shared().readTree(lines.get(i))));
            } catch (JacksonException | IllegalArgumentException problem) {
                throw new ModelException("%s, line %d: %s".formatted(path, i + 1, problem.getMessage()), problem);
            }
        }
        return new HeldOut(List.copyOf(rows));
    }

    private static Row row(JsonNode node) {
        var prompt = node.path("prompt").asString("");
        if (node.has("file")) return new Row(prompt, node.path("file").asString(), null, null);
        if (node.has("parts")) {
            var parts = new LinkedHashMap<String, String>();
            node.path("parts").properties().forEach(part -> parts.put(part.getKey(), part.getValue().asString()));
            return new Row(prompt, null, parts, null);
        }
        var shape = node.path("shape");
        if (shape.isMissingNode()) throw new IllegalArgumentException("expected file, parts or shape");
        boolean two = shape.has("relation");
        return new Row(prompt, null, null, new ShapeScenes.Held(one(Hue.class, shape, "hue"), one(Form.class, shape, "form"), two ? one(Scene.Relation.class, shape, "relation") : null,
            two ? one(Hue.class, shape, "otherHue") : null, two ? one(Form.class, shape, "otherForm") : null));
    }

    private static <E extends Enum<E>> E one(Class<E> type, JsonNode node, String key) { return Enum.valueOf(type, node.path(key).asString("").toUpperCase(Locale.ROOT)); }

    Set<String> files() { return rows.stream().filter(row -> row.file != null).map(Row::file).collect(Collectors.toSet()); }
    List<LayeredPictures.Held> layered() { return rows.stream().filter(row -> row.parts != null).map(row -> new LayeredPictures.Held(row.parts)).toList(); }
    List<ShapeScenes.Held> shapes() { return rows.stream().filter(row -> row.shape != null).map(Row::shape).toList(); }
}
