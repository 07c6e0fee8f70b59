package inkstone.server.jobs;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;

/** Whole folders. */
public final class Folders {
    private Folders() {}

    /** The folder, made where it is missing, for its owner's eyes alone where the system knows such a thing: what people teach, say and paint may be private. */
    public static void make(Path folder) throws IOException {
        var whole = folder.toAbsolutePath();
        if (Files.isDirectory(whole)) return;
        Files.createDirectories(whole.getParent());
        boolean posix = Files.getFileStore(whole.getParent()).supportsFileAttributeView("posix");
        if (posix) Files.createDirectory(whole, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        else Files.createDirectory(whole);
    }

    /** Deletes a folder and all in it; follows no links. */
    static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) return;
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override public FileVisitResult postVisitDirectory(Path visited, IOException problem) throws IOException {
                if (problem != null) throw problem;
                Files.delete(visited);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
