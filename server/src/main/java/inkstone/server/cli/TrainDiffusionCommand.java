package inkstone.server.cli;

import inkstone.diffusion.train.DiffusionConfig;
import inkstone.diffusion.train.DiffusionTraining;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "diffusion", description = "Trains a text-to-image model from scratch on captioned pictures. Ctrl-C saves; the same command goes on from there.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class TrainDiffusionCommand implements Callable<Integer> {
    @Spec private CommandSpec command;

    @Mixin private DeviceOptions devices;

    @Parameters(paramLabel = "CONFIG", description = "JSON that says what model to make and what it learns from; diffusion/dab/config.json is the embedded model's.")
    private Path file;

    @Override public Integer call() throws IOException {
        devices.check(command);
        var config = DiffusionConfig.read(file);
        return TrainRun.run(command, devices, backend -> {
            var run = new DiffusionTraining(config, file, backend, devices.threads());
            return new TrainRun.Ready(run::run, run.folder(), run.model(), "./inkstone paint -m %s");
        });
    }
}
