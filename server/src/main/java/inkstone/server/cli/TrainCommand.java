package inkstone.server.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "train", description = "Learns from texts and pictures; each of its commands makes something else.",
    mixinStandardHelpOptions = true, usageHelpAutoWidth = true, synopsisSubcommandLabel = "COMMAND",
    footer = {"", "Each command has its own --help: inkstone train tokenizer --help."},
    subcommands = {TrainLlmCommand.class, TrainDiffusionCommand.class, TrainVaeCommand.class, TrainGanCommand.class, TrainTokenizerCommand.class})
final class TrainCommand implements Runnable {
    @Spec private CommandSpec command;

    @Override public void run() {
        throw new ParameterException(command.commandLine(), "train what? One of: " + String.join(", ", command.subcommands().keySet()));
    }
}
