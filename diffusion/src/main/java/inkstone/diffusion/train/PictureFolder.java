package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import inkstone.tensor.ModelException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A folder (or zip file) of pictures with a captions.jsonl, one object a line: {@code file} and {@code caption}, and where there are some {@code style} and {@code keywords}. A folder without that
 * file may have a text file beside each picture. All pictures are kept in memory at the size that is learned.
 */
public final class PictureFolder implements PictureSource {
    private static final String CAPTIONS = "captions.jsonl";
    /* How often a style is said, a keyword is added, and a keyword stands for the name: people ask in all these ways. */
    private static final double STYLED = 0.85, WITH_KEYWORDS = 0.25, KEYWORDS_ONLY = 0.05;

    /**
     * @param only    rows whose field has one of these values; null or empty: all
     * @param without not those
     * @param style   the word for rows that name none; null: none
     * @param flip    whether half of them are mirrored
     * @param shift   pixels by which they are moved at most, each way; white comes in
     */
    public record Settings(Map<String, List<String>> only, Map<String, List<String>> without, String style, boolean flip, int shift) {}

    private record Row(String file, String caption, String style, List<String> keywords) {}

    private final String name;
    private final boolean flip;
    private final int shift;
    private final List<Row> rows, kept;
    private final Map<String, Picture> pictures;

    /**
     * @param held  files that are not learned, as captions.jsonl names them
     * @param share of the pictures that are kept for validation
     */
    public PictureFolder(Path path, Settings settings, int size, Set<String> held, double share) throws IOException {
        name = path.toString();
        flip = settings.flip;
        shift = settings.shift;
        var files = PictureFiles.read(path, file -> file.endsWith(CAPTIONS) || file.endsWith(".txt") || isPicture(file));
        var all = files.containsKey(CAPTIONS) ? listed(files.get(CAPTIONS), settings) : besides(files, settings);
        rows = new ArrayList<>();
        kept = new ArrayList<>();
        pictures = new HashMap<>();
        for (var row : all) {
            if (held.contains(row.file)) continue;
            var bytes = files.get(row.file);
            if (bytes == null) throw new ModelException("%s: %s names %s, which is not there".formatted(path, CAPTIONS, row.file));
            pictures.put(row.file, PictureReading.square(PictureReading.read(bytes, path + "/" + row.file), size).rgb(0xFFFFFF));
            (fraction(row.file) < share ? kept : rows).add(row);
        }
        if (rows.isEmpty()) throw new ModelException("%s: no picture with a caption; expected %s with lines {\"file\": .., \"caption\": ..}, or a .txt beside each picture".formatted(path, CAPTIONS));
    }

    private static boolean isPicture(String file) { return file.toLowerCase(Locale.ROOT).matches(".*\\.(png|jpe?g|gif|bmp)"); }

    private static List<Row> listed(byte[] captions, Settings settings) {
        var found = new ArrayList<Row>();
        int number = 0;
        for (var line : new String(captions, StandardCharsets.UTF_8).split("\n")) {
            number++;
            if (line.isBlank()) continue;
            try {
                var row = JsonMapper.shared().readTree(line);
                if (!matches(row, settings.only, true) || matches(row, settings.without, false)) continue;
                var keywords = new ArrayList<String>();
                row.path("keywords").forEach(keyword -> keywords.add(keyword.asString()));
                found.add(new Row(row.path("file").asString(), row.path("caption").asString(), row.path("style").asString(settings.style == null ? "" : settings.style), keywords));
            } catch (JacksonException problem) {
                throw new ModelException("%s, line %d: %s".formatted(CAPTIONS, number, problem.getOriginalMessage()), problem);
            }
        }
        return found;
    }

    /** Whether each field ({@code all}), or any, has one of its values; what nothing is said of matches where all must. */
    private static boolean matches(JsonNode row, Map<String, List<String>> fields, boolean all) {
        if (fields == null || fields.isEmpty()) return all;
        var matching = fields.entrySet().stream().map(field -> field.getValue().contains(row.path(field.getKey()).asString("")));
        return all ? matching.allMatch(matched -> matched) : matching.anyMatch(matched -> matched);
    }

    private static List<Row> besides(Map<String, byte[]> files, Settings settings) {
        var found = new ArrayList<Row>();
        for (var file : files.keySet()) {
            if (!isPicture(file)) continue;
            var text = files.get(file.substring(0, file.lastIndexOf('.')) + ".txt");
            if (text != null) found.add(new Row(file, new String(text, StandardCharsets.UTF_8).strip(), settings.style == null ? "" : settings.style, List.of()));
        }
        return found;
    }

    /** A number in [0, 1) that depends on the file's name alone, so that validation pictures stay the same whatever else is in the folder. */
    private static double fraction(String file) {
        var checksum = new CRC32C();
        checksum.update(file.getBytes(StandardCharsets.UTF_8));
        return checksum.getValue() / 0x1p32;
    }

    @Override public String name() { return name; }
    @Override public long count() { return rows.size(); }

    @Override public Captioned draw(RandomGenerator random) {
        var row = rows.get(random.nextInt(rows.size()));
        var picture = pictures.get(row.file);
        if (flip && random.nextBoolean()) picture = mirrored(picture);
        if (shift > 0) picture = moved(picture, random.nextInt(2 * shift + 1) - shift, random.nextInt(2 * shift + 1) - shift);
        return new Captioned(picture, caption(row, random));
    }

    private static String caption(Row row, RandomGenerator random) {
        var words = new StringBuilder();
        double choice = random.nextDouble();
        boolean some = !row.keywords.isEmpty();
        if (!some || choice >= KEYWORDS_ONLY) words.append(row.caption);
        if (some && choice < WITH_KEYWORDS) {
            for (int i = 1 + random.nextInt(2); i > 0; i--) words.append(words.isEmpty() ? "" : ", ").append(row.keywords.get(random.nextInt(row.keywords.size())));
        }
        if (!row.style.isEmpty() && random.nextDouble() < STYLED) words.append(", ").append(row.style);
        return words.toString();
    }

    private static Picture mirrored(Picture picture) {
        int width = picture.width(), channels = picture.channels();
        var bytes = new byte[picture.bytes().length];
        for (int pixel = 0; pixel < width * picture.height(); pixel++) {
            int from = pixel / width * width + width - 1 - pixel % width;
            System.arraycopy(picture.bytes(), from * channels, bytes, pixel * channels, channels);
        }
        return new Picture(width, picture.height(), channels, bytes);
    }

    /**
     * A picture of the folder by itself.
     *
     * @param style empty where it has none
     */
    public record Entry(String file, String caption, String style, Picture picture) {}

    /** The pictures that are drawn, or else ({@code false}) those kept for validation. */
    public List<Entry> entries(boolean drawn) { return (drawn ? rows : kept).stream().map(row -> new Entry(row.file, row.caption, row.style, pictures.get(row.file))).toList(); }

    private static Picture moved(Picture picture, int right, int down) {
        int width = picture.width(), height = picture.height(), channels = picture.channels(), from = Math.max(0, -right), count = Math.max(0, width - Math.abs(right));
        var bytes = new byte[picture.bytes().length];
        Arrays.fill(bytes, (byte) 255);
        for (int y = Math.max(0, -down); y < Math.min(height, height - down); y++) {
            System.arraycopy(picture.bytes(), (y * width + from) * channels, bytes, ((y + down) * width + from + right) * channels, count * channels);
        }
        return new Picture(width, height, channels, bytes);
    }

    /* Whole captions: with its style a picture is one, without it may be any of several. */
    @Override public List<Captioned> validation(int count) {
        return kept.stream().limit(count).map(row -> new Captioned(pictures.get(row.file), row.caption + (row.style.isEmpty() ? "" : ", " + row.style))).toList();
    }

    @Override public Stream<String> texts() {
        return rows.stream().flatMap(row -> Stream.concat(Stream.of(row.caption + ", " + row.style, row.caption), row.keywords.stream()));
    }
}
