package inkstone.server.cli;

import inkstone.transformer.train.Pretraining;
import inkstone.transformer.train.PretrainingConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "llm", description = "Trains a language model from scratch: tokenizer, data, model. Ctrl-C saves; the same command goes on from there.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class TrainLlmCommand implements Callable<Integer> {
    @Spec private CommandSpec command;

    @Mixin private DeviceOptions devices;

    @Parameters(paramLabel = "CONFIG", description = "JSON that says what model to make and what it learns from; the README has one.")
    private Path file;

    @Override public Integer call() throws IOException {
        devices.check(command);
        var config = PretrainingConfig.read(file);
        return TrainRun.run(command, devices, backend -> {
            var run = new Pretraining(config, file, backend, devices.threads());
            return new TrainRun.Ready(run::run, run.folder(), run.model(), "./inkstone chat -m %s");
        });
    }
}
