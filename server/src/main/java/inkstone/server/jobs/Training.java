package inkstone.server.jobs;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;

/**
 * What this program can train: the jobs know no more of models and data than this. Any thread; calls may take long. Where what is asked for makes no sense,
 * methods throw an {@link IllegalArgumentException} that says why.
 */
public interface Training {
    /** A job's settings, its own copy of the data, and the folder that holds its checkpoints and results and nothing else. */
    record Run(TuneSettings settings, Path data, Path folder) {}

    /**
     * One form of the result.
     *
     * @param id   for URLs: letters, digits and '-'
     * @param name for people: "GGUF LoRA"
     * @param file name of the file that is made
     */
    record Export(String id, String name, String about, String file) {}

    /** Who answers: the model as it was, or as it is now. */
    enum Side { BASE, TUNED }

    record Question(String text, long seed, double temperature, int maxTokens) {}

    /** In the order to offer them in; the first is the usual choice. */
    List<BaseModel> models();

    /** Jobs on different devices run side by side. */
    String device(TuneSettings settings);

    DataSummary report(Path data, TuneSettings settings) throws IOException;

    Plan plan(Path data, TuneSettings settings) throws IOException;

    TrainingJob job(Run run) throws IOException;

    /** Answers the question by both, in pieces, until {@code cancelled}. */
    void compare(Run run, Question question, BiConsumer<Side, String> pieces, BooleanSupplier cancelled) throws IOException;

    List<Export> exports(Run run);

    /** Writes one of {@link #exports} to {@code out}, which does not exist yet. */
    void export(Run run, String export, Path out) throws IOException;

    /** The chat answers with the tuned model from now on. */
    void load(Run run) throws IOException;

    /** The chat answers with its own model again. */
    void unload() throws IOException;
}
