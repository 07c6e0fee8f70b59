package inkstone.server.cli;

import inkstone.server.StudioServer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;

/** The command line: one program, a command for each job, {@code serve} where none is named. Exit codes: 0 done, 1 failed, 2 wrong usage. */
@Command(name = "inkstone",
    description = "A local studio for generative models: chats and paints on this machine, in the browser, on the terminal and over an OpenAI-style API.",
    mixinStandardHelpOptions = true, versionProvider = Inkstone.Version.class, synopsisSubcommandLabel = "[COMMAND]", usageHelpAutoWidth = true,
    footer = {"", "Without a command: serve. Without -m: Ink, a very small model that comes with the program. Each command has its own --help."},
    subcommands = {ServeCommand.class, ChatCommand.class, PaintCommand.class, TokenizeCommand.class, EmbedCommand.class, LogitsCommand.class, PerplexityCommand.class, BenchCommand.class, ConvertCommand.class,
        QuantizeCommand.class, ImatrixCommand.class, TrainCommand.class, MergeCommand.class, DataCommand.class, FineTuneCommand.class, ClassifyCommand.class})
public final class Inkstone {
    private static final Set<String> ABOUT = Set.of("-h", "--help", "-V", "--version");

    @Option(names = "--debug", scope = ScopeType.INHERIT, description = "Print the stack trace of a failure.")
    private boolean debug;

    static final class Version implements IVersionProvider {
        @Override public String[] getVersion() { return new String[] {"inkstone " + StudioServer.VERSION + ", Java " + Runtime.version()}; }
    }

    /** Runs a command to its end and returns the exit code. */
    public static int run(String... arguments) { return run(new PrintWriter(System.out, true), new PrintWriter(System.err, true), arguments); }

    /** {@link #run} with other ends than the terminal's. */
    public static int run(PrintWriter out, PrintWriter err, String... arguments) {
        var inkstone = new Inkstone();
        var commands = new CommandLine(inkstone).setCaseInsensitiveEnumValuesAllowed(true).setOut(out).setErr(err);
        commands.setParameterExceptionHandler((problem, given) -> wrongUsage(problem));
        commands.setExecutionExceptionHandler((problem, command, parsed) -> inkstone.failure(problem, command));
        return commands.execute(withCommand(arguments, commands.getSubcommands().keySet()));
    }

    private static String[] withCommand(String[] arguments, Set<String> commands) {
        boolean asksAbout = arguments.length > 0 && ABOUT.contains(arguments[0]);
        boolean misspelt = arguments.length > 0 && !arguments[0].startsWith("-");
        boolean named = Arrays.stream(arguments).filter(argument -> !argument.startsWith("-")).findFirst().map(commands::contains).orElse(false);
        if (asksAbout || misspelt || named) return arguments;
        var whole = new String[arguments.length + 1];
        whole[0] = "serve";
        System.arraycopy(arguments, 0, whole, 1, arguments.length);
        return whole;
    }

    private static int wrongUsage(ParameterException problem) {
        var command = problem.getCommandLine();
        command.getErr().printf("inkstone: %s (see %s --help)%n", lowerCased(problem.getMessage()), command.getCommandSpec().qualifiedName());
        return CommandLine.ExitCode.USAGE;
    }

    private int failure(Exception problem, CommandLine command) {
        command.getErr().println("inkstone: " + told(problem));
        if (debug) problem.printStackTrace(command.getErr());
        return CommandLine.ExitCode.SOFTWARE;
    }

    /** A failure in one line. */
    static String told(Exception problem) {
        var told = switch (problem) {
            case UncheckedIOException wrapped -> told(wrapped.getCause());
            case NoSuchFileException missing -> missing.getFile() + " does not exist";
            case AccessDeniedException denied -> denied.getFile() + " may not be opened by this user";
            case FileAlreadyExistsException exists -> exists.getFile() + " exists already";
            case IOException io when io.getMessage() == null -> "a file or connection failed (" + io.getClass().getSimpleName() + ")";
            case Exception silent when silent.getMessage() == null -> "failed with " + silent.getClass().getSimpleName() + "; --debug shows where";
            default -> problem.getMessage();
        };
        return told.lines().findFirst().orElse("failed");
    }

    /** What a command will write is checked before it works for minutes. */
    static void requireFolder(Path output) throws NoSuchFileException {
        var folder = output.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder)) throw new NoSuchFileException(String.valueOf(folder));
    }

    private static String lowerCased(String message) {
        var line = message.lines().findFirst().orElse("");
        return line.isEmpty() ? line : Character.toLowerCase(line.charAt(0)) + line.substring(1);
    }
}
