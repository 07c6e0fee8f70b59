package inkstone.tokenizer;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.management.ManagementFactory;

/** Bounds on a test's own work: time of this thread on a processor, which a busy machine does not stretch as it does the clock on the wall. */
final class ProcessorTime {
    private ProcessorTime() {}

    static void assertAtMost(int seconds, String what, Runnable work) {
        var threads = ManagementFactory.getThreadMXBean();
        long start = threads.getCurrentThreadCpuTime();
        work.run();
        double used = (threads.getCurrentThreadCpuTime() - start) / 1e9;
        assertTrue(used <= seconds, () -> "%s took %.1f s of processor time, allowed are %d".formatted(what, used, seconds));
    }
}
