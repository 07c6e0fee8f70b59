package inkstone.transformer.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;

/** Folders that a run made itself. */
public final class Folders {
    private Folders() {}

    /** With all that is in it; where there is none, nothing happens. */
    public static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) return;
        try (var files = Files.walk(folder)) { for (var file : files.sorted(Comparator.reverseOrder()).toList()) Files.delete(file); }
    }
}
