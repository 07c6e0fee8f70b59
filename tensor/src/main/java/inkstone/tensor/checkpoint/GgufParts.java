package inkstone.tensor.checkpoint;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/**
 * The other files of a model that is split over several: split.count of them, split.no from 0, split.tensors.count tensors in all. Metadata stands in the first; the
 * others are found by their names.
 */
final class GgufParts {
    private static final Pattern NAME = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");
    private static final int MOST = 99_999;

    private final Path path;
    private final Contents contents;

    GgufParts(Path path, Contents first) {
        this.path = path;
        this.contents = first;
    }

    /** Maps the other parts and adds their tensors to those of the first; does nothing where the model is in one file. */
    void add(Arena arena) throws IOException {
        int count = number(contents, "split.count", 1);
        if (count <= 1) return;
        if (count > MOST) throw new ModelException("%s says that it is one of %d parts; a model has at most %d".formatted(path, count, MOST));
        int no = number(contents, "split.no", 0);
        if (no != 0) throw new ModelException("%s is part %d of %d of a model; open the first part%s".formatted(path, no + 1, count, hint(count)));
        if (part(1, count) == null) {
            throw new ModelException("%s is part 1 of %d of a model; name it as it was, NAME-%05d-of-%05d.gguf, or the others are not found".formatted(path, count, 1, count));
        }
        for (int i = 1; i < count; i++) {
            var other = part(i + 1, count);
            if (!Files.exists(other)) throw new ModelException("%s is part 1 of %d of a model, and part %d is missing: put %s beside it".formatted(path, count, i + 1, other.getFileName()));
            var reader = new GgufReader(Diagnosis.map(other, arena), other.toString());
            if (number(reader.contents, "split.no", -1) != i || number(reader.contents, "split.count", -1) != count) {
                throw new ModelException("%s should be part %d of %d of the model of %s, and is not".formatted(other, i + 1, count, path.getFileName()));
            }
            contents.add(reader.contents);
        }
        int found = contents.tensors().size() + contents.unsupported().size(), expected = number(contents, "split.tensors.count", found);
        if (found != expected) throw new ModelException("%s and its other parts should hold %d tensors, and hold %d: they are not of one model".formatted(path, expected, found));
    }

    private String hint(int count) {
        var first = part(1, count);
        return first == null ? "" : ", " + first.getFileName();
    }

    /** The file of a part, from 1; null where this file's name does not tell. */
    private Path part(int number, int count) {
        var name = NAME.matcher(path.getFileName().toString());
        return name.matches() ? path.resolveSibling("%s-%05d-of-%05d.gguf".formatted(name.group(1), number, count)) : null;
    }

    private static int number(Contents contents, String key, int absent) { return contents.metadata.integer(key, absent); }
}
