package inkstone.web;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.BrowserType;
import com.microsoft.playwright.Playwright;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives tests a real headless Chromium: the one in system property {@code inkstone.chromium}, else the one in a usual place. Started for the first test that asks
 * and closed after the last. Where there is none, tests fail in CI and are skipped elsewhere. Playwright's objects belong to one thread: these tests run in turn.
 */
final class Chromium implements ExecutionCondition, ParameterResolver {
    private static final List<String> USUAL_PLACES = List.of("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium",
        "/opt/google/chrome/chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium");
    private static final String ABSENT = "there is no Chromium on this machine; scripts/install-chromium installs it, or name one with -Dinkstone.chromium=PATH";
    /** No sandbox: tests may run as root in a container. The rest keeps the browser from the network and from shared memory that containers lack. */
    private static final List<String> FLAGS = List.of("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--no-first-run", "--disable-dev-shm-usage");

    private record Running(Playwright playwright, Browser browser) implements AutoCloseable {
        @Override public void close() { playwright.close(); }
    }

    @Override public boolean supportsParameter(ParameterContext parameter, ExtensionContext test) { return parameter.getParameter().getType() == Browser.class; }

    @Override public Object resolveParameter(ParameterContext parameter, ExtensionContext test) {
        var executable = executable().orElseThrow(() -> new AssertionError(ABSENT));
        return test.getRoot().getStore(ExtensionContext.Namespace.create(Chromium.class))
            .computeIfAbsent(Running.class, started -> start(executable), Running.class).browser();
    }

    /** No browser is a reason to skip, but in CI to go on and fail. */
    @Override public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext test) {
        boolean absent = executable().isEmpty() && !Objects.equals(System.getenv("CI"), "true");
        return absent ? ConditionEvaluationResult.disabled("skipped: " + ABSENT) : ConditionEvaluationResult.enabled("");
    }

    private static Optional<Path> executable() {
        var named = System.getProperty("inkstone.chromium");
        return (named == null ? USUAL_PLACES : List.of(named)).stream().map(Path::of).filter(Files::isExecutable).findFirst();
    }

    private static Running start(Path executable) {
        var environment = new HashMap<>(System.getenv());
        environment.put("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1");
        var playwright = Playwright.create(new Playwright.CreateOptions().setEnv(environment));
        return new Running(playwright, playwright.chromium().launch(new BrowserType.LaunchOptions().setExecutablePath(executable).setArgs(FLAGS)));
    }
}
