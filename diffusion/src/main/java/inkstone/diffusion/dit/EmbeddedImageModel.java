package inkstone.diffusion.dit;

import inkstone.diffusion.ImageModelInfo;
import inkstone.tensor.Backend;
import inkstone.transformer.EmbeddedFile;
import java.io.IOException;
import java.nio.file.Path;

/** The image model that comes with the program; diffusion/dab has its card and what it is made from. A build without its file has none. */
public final class EmbeddedImageModel {
    public static final String NAME = "Dab";

    private static final EmbeddedFile FILE = new EmbeddedFile(EmbeddedImageModel.class, NAME + ".gguf");

    private EmbeddedImageModel() {}

    public static boolean present() { return FILE.present(); }

    /** Its file; see {@link EmbeddedFile#file}. */
    public static Path file(Path folder) throws IOException { return FILE.file(folder); }

    /** What it is, without its weights. @param folder see {@link EmbeddedFile#file} */
    public static ImageModelInfo info(Path folder) throws IOException { return DitPipeline.info(FILE.file(folder), true); }

    /** @param folder see {@link EmbeddedFile#file} */
    public static DitPipeline open(Path folder, Backend backend) throws IOException { return DitPipeline.open(FILE.file(folder), backend, true); }
}
