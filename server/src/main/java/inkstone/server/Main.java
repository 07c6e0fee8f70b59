package inkstone.server;

import inkstone.server.cli.Inkstone;

/** Where the program starts. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) { System.exit(Inkstone.run(arguments)); }
}
