package inkstone.gan;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** A generator that is open: a GGUF file of architecture "gan". Owns the file and its weights. */
public final class GanFile implements AutoCloseable {
    private static final String ARCHITECTURE = "gan", PREFIX = "gan.";

    private final Gguf file;
    private final CheckpointWeights weights;
    private final GanConfig config;
    private final Generator generator;
    private final String name;
    private final List<String> classes;

    private GanFile(Gguf file, CheckpointWeights weights, GanConfig config, Generator generator, String name, List<String> classes) {
        this.file = file;
        this.weights = weights;
        this.config = config;
        this.generator = generator;
        this.name = name;
        this.classes = classes;
    }

    static void put(GgufWriter writer, GanConfig c, String name, List<String> classes) {
        writer.string("general.architecture", ARCHITECTURE).string("general.name", name).string(PREFIX + "family", c.family().name().toLowerCase(java.util.Locale.ROOT));
        writer.u32(PREFIX + "size", c.size()).u32(PREFIX + "channels", c.channels()).u32(PREFIX + "latent", c.latent()).u32(PREFIX + "width", c.width()).u32(PREFIX + "most", c.most());
        writer.u32(PREFIX + "mapping", c.mapping()).u32(PREFIX + "classes", c.classes());
        if (!classes.isEmpty()) writer.string(PREFIX + "class_names", String.join("\n", classes));
    }

    /** @throws ModelException where it is no such file or is damaged */
    public static GanFile open(Path path, Backend backend) throws IOException {
        var file = Gguf.open(path);
        try {
            var metadata = file.metadata();
            if (!metadata.string("general.architecture", "").equals(ARCHITECTURE)) throw new ModelException("%s is no generator: expected a GGUF file of architecture gan".formatted(path));
            var config = config(path, metadata);
            var weights = new CheckpointWeights(file, backend);
            try {
                var names = metadata.string(PREFIX + "class_names", "");
                return new GanFile(file, weights, config, weights.build(w -> Networks.generator(config, w, Networks.grown(config), false)), metadata.string("general.name", path.getFileName().toString()),
                    names.isEmpty() ? List.of() : List.of(names.split("\n")));
            } catch (RuntimeException e) {
                weights.close();
                throw e;
            }
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static GanConfig config(Path path, inkstone.tensor.checkpoint.Metadata metadata) {
        var family = metadata.string(PREFIX + "family", "");
        for (var one : GanConfig.Family.values()) {
            if (!one.name().equalsIgnoreCase(family)) continue;
            try {
                return new GanConfig(one, number(metadata, "size"), number(metadata, "channels"), number(metadata, "latent"), number(metadata, "width"), number(metadata, "most"), number(metadata, "mapping"),
                    number(metadata, "classes"));
            } catch (IllegalArgumentException e) {
                throw new ModelException("%s: %s".formatted(path, e.getMessage()), e);
            }
        }
        throw new ModelException("%s: the family \"%s\" is none of the six".formatted(path, family));
    }

    private static int number(inkstone.tensor.checkpoint.Metadata metadata, String key) { return Math.toIntExact(metadata.integer(PREFIX + key)); }

    public GanConfig config() { return config; }
    public Generator generator() { return generator; }
    public String name() { return name; }
    /** Names of the classes that can be asked for; empty where there are none. */
    public List<String> classes() { return config.classes() == 0 ? List.of() : classes; }

    @Override public void close() {
        weights.close();
        file.close();
    }
}
