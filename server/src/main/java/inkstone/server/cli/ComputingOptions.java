package inkstone.server.cli;

import inkstone.tensor.cpu.CpuBackend;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options of commands that train. */
final class ComputingOptions {
    @Spec(Spec.Target.MIXEE) private CommandSpec command;

    @Option(names = {"-t", "--threads"}, paramLabel = "N", description = "Threads that compute. Default: one for each core.")
    private Integer threads;

    void check() {
        if (threads != null && (threads < 1 || threads > 1_024)) throw new ParameterException(command.commandLine(), "--threads must be 1 to 1024, got " + threads);
    }

    CpuBackend backend() { return threads == null ? new CpuBackend() : new CpuBackend(threads); }
}
