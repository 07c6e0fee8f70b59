package inkstone.server.cli;

import java.util.concurrent.atomic.AtomicReference;
import sun.misc.Signal;

/** Ctrl-C on the terminal: while an answer is written it stops the answer, otherwise, and the second time, it ends the program. */
final class Interrupts {
    /** What shells expect of a program that ended so. */
    static final int EXIT_CODE = 130;

    private final AtomicReference<Runnable> running = new AtomicReference<>();

    Interrupts() {
        Signal.handle(new Signal("INT"), signal -> {
            var cancel = running.getAndSet(null);
            if (cancel == null) Runtime.getRuntime().halt(EXIT_CODE);
            cancel.run();
        });
    }

    /** From now on Ctrl-C runs {@code cancel}, once. */
    void answering(Runnable cancel) { running.set(cancel); }

    void idle() { running.set(null); }
}
