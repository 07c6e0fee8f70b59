package inkstone.server.cli;

import inkstone.tokenizer.MarkedText;
import inkstone.transformer.EmbeddedModel;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.GenerationResult;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.SamplerSettings;
import inkstone.transformer.Session;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "chat", description = "Talks with a model on the terminal; with -p, answers once.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class ChatCommand implements Callable<Integer> {
    @Spec private CommandSpec command;
    @Mixin private ModelOptions modelOptions;
    @Mixin private SamplingOptions sampling;
    @Mixin private SpeculationOptions speculation;

    @Option(names = {"-p", "--prompt"}, paramLabel = "PROMPT", description = "Answer this and end.")
    private String prompt;

    @Option(names = {"-n", "--tokens"}, paramLabel = "N", defaultValue = "256", description = "Most tokens of an answer. Default: ${DEFAULT-VALUE}.")
    private int tokens;

    @Option(names = "--system", paramLabel = "TEXT", description = "What the model is told before the conversation.")
    private String system;

    @Option(names = "--raw", description = "Continue the text as it is: no chat template, special tokens are read.")
    private boolean raw;

    @Override public Integer call() throws IOException {
        var settings = sampling.settings(modelOptions.embedded() ? EmbeddedModel.SAMPLING : SamplerSettings.DEFAULT);
        if (tokens < 1) throw modelOptions.wrong("-n must be 1 or more, got " + tokens);
        speculation.check();
        if (raw && system != null) throw modelOptions.wrong("--system has no place in a --raw text");
        try (var opened = modelOptions.open(); var guessing = speculation.open(opened.backend());
             var session = Session.open(opened.model(), opened.contextLength(), opened.cacheType(), guessing.speculation())) {
            var talk = new Talk(opened.model(), session, settings, new Interrupts());
            if (prompt != null) talk.answer(prompt);
            else talk.converse();
        }
        return 0;
    }

    /** One conversation. Answers go to standard output, everything else to standard error. */
    private final class Talk {
        private final LanguageModel model;
        private final Session session;
        private final SamplerSettings settings;
        private final Interrupts interrupts;
        private final PrintWriter out = command.commandLine().getOut(), err = command.commandLine().getErr();
        private final List<Map<String, Object>> messages = new ArrayList<>();
        private StringBuilder text = new StringBuilder();

        Talk(LanguageModel model, Session session, SamplerSettings settings, Interrupts interrupts) {
            this.model = model;
            this.session = session;
            this.settings = settings;
            this.interrupts = interrupts;
            clear();
        }

        private void clear() {
            messages.clear();
            text = new StringBuilder();
            if (system != null) messages.add(Map.of("role", "system", "content", system));
        }

        void converse() throws IOException {
            boolean terminal = System.console() != null && System.console().isTerminal();
            var in = new BufferedReader(new InputStreamReader(System.in, Charset.forName(System.getProperty("stdin.encoding", "UTF-8"))));
            if (terminal) {
                err.println("%s%s. /clear begins anew, /quit or Ctrl-D ends, Ctrl-C stops an answer.".formatted(model.name(),
                    modelOptions.embedded() ? ", a very small model that comes with Inkstone; -m MODEL opens a larger one" : ""));
            }
            while (true) {
                if (terminal) {
                    out.print("> ");
                    out.flush();
                }
                var line = in.readLine();
                if (line == null || line.equals("/quit")) return;
                if (line.equals("/clear")) clear();
                else if (!line.isBlank()) attempt(line);
            }
        }

        /** A turn that cannot be had (context full, the template refuses) leaves the conversation as it was. */
        private void attempt(String line) {
            int before = messages.size(), length = text.length();
            try {
                answer(line);
            } catch (IllegalArgumentException problem) {
                while (messages.size() > before) messages.removeLast();
                text.setLength(length);
                err.println("inkstone: " + problem.getMessage() + "; /clear begins anew");
            }
        }

        void answer(String line) {
            MarkedText marked;
            if (raw) {
                marked = MarkedText.trusted(text.append(line).toString());
            } else {
                messages.add(Map.of("role", "user", "content", line));
                marked = model.template().render(messages, List.of(), true);
            }
            interrupts.answering(session::cancel);
            GenerationResult result;
            try {
                result = session.generate(new GenerationRequest(model.tokenizer().encodePrompt(marked), settings, tokens, List.of()), piece -> {
                    out.print(piece.text());
                    out.flush();
                });
            } finally {
                interrupts.idle();
            }
            out.println();
            out.flush();
            text.append(result.text());
            messages.add(Map.of("role", "assistant", "content", result.text()));
            err.println(statistics(result));
            err.flush();
        }
    }

    private static String statistics(GenerationResult result) {
        var guesses = result.guesses();
        int read = result.promptTokens() - result.cachedTokens(), written = result.tokens().length;
        return "[prompt: %d tokens, %d of them kept, %.1f tokens/s; answer: %d tokens, %.1f tokens/s%s; %s]".formatted(
            result.promptTokens(), result.cachedTokens(), perSecond(read, result.promptNanos()), written, perSecond(written, result.generationNanos()),
            guesses.made() == 0 ? "" : ", %d of %d guesses right (%.0f%%)".formatted(guesses.right(), guesses.made(), 100 * guesses.acceptance()), switch (result.finish()) {
                case STOP -> "complete";
                case LENGTH -> "cut at its longest";
                case CANCELLED -> "stopped";
            });
    }

    private static double perSecond(int count, long nanos) { return nanos <= 0 ? 0 : count * 1e9 / nanos; }
}
