package inkstone.server;

import inkstone.server.images.PaintOrder;
import inkstone.server.images.PaintOrder.Axis;
import inkstone.server.images.PaintOrder.Grid;
import inkstone.server.images.PaintOrder.Parameter;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/** What is to be painted, as clients send it: in our own words, and in OpenAI's. What is absent is the model's choice. */
final class PaintRequest {
    private static final long LARGEST_SEED = (1L << 53) - 1;   // what a browser's numbers hold
    private static final int MOST_CHOICES = 10;
    private static final Pattern SIZE = Pattern.compile("([0-9]{1,5})x([0-9]{1,5})");

    private PaintRequest() {}

    static PaintOrder of(Fields fields) {
        return order(fields, whole(fields, "width", 1, 1 << 15), whole(fields, "height", 1, 1 << 15), (int) fields.integer("count", 1, PaintOrder.MOST_PICTURES, 1), fields.string("from", null),
            fields.string("mask", null), grid(fields.object("grid")));
    }

    /**
     * The fields of OpenAI's image requests. Those that mean nothing here (quality, style, moderation, output_compression, user) are passed over; what would give another
     * picture than was asked for is refused. Our own fields stand beside theirs.
     *
     * @param from id of the picture to change; null: none
     */
    static PaintOrder openAi(Fields fields, String from, String mask) {
        refuseOther(fields, "background", List.of("auto", "opaque"), "pictures have no transparent background here");
        refuseOther(fields, "output_format", List.of("png"), "pictures are PNG files here");
        refuseOther(fields, "response_format", List.of("b64_json", "url"), "there are b64_json and url");
        if (fields.string("prompt", "").isBlank()) throw fields.wrong("prompt", "a text that says what to paint");
        var size = fields.string("size", "auto");
        var sides = SIZE.matcher(size);
        if (!size.equals("auto") && !sides.matches()) throw fields.wrong("size", "\"auto\" or width and height such as \"512x512\"");
        boolean chosen = !size.equals("auto");
        return order(fields, chosen ? (Integer) Integer.parseInt(sides.group(1)) : null, chosen ? (Integer) Integer.parseInt(sides.group(2)) : null, (int) fields.integer("n", 1, MOST_CHOICES, 1), from, mask, null);
    }

    private static void refuseOther(Fields fields, String name, List<String> known, String why) {
        var value = fields.string(name, known.getFirst());
        if (!known.contains(value)) throw ApiException.unsupported(name, "%s %s is not supported: %s".formatted(name, Fields.shortened(value), why));
    }

    private static PaintOrder order(Fields fields, Integer width, Integer height, int count, String from, String mask, Grid grid) {
        return new PaintOrder(fields.string("model", null), fields.string("prompt", ""), fields.string("negative", null), width, height, whole(fields, "steps", 1, PaintOrder.MOST_STEPS),
            number(fields, "guidance", 0, 100), number(fields, "rescale", 0, 1), fields.string("sampler", null), fields.string("schedule", null), number(fields, "eta", -1, 1), fields.string("noise", null),
            fields.has("seed") ? (Long) fields.integer("seed", 0, LARGEST_SEED, 0) : null, count, from, mask, number(fields, "strength", 0, 1), grid);
    }

    private static Integer whole(Fields fields, String name, int min, int max) { return fields.has(name) ? (Integer) (int) fields.integer(name, min, max, min) : null; }

    private static Float number(Fields fields, String name, double min, double max) { return fields.has(name) ? (Float) fields.number(name, min, max, min) : null; }

    private static Grid grid(Fields fields) {
        if (fields == null) return null;
        if (!fields.has("x")) throw fields.wrong("x", "an object with parameter and values");
        return new Grid(axis(fields.object("x")), fields.has("y") ? axis(fields.object("y")) : null);
    }

    private static Axis axis(Fields fields) {
        var name = fields.string("parameter", "");
        var parameter = Arrays.stream(Parameter.values()).filter(each -> each.name().equalsIgnoreCase(name)).findFirst().orElseThrow(() -> fields.wrong("parameter",
            Arrays.stream(Parameter.values()).map(each -> each.name().toLowerCase(Locale.ROOT)).collect(Collectors.joining(", "))));
        var values = fields.array("values", PaintOrder.MOST_PICTURES);
        if (values.isEmpty()) throw fields.wrong("values", "an array of one value or more");
        return new Axis(parameter, values.stream().map(value -> text(value, fields.path() + "values")).toList());
    }

    private static String text(JsonNode value, String where) {
        if (value.isNumber()) return value.toString();
        return Fields.text(value, where);
    }
}
