package inkstone.transformer;

import java.io.IOException;
import java.nio.file.Path;

/** The model that comes with the program and answers where nobody names another. A build without its file has none. */
public final class EmbeddedModel {
    public static final String NAME = "Ink";
    /** How tokens are drawn where nobody says: at the usual temperature a model of this size strays. */
    public static final SamplerSettings SAMPLING = new SamplerSettings(0.4f, 40, 0.95f, 0.05f, 1f, 0f, 0f, 64, 0);

    /* Models are called by their file's name. */
    private static final EmbeddedFile FILE = new EmbeddedFile(EmbeddedModel.class, NAME + ".gguf");

    private EmbeddedModel() {}

    public static boolean present() { return FILE.present(); }

    /** The model as a file; see {@link EmbeddedFile#file}. */
    public static Path file(Path folder) throws IOException { return FILE.file(folder); }
}
