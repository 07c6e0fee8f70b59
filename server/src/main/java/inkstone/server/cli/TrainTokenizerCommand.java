package inkstone.server.cli;

import inkstone.tokenizer.ByteLevelVocabulary;
import inkstone.tokenizer.train.BpeTrainer;
import inkstone.tokenizer.train.Corpus;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "tokenizer",
    description = "Makes a byte-level BPE tokenizer of texts, or one of single characters, as a tokenizer.json. Words are cut as Qwen 2 does, every digit alone.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class TrainTokenizerCommand implements Callable<Integer> {
    private static final String USUAL_END = "<|endoftext|>";
    /** How many rows a warning tells. */
    private static final int SHOWN = 3;

    @Spec private CommandSpec command;

    @Option(names = "--vocab", paramLabel = "N", description = "Tokens, special ones included: the 256 bytes, then one for each merge.")
    private Integer vocabularySize;

    @Option(names = "--characters", description = "One token for each character that occurs instead; no other can be encoded. Without special tokens unless --special names some.")
    private boolean characters;

    @Option(names = "--special", paramLabel = "TOKEN", split = ",",
        description = "Control tokens, such as <|im_start|>,<|im_end|>; may be repeated. They take the last ids. Default: " + USUAL_END + ".")
    private List<String> special;

    @Option(names = "--eos", paramLabel = "TOKEN", description = "The special token that ends a text. Default: the first.")
    private String eos;

    @Option(names = "--bos", paramLabel = "TOKEN", description = "The special token that begins every text. Default: none.")
    private String bos;

    @Option(names = {"-o", "--output"}, paramLabel = "FILE", required = true,
        description = "The tokenizer.json to write. What begins and ends texts comes into a tokenizer_config.json beside it.")
    private Path target;

    @Option(names = {"-t", "--threads"}, paramLabel = "N", description = "Threads that count words. Default: one for each processor.")
    private Integer threads;

    @Parameters(paramLabel = "FILES", arity = "1..*",
        description = "Texts in UTF-8, JSON lines with \"text\" or \"messages\" (.jsonl), either packed (.gz), folders and .zip files of them.")
    private List<Path> files;

    @Override public Integer call() throws IOException {
        if (characters == (vocabularySize != null)) throw wrong(characters ? "--characters and --vocab exclude each other" : "--vocab N says how many tokens to make; or give --characters");
        if (threads != null && (threads < 1 || threads > 1_024)) throw wrong("--threads must be 1 to 1024, got " + threads);
        if (special == null) special = characters ? List.of() : List.of(USUAL_END);
        if (eos == null && !special.isEmpty()) eos = special.getFirst();
        try {
            if (characters) ByteLevelVocabulary.requireSpecial(special, bos, eos);
            var settings = characters ? null : new BpeTrainer.Settings(vocabularySize, special, bos, eos, threads == null ? Runtime.getRuntime().availableProcessors() : threads);
            Inkstone.requireFolder(target);
            ByteLevelVocabulary.requireAbsent(target, bos != null || eos != null);
            var corpus = Corpus.of(files);
            long start = System.nanoTime();
            var trained = train(corpus, settings);
            report(corpus, trained, trained.vocabulary().write(target), (System.nanoTime() - start) / 1e9);
        } catch (IllegalArgumentException problem) {
            throw wrong(problem.getMessage());
        }
        return 0;
    }

    private ParameterException wrong(String message) { return new ParameterException(command.commandLine(), message); }

    private BpeTrainer.Trained train(Corpus corpus, BpeTrainer.Settings settings) throws IOException {
        var err = command.commandLine().getErr();
        try (var reading = new ProgressBar(err); var merging = new ProgressBar(err)) {
            BpeTrainer.Progress progress = (stage, done, all) -> {
                if (stage == BpeTrainer.Progress.Stage.READING_BYTES) reading.showBytes(done, Math.max(done, all), "words counted");
                else merging.showOften(done, all, "merges");
            };
            return settings == null ? BpeTrainer.characters(corpus, special, bos, eos, progress, () -> false) : BpeTrainer.train(corpus, settings, progress, () -> false);
        }
    }

    private void report(Corpus corpus, BpeTrainer.Trained trained, List<Path> written, double seconds) {
        var vocabulary = trained.vocabulary();
        command.commandLine().getOut().printf(Locale.ROOT, "%s: %,d tokens (%,d merges, %d special), from %,.1f MB of text in %s, %,d %s of which %,d differ, in %.1f s%n",
            written.stream().map(Path::toString).collect(Collectors.joining(", ")), vocabulary.size(), vocabulary.merges().size(), vocabulary.special().size(), trained.bytes() / 1e6,
            corpus.files() == 1 ? "1 file" : corpus.files() + " files", trained.words(), characters ? "characters" : "words", trained.different(), seconds);
        if (vocabularySize != null && vocabulary.size() < vocabularySize) warn("no pair of tokens occurs twice any more, so there are %,d tokens, not %,d".formatted(vocabulary.size(), vocabularySize));
        if (trained.forgotten() > 0) warn("%,d occurrences of rare words were not counted, as there are too many different ones".formatted(trained.forgotten()));
        if (trained.problems().count() > 0) warnOf(trained.problems().count(), "rows were passed over", trained.problems().first());
        if (!corpus.passedOver().isEmpty()) warnOf(corpus.passedOver().size(), "files were passed over, as they are no .txt, .md or .jsonl", corpus.passedOver());
    }

    private void warnOf(long count, String what, List<String> names) {
        warn("%,d %s: %s%s".formatted(count, what, String.join("; ", names.subList(0, Math.min(SHOWN, names.size()))), count > SHOWN ? "; ..." : ""));
    }

    private void warn(String message) { command.commandLine().getErr().println("inkstone: " + message); }
}
