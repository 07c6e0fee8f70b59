package inkstone.server.cli;

import inkstone.tensor.Backend;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import inkstone.transformer.train.Pretraining.Preparation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Consumer;
import picocli.CommandLine.Model.CommandSpec;

/** What all commands that train from a configuration do: a device, a bar, Ctrl-C that saves, and a last line that says where the result is. */
final class TrainRun {
    interface Running { End run(TrainingControl control, Preparation preparation, Consumer<TrainingEvent> events) throws IOException; }

    /**
     * A run that is ready to begin.
     *
     * @param use command that uses the model, whose file stands for %s; empty where there is none
     */
    record Ready(Running running, Path folder, Path model, String use) {}

    interface Making { Ready on(Backend backend) throws IOException; }

    private TrainRun() {}

    static int run(CommandSpec command, DeviceOptions devices, Making making) throws IOException {
        var out = command.commandLine().getOut();
        var control = new TrainingControl();
        try (var backend = devices.open(command); var terminal = new TrainingTerminal(out, command.commandLine().getErr())) {
            new Interrupts().answering(() -> {
                command.commandLine().getErr().println("\ninkstone: saving; once more Ctrl-C ends at once");
                control.pause();
            });
            var run = making.on(backend);
            var end = run.running.run(control, terminal::preparing, terminal);
            out.printf(Locale.ROOT, "%s%n", switch (end) {
                case COMPLETE, STOPPED_EARLY -> "%s is ready%s".formatted(run.model, run.use.isEmpty() ? "" : ": " + run.use.formatted(run.model));
                case PAUSED -> "saved in %s; the same command goes on".formatted(run.folder);
                case CANCELLED -> "ended";
            });
            return end == End.PAUSED ? Interrupts.EXIT_CODE : 0;
        }
    }
}
