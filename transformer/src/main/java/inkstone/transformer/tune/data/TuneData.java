package inkstone.transformer.tune.data;

import inkstone.tensor.ModelException;
import inkstone.transformer.tune.data.Detected.Container;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A file or a folder of examples, read for one model: recognised, rendered through the model's template, marked, cut to the context and split in those to train on and
 * those held out. Files are streamed; what stays in memory is the tokens (see {@link ExampleSet}), and while reading one row of at most 4 million characters.
 *
 * <p>Rules, each counted in the report: repeated examples are left out; so are rows that are empty or cannot be used. A conversation longer than the context loses its
 * oldest turns (its system message stays) until it fits, and is cut at its end where even the last turn alone is too long; text is cut into windows; a text with a
 * label is cut at its end. Whole conversations, documents and rows are held out, of a plain text file windows.
 */
public final class TuneData {
    /** Told of bytes read, of all. */
    @FunctionalInterface
    public interface Progress {
        void at(long bytes, long of);
    }

    private static final Set<String> EXTENSIONS = Set.of("json", "jsonl", "ndjson", "csv", "tsv", "txt", "md");
    private static final int MOST_FILES = 10_000;

    private final DataReport report;
    private final ExampleSet training, validation;

    TuneData(DataReport report, ExampleSet training, ExampleSet validation) {
        this.report = report;
        this.training = training;
        this.validation = validation;
    }

    public DataReport report() { return report; }

    public ExampleSet training() { return training; }

    /** Empty where the settings hold out none. */
    public ExampleSet validation() { return validation; }

    /**
     * @param path a file, also packed with gzip, or a folder of them
     * @throws ModelException where nothing in it can be used, or it is broken so that what follows cannot be read; in one line
     */
    public static TuneData read(Path path, Prompting prompting, TuneDataSettings settings, Progress progress) throws IOException {
        var paths = paths(path);
        var notes = new ArrayList<String>();
        var files = new ArrayList<Detected>();
        for (var file : paths) files.add(Detected.of(file, settings.format()));
        var format = agreed(path, files, notes);
        if (files.size() < paths.size()) paths = files.stream().map(Detected::path).toList();
        long all = 0, before = 0;
        for (var file : paths) all += Files.size(file);
        var reading = new Reading(path, format, prompting, settings);
        for (var file : files) {
            long done = before, whole = all;
            try (var opened = DataFile.open(file.path(), read -> progress.at(done + read, whole))) {
                if (file.container() == Container.TEXT) reading.text(file, opened.reader());
                else reading.rows(file, file.open(opened.reader()));
            }
            before += Files.size(file.path());
        }
        return reading.finish(Detected.told(files), notes);
    }

    private static List<Path> paths(Path path) throws IOException {
        if (!Files.isDirectory(path)) {
            if (Files.exists(path) && !Files.isRegularFile(path)) throw new ModelException(path + " is neither a file nor a folder");
            return List.of(path);
        }
        try (var walk = Files.walk(path)) {
            var files = walk.filter(file -> Files.isRegularFile(file) && EXTENSIONS.contains(Detected.extension(file)) && !path.relativize(file).toString().startsWith("."))
                .limit(MOST_FILES + 1).sorted().toList();
            if (files.isEmpty()) throw new ModelException("%s has no file whose name ends with %s".formatted(path, EXTENSIONS.stream().sorted().map(name -> "." + name).collect(Collectors.joining(", "))));
            if (files.size() > MOST_FILES) throw new ModelException("%s has more than %,d files; take fewer and larger ones".formatted(path, MOST_FILES));
            return files;
        }
    }

    /** Conversations of any kind go together; plain text beside rows is taken for a description and left out. */
    private static Format agreed(Path path, List<Detected> files, List<String> notes) {
        boolean rows = files.stream().anyMatch(file -> file.container() != Container.TEXT);
        if (rows) {
            files.stream().filter(file -> file.container() == Container.TEXT)
                .forEach(file -> notes.add("%s is plain text beside files with rows and was left out".formatted(path.relativize(file.path()))));
            files.removeIf(file -> file.container() == Container.TEXT);
        }
        var first = files.getFirst();
        for (var file : files) {
            if (kind(file.format()) != kind(first.format())) {
                throw new ModelException("%s: %s is %s and %s is %s, which are learned in different ways; put them in different folders"
                    .formatted(path, first.path().getFileName(), first.format().label(), file.path().getFileName(), file.format().label()));
            }
        }
        return first.format();
    }

    private static Format kind(Format format) {
        return switch (format) {
            case CHAT, SHAREGPT, ALPACA, PROMPT_COMPLETION -> Format.CHAT;
            case TEXT, PREFERENCE, LABELLED -> format;
        };
    }
}
