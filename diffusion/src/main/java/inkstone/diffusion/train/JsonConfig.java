package inkstone.diffusion.train;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import tools.jackson.core.JacksonException;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Configurations of runs: JSON with comments, in which no key is unknown. */
public final class JsonConfig {
    private static final JsonMapper JSON = JsonMapper.builder().enable(JsonReadFeature.ALLOW_JAVA_COMMENTS).enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).build();

    private JsonConfig() {}

    /**
     * @param check throws {@link IllegalArgumentException} for values that cannot be
     * @throws ModelException naming the file and what is wrong
     */
    public static <T> T read(Path file, Class<T> type, Consumer<T> check) throws IOException {
        if (!Files.isRegularFile(file)) throw new ModelException("%s: there is no such file; give the JSON file of a training run".formatted(file));
        if (Files.size(file) > 1 << 20) throw new ModelException("%s is no configuration: it has more than a megabyte".formatted(file));
        try {
            var config = JSON.readValue(Files.readString(file), type);
            check.accept(config);
            return config;
        } catch (JacksonException problem) {
            throw new ModelException("%s: %s".formatted(file, problem.getOriginalMessage()), problem);
        } catch (IllegalArgumentException problem) {
            throw new ModelException("%s: %s".formatted(file, problem.getMessage()), problem);
        }
    }

    public static void need(boolean condition, String message) {
        if (!condition) throw new IllegalArgumentException(message);
    }

    public static <T> T or(T value, T usual) { return value == null ? usual : value; }
}
