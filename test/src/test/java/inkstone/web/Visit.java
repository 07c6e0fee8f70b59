package inkstone.web;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.BrowserContext;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.assertions.LocatorAssertions;
import com.microsoft.playwright.assertions.PlaywrightAssertions;
import com.microsoft.playwright.options.ColorScheme;
import com.microsoft.playwright.options.ReducedMotion;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * One visitor's look at the page, with storage of their own. Closing checks what holds for every visit: no request left for another origin, no script failed, and
 * neither the content policy nor anything else complained on the console.
 */
final class Visit implements AutoCloseable {
    /** A window, and the screenshots' name for it. */
    enum Window {
        DESKTOP(1440, 900), PHONE(390, 844);

        final int width, height;

        Window(int width, int height) {
            this.width = width;
            this.height = height;
        }
    }

    private static final double PATIENCE = 15_000;   // milliseconds; two busy cores are slow, a broken page never comes

    final Page page;
    private final BrowserContext context;
    private final List<String> elsewhere = new ArrayList<>(), complaints = new ArrayList<>();
    private Predicate<String> expected = complaint -> false;

    Visit(Browser browser, String url) { this(browser, url, Window.DESKTOP, ColorScheme.LIGHT); }

    Visit(Browser browser, String url, Window window, ColorScheme scheme) { this(browser, url, new Browser.NewContextOptions()
        .setViewportSize(window.width, window.height).setColorScheme(scheme).setHasTouch(window == Window.PHONE).setPermissions(List.of("clipboard-read", "clipboard-write"))); }

    static Visit withoutMotion(Browser browser, String url) {
        return new Visit(browser, url, new Browser.NewContextOptions().setViewportSize(1440, 900).setReducedMotion(ReducedMotion.REDUCE));
    }

    private Visit(Browser browser, String url, Browser.NewContextOptions options) {
        context = browser.newContext(options);
        context.setDefaultTimeout(PATIENCE);
        page = context.newPage();
        page.onRequest(request -> { if (!request.url().startsWith(url + "/") && !request.url().startsWith("blob:" + url + "/")) elsewhere.add(request.url()); });
        page.onConsoleMessage(message -> { if (!message.type().equals("info") && !message.type().equals("log")) complaints.add(message.type() + ": " + message.text()); });
        page.onPageError(complaints::add);
        page.navigate(url + "/");
        page.locator("ink-composer textarea").waitFor();
        page.locator(".model").waitFor();
    }

    /** Failures that this visit is about are no complaints. */
    Visit expecting(String part) {
        expected = complaint -> complaint.contains(part);
        return this;
    }

    void ask(String text) {
        page.locator("#ask").fill(text);
        page.locator("#ask").press("Enter");
    }

    /** Waits until nothing is being written. */
    void untilWritten() {
        page.locator(".composer button[type=submit]").last().waitFor();
        assertThat(page.locator(".turn.live")).hasCount(0);
    }

    String askAndRead(String text) {
        ask(text);
        untilWritten();
        return answer().textContent();
    }

    /** The last answer's text. */
    Locator answer() { return page.locator("ink-prose").last(); }

    Locator button(String name) { return page.locator("button:visible", new Page.LocatorOptions().setHasText(name)).last(); }

    Object js(String body) { return page.evaluate("async () => {" + body + "}"); }

    void screenshot(String name) { page.screenshot(new Page.ScreenshotOptions().setPath(Path.of("target", "screenshots", name + ".png"))); }

    static LocatorAssertions assertThat(Locator locator) {
        PlaywrightAssertions.setDefaultAssertionTimeout(PATIENCE);
        return PlaywrightAssertions.assertThat(locator);
    }

    @Override public void close() {
        complaints.removeIf(expected);
        context.close();
        assertEquals(List.of(), elsewhere, "requests that left this machine");
        assertEquals(List.of(), complaints, "complaints on the console");
    }
}
