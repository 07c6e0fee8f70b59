package inkstone.server.cli;

import inkstone.tensor.Backend;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.Models;
import inkstone.transformer.Speculation;
import java.io.IOException;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Who guesses tokens ahead of the model, which keeps those that it would have chosen itself: answers are the same, and come faster where guesses are right. */
final class SpeculationOptions {
    private static final int USUAL_DRAFT = 8;

    @Spec(Spec.Target.MIXEE) private CommandSpec command;

    @Option(names = "--draft-model", paramLabel = "MODEL",
        description = "A small model of the same vocabulary that writes ahead; same text, faster where the two agree.")
    private Path draftModel;

    @Option(names = "--draft", paramLabel = "N", description = "Most tokens that the draft model writes ahead in a step. Default: " + USUAL_DRAFT + ".")
    private Integer draft;

    @Option(names = "--lookup", paramLabel = "K", defaultValue = "0",
        description = "Guess up to K tokens a step from what followed the last ones earlier in the text; same text, faster where it repeats. Default: ${DEFAULT-VALUE}, off.")
    private int lookup;

    /** Before anything is opened. */
    void check() {
        if (lookup < 0 || lookup > Speculation.MOST) throw wrong("--lookup must be 0 to %d, got %d".formatted(Speculation.MOST, lookup));
        if (draft != null && draftModel == null) throw wrong("--draft says how far a draft model writes ahead: give one with --draft-model");
        if (draft != null && (draft < 1 || draft > Speculation.MOST)) throw wrong("--draft must be 1 to %d, got %d".formatted(Speculation.MOST, draft));
        if (draftModel != null && lookup > 0) throw wrong("--lookup and --draft-model exclude each other: one of them guesses");
    }

    /** Whether anybody is to guess. */
    boolean guesses() { return lookup > 0 || draftModel != null; }

    private ParameterException wrong(String message) { return new ParameterException(command.commandLine(), message); }

    /** Closes the draft model, if there is one. */
    record Opened(Speculation speculation) implements AutoCloseable {
        @Override public void close() { if (speculation.draft() != null) speculation.draft().close(); }

        /** For benchmarks, whose answers never end. */
        Speculation endless() {
            LanguageModel draft = speculation.draft();
            return draft == null ? speculation : new Speculation(speculation.most(), EndlessTokenizer.in(draft));
        }
    }

    Opened open(Backend backend) throws IOException {
        if (draftModel == null) return new Opened(Speculation.lookup(lookup));
        return new Opened(new Speculation(draft == null ? USUAL_DRAFT : draft, Models.open(draftModel, backend)));
    }
}
