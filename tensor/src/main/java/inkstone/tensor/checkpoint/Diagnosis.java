package inkstone.tensor.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Opening files that may be anything, and saying what they are. */
final class Diagnosis {
    private static final int SHOWN = 100;
    private static final String INSTEAD = "; use the model's safetensors or GGUF file";

    private Diagnosis() {}

    /** The whole file, read-only, however large. An empty file is refused here: what mapping zero bytes does differs between systems. */
    static MemorySegment map(Path path, Arena arena) throws IOException {
        if (Files.isDirectory(path)) throw new ModelException("%s is a folder; expected a model file".formatted(path));
        try (var channel = FileChannel.open(path)) {
            if (channel.size() == 0) throw new ModelException("%s is empty; download it again".formatted(path));
            return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
        }
    }

    /** What a file that is not in the format expected seems to be, from its first bytes: "a zip archive ...". */
    static String looksLike(MemorySegment file) {
        var bytes = file.asSlice(0, Math.min(file.byteSize(), 256)).toArray(JAVA_BYTE);
        var start = new String(bytes, StandardCharsets.ISO_8859_1);
        if (start.isEmpty()) return "an empty file; download it again";
        if (start.startsWith("version https://git-lfs")) return "a git-lfs pointer; fetch the file it stands for with 'git lfs pull', or download that";
        if (start.startsWith("GGUF")) return "a GGUF file";
        if (start.length() > 9 && start.startsWith("\0\0", 6) && start.charAt(8) == '{') return "a safetensors file";
        if (start.startsWith("PK\3\4")) return "a zip archive, perhaps a PyTorch checkpoint" + INSTEAD;
        if (start.startsWith("\u0080\2") || start.startsWith("\u0080\4")) return "a Python pickle, perhaps a PyTorch checkpoint" + INSTEAD;
        if (start.startsWith("lmgg") || start.startsWith("fmgg") || start.startsWith("tjgg")) return "a ggml file from before GGUF; convert it again";
        if (start.startsWith("\u0089HDF")) return "an HDF5 file" + INSTEAD;
        if (start.stripLeading().startsWith("<")) return "a web page, perhaps an error from a download; download it again";
        if (start.chars().allMatch(c -> c >= ' ' && c != 127 || c == '\n' || c == '\r' || c == '\t')) return "text";
        return "neither GGUF nor safetensors";
    }

    /** Text from a file as a message may show it: one line, printable, not long. */
    static String shown(String text) {
        int end = Math.min(text.length(), SHOWN);
        var line = new StringBuilder();
        text.substring(0, end).codePoints().forEach(c -> line.appendCodePoint(isPrintable(c) ? c : '?'));
        return line + (end < text.length() ? "..." : "");
    }

    private static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.UNASSIGNED -> false;
            case Character.LINE_SEPARATOR, Character.PARAGRAPH_SEPARATOR -> false;
            default -> true;
        };
    }
}
