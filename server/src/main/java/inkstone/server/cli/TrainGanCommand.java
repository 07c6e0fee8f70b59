package inkstone.server.cli;

import inkstone.gan.GanTraining;
import inkstone.gan.GanTrainingConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "gan", description = "Trains two networks against each other on pictures: GAN, DCGAN, CoGAN, Progressive GAN, StyleGAN or StyleGAN2. Ctrl-C saves; the same command goes on from there.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class TrainGanCommand implements Callable<Integer> {
    @Spec private CommandSpec command;

    @Mixin private DeviceOptions devices;

    @Parameters(paramLabel = "CONFIG", description = "JSON that says which networks and what they learn from; gan/configs has one for each family.")
    private Path file;

    @Override public Integer call() throws IOException {
        devices.check(command);
        var config = GanTrainingConfig.read(file);
        return TrainRun.run(command, devices, backend -> {
            var run = new GanTraining(config, file, backend);
            return new TrainRun.Ready(run::run, run.folder(), run.model(), "");
        });
    }
}
