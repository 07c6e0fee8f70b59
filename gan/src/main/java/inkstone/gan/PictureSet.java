package inkstone.gan;

import inkstone.diffusion.Picture;
import inkstone.diffusion.train.PictureFiles;
import inkstone.diffusion.train.PictureReading;
import inkstone.tensor.ModelException;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.GZIPInputStream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Square pictures of one size in memory, each of a class.
 *
 * @param pictures bytes of pixels, rows from the top
 * @param labels   places in {@code classes}
 * @param classes  names; empty where nobody named any
 */
public record PictureSet(int size, int channels, List<byte[]> pictures, int[] labels, List<String> classes) {
    private static final int LARGEST = 4_096;

    public PictureSet {
        if (pictures.isEmpty()) throw new ModelException("there is no picture to learn from");
    }

    public int count() { return pictures.size(); }

    /** Picture i as floats in [-1, 1], mirrored or not, from place {@code at} of {@code to} on. */
    public void put(int i, boolean mirrored, float[] to, int at) {
        byte[] bytes = pictures.get(i);
        for (int y = 0; y < size; y++) for (int x = 0; x < size; x++) for (int c = 0; c < channels; c++) {
            to[at++] = (bytes[(y * size + (mirrored ? size - 1 - x : x)) * channels + c] & 0xFF) / 127.5f - 1;
        }
    }

    /** The pictures from {@code from} to {@code to - 1}. */
    public PictureSet part(int from, int to) { return new PictureSet(size, channels, pictures.subList(from, to), java.util.Arrays.copyOfRange(labels, from, to), classes); }

    // ---- IDX files -----------------------------------------------------------------------------------------------------------------------------------

    /**
     * Grey pictures in the format of MNIST (LeCun et al. 1998), packed by gzip or not, in the middle of a black square of {@code size} pixels.
     *
     * @param labels file of their classes, or null
     * @param names  of the classes; may be empty
     */
    public static PictureSet idx(Path pictures, Path labels, int size, List<String> names) throws IOException {
        int[] dims = new int[3];
        byte[] pixels = idx(pictures, dims);
        int count = dims[0], height = dims[1], width = dims[2];
        if (height > size || width > size) throw new ModelException("%s has pictures of %d x %d, more than size %d".formatted(pictures, width, height, size));
        var found = new int[count];
        if (labels != null) {
            int[] one = new int[1];
            byte[] values = idx(labels, one);
            if (one[0] != count) throw new ModelException("%s has %d labels for the %d pictures of %s".formatted(labels, one[0], count, pictures));
            for (int i = 0; i < count; i++) found[i] = values[i] & 0xFF;
        }
        int top = (size - height) / 2, left = (size - width) / 2;
        var all = new ArrayList<byte[]>();
        for (int i = 0; i < count; i++) {
            var picture = new byte[size * size];
            for (int y = 0; y < height; y++) System.arraycopy(pixels, (i * height + y) * width, picture, (top + y) * size + left, width);
            all.add(picture);
        }
        return new PictureSet(size, 1, all, found, names);
    }

    private static byte[] idx(Path file, int[] dims) throws IOException {
        if (!Files.isRegularFile(file)) throw new ModelException("%s: there is no such file of pictures or labels".formatted(file));
        try (InputStream raw = Files.newInputStream(file);
             var in = new DataInputStream(new BufferedInputStream(file.toString().endsWith(".gz") ? new GZIPInputStream(raw) : raw))) {
            int magic = in.readInt();
            if (magic != (0x0800 | dims.length)) throw new ModelException("%s is no IDX file of bytes in %d dimensions: it begins with 0x%08x".formatted(file, dims.length, magic));
            long elements = 1;
            for (int i = 0; i < dims.length; i++) {
                dims[i] = in.readInt();
                if (dims[i] < 1 || i > 0 && dims[i] > LARGEST || (elements *= dims[i]) > Integer.MAX_VALUE - 8) {
                    throw new ModelException("%s: expected 1 to %d in each direction and below 2 GB in all, got %d".formatted(file, LARGEST, dims[i]));
                }
            }
            var bytes = in.readNBytes((int) elements);
            if (bytes.length < elements) throw new ModelException("%s is cut short: %d bytes of %d".formatted(file, bytes.length, elements));
            return bytes;
        } catch (EOFException | java.util.zip.ZipException cut) {
            throw new ModelException("%s is damaged: %s".formatted(file, cut.getMessage() == null ? "it ends early" : cut.getMessage()), cut);
        }
    }

    // ---- folders -------------------------------------------------------------------------------------------------------------------------------------

    /**
     * Pictures of a folder or zip file on white, with a captions.jsonl or without.
     *
     * @param only    fields of captions.jsonl and the values of which a row must have one; empty: all rows
     * @param classes field of captions.jsonl whose values are the classes; null: one class without a name
     */
    public static PictureSet folder(Path path, Map<String, List<String>> only, String classes, int size, int channels) throws IOException {
        var files = PictureFiles.read(path, name -> name.endsWith("captions.jsonl") || name.toLowerCase(Locale.ROOT).matches(".*\\.(png|jpe?g|gif|bmp)"));
        var captions = files.remove("captions.jsonl");
        if (captions == null && (!only.isEmpty() || classes != null)) throw new ModelException("%s has no captions.jsonl, of which rows or classes are asked for".formatted(path));
        var wanted = captions == null ? all(files) : listed(path, captions, only, classes);
        var numbers = new TreeMap<String, Integer>();
        for (var label : wanted.values()) numbers.putIfAbsent(label, 0);
        int next = 0;
        for (var entry : numbers.entrySet()) entry.setValue(next++);
        var pictures = new ArrayList<byte[]>();
        var labels = new ArrayList<Integer>();
        for (var row : wanted.entrySet()) {
            var bytes = files.get(row.getKey());
            if (bytes == null) throw new ModelException("%s: captions.jsonl names %s, which is not there".formatted(path, row.getKey()));
            pictures.add(channels(PictureReading.square(PictureReading.read(bytes, path + "/" + row.getKey()), size).rgb(0xFFFFFF), channels));
            labels.add(numbers.get(row.getValue()));
        }
        return new PictureSet(size, channels, pictures, labels.stream().mapToInt(Integer::intValue).toArray(), classes == null ? List.of() : List.copyOf(numbers.keySet()));
    }

    private static Map<String, String> all(Map<String, byte[]> files) {
        var rows = new TreeMap<String, String>();
        for (var file : files.keySet()) rows.put(file, "");
        return rows;
    }

    /** file -> label */
    private static Map<String, String> listed(Path path, byte[] captions, Map<String, List<String>> only, String classes) {
        var rows = new TreeMap<String, String>();
        int number = 0;
        for (var line : new String(captions, StandardCharsets.UTF_8).split("\n")) {
            number++;
            if (line.isBlank()) continue;
            try {
                var row = JsonMapper.shared().readTree(line);
                if (!only.entrySet().stream().allMatch(field -> field.getValue().contains(row.path(field.getKey()).asString("")))) continue;
                rows.put(row.path("file").asString(""), classes == null ? "" : row.path(classes).asString(""));
            } catch (JacksonException problem) {
                throw new ModelException("%s/captions.jsonl, line %d: %s".formatted(path, number, problem.getOriginalMessage()), problem);
            }
        }
        return rows;
    }

    /** Grey by the weights of ITU-R BT.601. */
    private static byte[] channels(Picture picture, int channels) {
        if (channels == 3) return picture.bytes();
        var grey = new byte[picture.width() * picture.height()];
        for (int i = 0; i < grey.length; i++) {
            int at = 3 * i;
            grey[i] = (byte) Math.round(0.299f * (picture.bytes()[at] & 0xFF) + 0.587f * (picture.bytes()[at + 1] & 0xFF) + 0.114f * (picture.bytes()[at + 2] & 0xFF));
        }
        return grey;
    }
}
