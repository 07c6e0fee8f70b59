package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import inkstone.tensor.ModelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Pictures that are put together of transparent parts, one drawn from each layer and laid over those before: any number of them from a few hundred parts. The caption names the parts,
 * "panda head, red glasses, blue body".
 */
public final class LayeredPictures implements PictureSource {
    /* A style is said in half of the captions; each layer says how often it is. */
    private static final double STYLED = 0.5;
    private static final long VALIDATION_SEED = 0x5EED;

    /**
     * @param layer    the key of its parts in the list
     * @param caption  with {@code %s} for the part's name
     * @param said     how often it is mentioned; null: always
     * @param place    the smaller, the earlier in captions; null: 0
     * @param optional words of names that are mostly left out, such as "square" of "square red"
     * @param unnamed  parts that are never mentioned, such as "none"
     */
    public record Layer(String layer, String caption, Double said, Integer place, List<String> optional, List<String> unnamed) {
        private int order() { return place == null ? 0 : place; }
    }

    private record Part(String name, Picture picture) {}

    /** Names by layer of parts that are never drawn together. */
    public record Held(Map<String, String> parts) {}

    private final String name, style;
    private final List<Layer> layers;
    private final Map<String, List<Part>> parts = new LinkedHashMap<>();
    private final List<Held> held;
    private final int size;

    /**
     * @param path folder or zip file of the parts
     * @param list JSON: layer -> [{"file": .., "name": ..}]
     * @param layers from the lowest to the highest
     * @param style  word for all of them, or null
     */
    public LayeredPictures(Path path, Path list, List<Layer> layers, String style, int size, List<Held> held) throws IOException {
        name = path.toString();
        this.style = style;
        this.layers = List.copyOf(layers);
        this.held = List.copyOf(held);
        this.size = size;
        if (!Files.isRegularFile(list)) throw new ModelException("%s: there is no such list of parts".formatted(list));
        var files = PictureFiles.read(path, _ -> true);
        try {
            var root = JsonMapper.shared().readTree(Files.readString(list));
            for (var layer : layers) {
                var found = new ArrayList<Part>();
                for (var part : root.path(layer.layer)) {
                    var file = part.path("file").asString();
                    if (!files.containsKey(file)) throw new ModelException("%s names %s, which is not in %s".formatted(list, file, path));
                    found.add(new Part(part.path("name").asString(), PictureReading.square(PictureReading.read(files.get(file), path + "/" + file), size)));
                }
                if (found.isEmpty()) throw new ModelException("%s has no parts of layer \"%s\"; it has %s".formatted(list, layer.layer, root.propertyNames()));
                parts.put(layer.layer, found);
            }
        } catch (JacksonException problem) {
            throw new ModelException("%s: %s".formatted(list, problem.getOriginalMessage()), problem);
        }
        for (var combination : held) combination.parts.forEach((layer, part) -> {
            if (parts.getOrDefault(layer, List.of()).stream().noneMatch(known -> known.name.equals(part))) throw new ModelException("held out: %s has no part \"%s\" of layer \"%s\"".formatted(list, part, layer));
        });
    }

    @Override public String name() { return name; }
    @Override public long count() { return parts.values().stream().mapToLong(List::size).reduce(1, Math::multiplyExact); }

    @Override public Captioned draw(RandomGenerator random) {
        while (true) {
            var chosen = new LinkedHashMap<String, Part>();
            parts.forEach((layer, all) -> chosen.put(layer, all.get(random.nextInt(all.size()))));
            if (held.stream().noneMatch(combination -> combination.parts.entrySet().stream().allMatch(part -> chosen.get(part.getKey()).name.equals(part.getValue())))) {
                return new Captioned(laid(List.copyOf(chosen.values())), caption(chosen, random));
            }
        }
    }

    /** The picture of these parts, by layer; layers that are not named take their first part. For judging what a model makes of a combination. */
    public Picture of(Map<String, String> names) {
        return laid(parts.entrySet().stream().map(layer -> layer.getValue().stream().filter(part -> part.name.equals(names.get(layer.getKey()))).findFirst().orElse(layer.getValue().getFirst())).toList());
    }

    /** Of the parts of a layer. */
    public List<String> names(String layer) { return parts.get(layer).stream().map(Part::name).toList(); }

    private Picture laid(List<Part> chosen) {
        var rgb = new byte[size * size * 3];
        java.util.Arrays.fill(rgb, (byte) 255);
        for (var part : chosen) {
            var bytes = part.picture.bytes();
            for (int pixel = 0; pixel < size * size; pixel++) {
                int alpha = bytes[4 * pixel + 3] & 0xFF;
                for (int c = 0; c < 3; c++) {
                    int over = bytes[4 * pixel + c] & 0xFF, below = rgb[3 * pixel + c] & 0xFF;
                    rgb[3 * pixel + c] = (byte) ((over * alpha + below * (255 - alpha) + 127) / 255);
                }
            }
        }
        return new Picture(size, size, 3, rgb);
    }

    private String caption(Map<String, Part> chosen, RandomGenerator random) {
        var words = new StringBuilder();
        for (var layer : layers.stream().sorted(Comparator.comparingInt(Layer::order)).toList()) {
            var part = chosen.get(layer.layer);
            double said = layer.said == null ? 1 : layer.said;
            if (random.nextDouble() >= said || layer.unnamed != null && layer.unnamed.contains(part.name)) continue;
            words.append(words.isEmpty() ? "" : ", ").append(layer.caption.formatted(spoken(part.name, layer, random)));
        }
        if (style != null && random.nextDouble() < STYLED || words.isEmpty()) words.append(words.isEmpty() ? "" : ", ").append(style == null ? "" : style);
        return words.toString();
    }

    private static String spoken(String name, Layer layer, RandomGenerator random) {
        if (layer.optional == null || random.nextInt(4) == 0) return name;
        var words = new ArrayList<>(List.of(name.split(" ")));
        if (words.size() > 1) words.removeAll(layer.optional);
        return words.isEmpty() ? name : String.join(" ", words);
    }

    /** Freshly drawn: of so many combinations hardly one comes twice. */
    @Override public List<Captioned> validation(int count) {
        var random = new SplittableRandom(VALIDATION_SEED);
        return Stream.generate(() -> draw(random)).limit(count).toList();
    }

    /* Each part as often as a picture of a folder, about. */
    @Override public Stream<String> texts() {
        return layers.stream().flatMap(layer -> parts.get(layer.layer).stream().flatMap(part -> Stream.of(part.name, layer.caption.formatted(part.name), layer.caption.formatted(part.name))));
    }
}
