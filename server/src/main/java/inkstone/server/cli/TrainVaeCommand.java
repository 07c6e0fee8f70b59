package inkstone.server.cli;

import inkstone.diffusion.train.VaeConfig;
import inkstone.diffusion.train.VaeTraining;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "vae", description = "Trains an autoencoder from scratch on pictures: to latents, which are smaller, and back. Ctrl-C saves; the same command goes on from there.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class TrainVaeCommand implements Callable<Integer> {
    @Spec private CommandSpec command;

    @Mixin private DeviceOptions devices;

    @Parameters(paramLabel = "CONFIG", description = "JSON that says what model to make and what it learns from.")
    private Path file;

    @Override public Integer call() throws IOException {
        devices.check(command);
        var config = VaeConfig.read(file);
        return TrainRun.run(command, devices, backend -> {
            var run = new VaeTraining(config, file, backend);
            return new TrainRun.Ready(run::run, run.folder(), run.model(), "");
        });
    }
}
