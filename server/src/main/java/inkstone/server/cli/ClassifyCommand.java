package inkstone.server.cli;

import inkstone.transformer.tune.Classifier;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tools.jackson.databind.json.JsonMapper;

@Command(name = "classify", description = "Tells which label a text has, by a model that finetune taught from texts with labels: the likeliest label, its probability and the text, a line for each.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class ClassifyCommand implements Callable<Integer> {
    @Spec private CommandSpec command;

    @Option(names = {"-c", "--classifier"}, paramLabel = "FOLDER", required = true, description = "The folder that finetune wrote.")
    private Path folder;

    @Option(names = {"-m", "--model"}, paramLabel = "MODEL", description = "The model that was tuned; not needed where every weight was (--method full).")
    private Path model;

    @ArgGroup(multiplicity = "1") private Source source;

    private static final class Source {
        @Option(names = {"-p", "--prompt"}, paramLabel = "TEXT", description = "A text; several with several -p.") private List<String> texts;
        @Option(names = {"-f", "--file"}, paramLabel = "FILE", description = "A file with a text in each line, UTF-8; empty lines are left out.") private Path file;
    }

    @Option(names = "--json", description = "Print a JSON object for each text, with the probability of every label.") private boolean json;
    @Mixin private DeviceOptions devices;

    @Override public Integer call() throws IOException {
        devices.check(command);
        if (model != null) {
            model = ModelOptions.located(model, command);
            if (!Files.exists(model)) throw wrong("%s does not exist; give a GGUF file or a model's directory".formatted(model));
        }
        if (!Files.isDirectory(folder)) throw wrong("%s is no folder; give the one that finetune wrote".formatted(folder));
        var texts = source.texts != null ? source.texts : Files.readAllLines(source.file).stream().filter(line -> !line.isBlank()).toList();
        if (texts.isEmpty()) throw wrong("%s holds no text".formatted(source.file));
        var out = command.commandLine().getOut();
        try (var backend = devices.open(command); var classifier = Classifier.open(folder, model, backend)) {
            for (var text : texts) {
                var probabilities = classifier.probabilities(List.of(text)).getFirst();
                int likeliest = Classifier.likeliest(probabilities);
                if (json) out.println(described(classifier, text, probabilities, likeliest));
                else out.printf(Locale.ROOT, "%s\t%.3f\t%s%n", classifier.labels().get(likeliest), probabilities[likeliest], text.strip());
            }
        }
        out.flush();
        return 0;
    }

    private static String described(Classifier classifier, String text, float[] probabilities, int likeliest) {
        var object = JsonMapper.shared().createObjectNode().put("text", text).put("label", classifier.labels().get(likeliest));
        var each = object.putObject("probabilities");
        for (int i = 0; i < probabilities.length; i++) each.put(classifier.labels().get(i), probabilities[i]);
        return object.toString();
    }

    private ParameterException wrong(String message) { return new ParameterException(command.commandLine(), message); }
}
