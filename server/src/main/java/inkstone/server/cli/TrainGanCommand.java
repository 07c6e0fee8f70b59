package inkstone.server.cli;

import inkstone.gan.GanTraining;
import inkstone.gan.GanTrainingConfig;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent.End;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
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
        var out = command.commandLine().getOut();
        var control = new TrainingControl();
        try (var backend = devices.open(command); var terminal = new TrainingTerminal(out, command.commandLine().getErr())) {
            new Interrupts().answering(() -> {
                command.commandLine().getErr().println("\ninkstone: saving; once more Ctrl-C ends at once");
                control.pause();
            });
            var run = new GanTraining(config, file, backend);
            var end = run.run(control, terminal::preparing, terminal);
            out.printf(Locale.ROOT, "%s%n", switch (end) {
                case COMPLETE, STOPPED_EARLY -> "%s is ready".formatted(run.model());
                case PAUSED -> "saved in %s; the same command goes on".formatted(run.folder());
                case CANCELLED -> "ended";
            });
            return end == End.PAUSED ? Interrupts.EXIT_CODE : 0;
        }
    }
}
