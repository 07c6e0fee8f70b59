package inkstone.diffusion.train;

import inkstone.tensor.ModelException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.zip.ZipFile;

/** The files of a folder and of the zip files in it, or of one zip file, by name; a name in a zip file counts from the zip's root. */
public final class PictureFiles {
    private PictureFiles() {}

    /** Those that are wanted, in the order of their names. */
    public static Map<String, byte[]> read(Path path, Predicate<String> wanted) throws IOException {
        if (!Files.exists(path)) throw new ModelException("%s: there is no such folder or zip file of pictures".formatted(path));
        var files = new TreeMap<String, byte[]>();
        if (Files.isRegularFile(path)) {
            addZip(files, path, wanted);
            return files;
        }
        try (var found = Files.walk(path)) {
            for (var file : found.filter(Files::isRegularFile).sorted().toList()) {
                if (file.getFileName().toString().endsWith(".zip")) {
                    addZip(files, file, wanted);
                } else {
                    var name = path.relativize(file).toString().replace('\\', '/');
                    if (wanted.test(name)) files.put(name, Files.readAllBytes(file));
                }
            }
        }
        return files;
    }

    private static void addZip(Map<String, byte[]> files, Path path, Predicate<String> wanted) throws IOException {
        try (var zip = new ZipFile(path.toFile())) {
            var entries = zip.entries();
            while (entries.hasMoreElements()) {
                var entry = entries.nextElement();
                if (entry.isDirectory() || !wanted.test(entry.getName())) continue;
                try (var stream = zip.getInputStream(entry)) { files.put(entry.getName(), stream.readAllBytes()); }
            }
        }
    }
}
