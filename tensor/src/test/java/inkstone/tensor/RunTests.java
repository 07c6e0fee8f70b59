package inkstone.tensor;

import java.io.PrintWriter;
import java.util.Arrays;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/** Runs test classes where there is no build tool, such as on a rented GPU: {@code scripts/gpu-check} does. */
final class RunTests {
    private static final int MOST_FAILURES = 40;

    private RunTests() {}

    /** @param names of test classes; prints the failures and, last, one line of counts; exits with 1 if a test failed or none ran */
    public static void main(String[] names) {
        var summaries = new SummaryGeneratingListener();
        var request = LauncherDiscoveryRequestBuilder.request().selectors(Arrays.stream(names).map(DiscoverySelectors::selectClass).toList()).build();
        LauncherFactory.create().execute(request, summaries);
        var summary = summaries.getSummary();
        summary.printFailuresTo(new PrintWriter(System.out, true), MOST_FAILURES);
        long failed = summary.getTotalFailureCount(), passed = summary.getTestsSucceededCount();
        System.out.printf("%d passed, %d failed, %d skipped in %.1f s%n", passed, failed, summary.getTestsSkippedCount() + summary.getTestsAbortedCount(),
            (summary.getTimeFinished() - summary.getTimeStarted()) / 1e3);
        System.exit(failed == 0 && passed > 0 ? 0 : 1);
    }
}
