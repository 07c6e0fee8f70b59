package inkstone.server.cli;

import inkstone.tensor.train.Schedule;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent.End;
import inkstone.transformer.tune.FineTuneRun;
import inkstone.transformer.tune.FineTuneSettings;
import inkstone.transformer.tune.data.Format;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "finetune", description = "Teaches a model from examples: an adapter beside it, or every weight. Ctrl-C saves; the same command goes on from there.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class FineTuneCommand implements Callable<Integer> {
    @Spec private CommandSpec command;

    @Option(names = {"-m", "--model"}, paramLabel = "MODEL", required = true, description = "A .gguf file in any format, or a folder with safetensors, config.json and tokenizer.json.")
    private Path model;

    @Option(names = "--data", paramLabel = "FILE", required = true, description = "Examples: chats, instructions, prompts with answers, text, pairs of answers, texts with labels, CSV; the command data shows what is made of them.")
    private Path data;

    @Option(names = {"-o", "--output"}, paramLabel = "FOLDER", required = true, description = "Folder for checkpoints and the result.")
    private Path out;

    @Option(names = "--format", paramLabel = "F", description = "Format of the data, if it is not recognised: chat sharegpt alpaca prompt-completion text preference labelled.")
    private String format;

    @Option(names = "--method", paramLabel = "M", defaultValue = "lora",
        description = "lora (also beside quantized weights, then called QLoRA), dora, full; dpo, which learns to prefer one answer to another. Default: ${DEFAULT-VALUE}.")
    private String method;

    @Option(names = "--rank", paramLabel = "N", description = "Rank of the low-rank change. Default: 16.") private Integer rank;
    @Option(names = "--alpha", paramLabel = "A", description = "The change is alpha / rank times the product. Default: twice the rank.") private Float alpha;
    @Option(names = "--dropout", paramLabel = "P", description = "Share of its input that the low-rank part does not see. Default: 0.") private Float dropout;
    @Option(names = "--targets", paramLabel = "NAMES", split = ",", description = "Linear maps that change, such as q_proj,v_proj. Default: all.") private List<String> targets;
    @Option(names = "--epochs", paramLabel = "N", description = "Passes over the examples. Default: 3.") private Double epochs;
    @Option(names = "--steps", paramLabel = "N", description = "Steps in place of epochs.") private Integer steps;
    @Option(names = "--learning-rate", paramLabel = "R", description = "Default: what suits the method.") private Double rate;
    @Option(names = "--schedule", paramLabel = "S", description = "constant, linear or cosine. Default: cosine.") private String schedule;
    @Option(names = "--batch-tokens", paramLabel = "N", description = "Tokens that are carried forward and back at once. Default: 2048.") private Integer batchTokens;
    @Option(names = "--accumulate", paramLabel = "N", description = "Such batches a step. Default: 1.") private Integer accumulate;
    @Option(names = "--context", paramLabel = "N", description = "Most tokens of an example. Default: what the model was made for, at most a batch.") private Integer context;
    @Option(names = "--validation", paramLabel = "SHARE", description = "Examples kept back. Default: 0.1.") private Double validation;
    @Option(names = "--patience", paramLabel = "N", description = "Evaluations without a better validation loss until it ends. Default: it does not end early.") private Integer patience;
    @Option(names = "--beta", paramLabel = "B", description = "Of dpo: how strongly the model is kept near the one it began as. Default: 0.1.") private Float beta;
    @Option(names = "--recompute", description = "Compute layers twice to save memory.") private boolean recompute;
    @Option(names = "--seed", paramLabel = "N", description = "Default: 1.") private Long seed;
    @Mixin private DeviceOptions devices;

    @Override public Integer call() throws IOException {
        devices.check(command);
        model = ModelOptions.located(model, command);
        if (!Files.exists(model)) throw wrong("%s does not exist; give a GGUF file or a model's directory".formatted(model));
        if (!Files.exists(data)) throw wrong("%s does not exist; give a file with examples".formatted(data));
        var settings = settings();
        var out = command.commandLine().getOut();
        var control = new TrainingControl();
        try (var backend = devices.open(command); var terminal = new TrainingTerminal(out, command.commandLine().getErr());
             var run = FineTuneRun.open(settings, backend, (read, all) -> terminal.preparing("reading examples", read, all))) {
            run.report().print(out);
            new Interrupts().answering(() -> {
                command.commandLine().getErr().println("\ninkstone: saving; once more Ctrl-C ends at once");
                control.pause();
            });
            var end = run.run(control, terminal);
            boolean labels = !run.report().labels().isEmpty();
            out.printf(Locale.ROOT, "%s%n", end == End.PAUSED ? "saved in %s; the same command goes on".formatted(this.out) : labels ? classifierReady(settings) : ready(settings));
            return end == End.PAUSED ? Interrupts.EXIT_CODE : 0;
        }
    }

    private String ready(FineTuneSettings settings) {
        if (settings.method() == FineTuneSettings.Method.FULL) return "%s is ready: ./inkstone chat -m %1$s".formatted(out.resolve(FineTuneRun.MODEL));
        var adapter = out.resolve(settings.method() == FineTuneSettings.Method.DORA ? FineTuneRun.PEFT : FineTuneRun.GGUF_LORA);
        return "%s is ready: ./inkstone chat -m %s --lora %1$s".formatted(adapter, model);
    }

    private String classifierReady(FineTuneSettings settings) {
        return "%s is ready: ./inkstone classify -c %1$s%s -p TEXT".formatted(out, settings.method() == FineTuneSettings.Method.FULL ? "" : " -m " + model);
    }

    private FineTuneSettings settings() {
        var usual = FineTuneSettings.usual(model, data, named(FineTuneSettings.Method.values(), "--method", method.equalsIgnoreCase("qlora") ? "lora" : method), out);
        if (beta != null && usual.method() != FineTuneSettings.Method.DPO) throw wrong("--beta belongs to --method dpo");
        int usedRank = rank == null ? usual.rank() : rank;
        try {
            return new FineTuneSettings(model, data, format == null ? null : named(Format.values(), "--format", format.replace('-', '_')), usual.method(), usedRank,
                alpha == null ? 2f * usedRank : alpha, dropout == null ? usual.dropout() : dropout, targets == null ? usual.targets() : targets, epochs == null ? usual.epochs() : epochs,
                steps == null ? 0 : steps, rate == null ? 0 : rate, schedule == null ? usual.schedule() : named(Schedule.Shape.values(), "--schedule", schedule),
                batchTokens == null ? usual.batchTokens() : batchTokens, accumulate == null ? 1 : accumulate, context == null ? 0 : context,
                validation == null ? usual.validationShare() : validation, patience == null ? 0 : patience, beta == null ? usual.beta() : beta, recompute, seed == null ? 1 : seed, out);
        } catch (IllegalArgumentException problem) {
            throw wrong(problem.getMessage());
        }
    }

    private <E extends Enum<E>> E named(E[] values, String option, String name) {
        for (var value : values) if (value.name().equalsIgnoreCase(name)) return value;
        throw wrong("%s: no %s; there are %s".formatted(option, name, java.util.Arrays.stream(values).map(value -> value.name().toLowerCase(Locale.ROOT)).toList()));
    }

    private ParameterException wrong(String message) { return new ParameterException(command.commandLine(), message); }
}
