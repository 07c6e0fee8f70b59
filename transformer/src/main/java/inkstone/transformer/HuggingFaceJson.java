package inkstone.transformer;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import tools.jackson.core.JacksonException;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;

/** JSON files of a Hugging Face model as {@link Metadata}, so that both kinds of file are asked in the same way: nested keys joined by dots, nulls left out. */
public final class HuggingFaceJson {
    /* Python writes NaN and Infinity as they are. */
    private static final JsonMapper JSON = JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();
    private static final long LARGEST_FILE = 64 << 20;

    private HuggingFaceJson() {}

    /** @throws ModelException where the file is not there, or is not JSON */
    public static Metadata read(Path file) throws IOException {
        if (!Files.exists(file)) throw new ModelException("%s has no %s; download the whole model".formatted(file.getParent(), file.getFileName()));
        if (Files.size(file) > LARGEST_FILE) throw new ModelException("%s has %d bytes, far more than any such file".formatted(file, Files.size(file)));
        var values = new LinkedHashMap<String, Object>();
        try {
            flatten("", JSON.readTree(Files.readAllBytes(file)), values);
        } catch (JacksonException e) {
            throw new ModelException("%s is not JSON: %s".formatted(file, e.getOriginalMessage()), e);
        }
        return new Metadata(file.toString(), values);
    }

    private static void flatten(String prefix, JsonNode object, Map<String, Object> values) {
        for (var property : object.properties()) {
            var key = prefix + property.getKey();
            var node = property.getValue();
            if (node.isObject()) flatten(key + ".", node, values);
            else if (!node.isNull()) values.put(key, value(node));
        }
    }

    /** Arrays become lists, whatever is in them; objects in arrays become maps of the same kind. */
    private static Object value(JsonNode node) {
        if (node.isString()) return node.stringValue();
        if (node.isBoolean()) return node.booleanValue();
        if (node.isIntegralNumber() && node.canConvertToLong()) return node.longValue();
        if (node.isNumber()) return node.doubleValue();
        if (node.isObject()) {
            var map = new LinkedHashMap<String, Object>();
            flatten("", node, map);
            return map;
        }
        var list = new ArrayList<>();
        for (var element : node) list.add(element.isNull() ? "null" : value(element));
        return list;
    }
}
