package inkstone.web;

import static inkstone.web.Visit.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.deque.html.axecore.args.AxeRunOptions;
import com.deque.html.axecore.playwright.AxeBuilder;
import com.microsoft.playwright.Browser;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Mouse;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.options.ColorScheme;
import inkstone.PretendPainter;
import inkstone.TinyModel;
import inkstone.TinyStudio;
import inkstone.server.images.PaintOrder;
import inkstone.server.images.Paintings;
import inkstone.web.Visit.Window;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Painting in the browser, with the real server, queue, gallery and streams, samplers and seeds; only the networks are pretended. */
@ExtendWith(Chromium.class)
class ImagesPageTest {
    private static final int STEPS = 8, MANY = 1_000_000;
    @TempDir private static Path models;
    private static Path model;
    @TempDir private Path folder;
    private final PretendPainter painter = new PretendPainter();
    private Paintings paintings;
    private TinyStudio studio;

    @BeforeAll static void write() throws IOException { model = TinyModel.write(models); }

    @BeforeEach void start() throws IOException { start(0); }

    private void start(int port) throws IOException {
        paintings = Paintings.open(folder.resolve("images"), painter.easel(), 8);
        studio = TinyStudio.start(model, port, null, paintings);
    }

    @AfterEach void stop() throws IOException {
        painter.permits.release(MANY);
        studio.close();
        paintings.close();
    }

    private static Locator button(Visit visit, String name) { return visit.page.locator("ink-images button:visible", new Page.LocatorOptions().setHasText(name)).first(); }

    private static void open(Visit visit) {
        visit.page.locator("nav a:visible", new Page.LocatorOptions().setHasText("Images")).click();
        visit.page.locator("ink-gallery section").waitFor();
    }

    private static void paint(Visit visit, String prompt) {
        visit.page.locator("#paint-prompt:visible, .paintdock button:visible").first().waitFor();   // whichever the window is wide enough for
        if (visit.page.locator("#paint-prompt").isHidden()) visit.page.locator(".paintdock button").first().click();
        visit.page.locator("#paint-prompt").fill(prompt);
        visit.page.locator("#paint-prompt").press("Control+Enter");
        assertThat(visit.page.locator(".sitting .prompt")).hasText(prompt);
    }

    /** Lets the painter do all it wants from now on, and waits for the picture on the easel. */
    private void finish(Visit visit) {
        painter.permits.release(MANY);
        assertThat(visit.page.locator(".sitting .chip.ok")).isVisible();
        painter.permits.drainPermits();
    }

    private static void fold(Visit visit, String name) { visit.page.locator("ink-images .fold > summary:visible", new Page.LocatorOptions().setHasText(name)).first().click(); }

    /** Bytes of the picture's file as the browser gets them. */
    private static List<?> bytes(Visit visit, String id) { return (List<?>) visit.js("return [...new Uint8Array(await (await fetch('/api/images/%s.png')).arrayBuffer())]".formatted(id)); }

    private static String newest(Visit visit) { return visit.page.locator(".shot").first().getAttribute("data-id"); }

    @Test void fromAPromptThroughALivePreviewToAGalleryThatSurvivesARestart(Browser browser) throws Exception {
        try (var visit = new Visit(browser, studio.url()).expecting("Failed to load resource")) {
            open(visit);
            assertThat(visit.page.locator("ink-gallery h2")).hasText("Nothing painted yet");
            paint(visit, "red apple, 3d");
            assertThat(visit.page.locator(".sitting .chip")).hasText("Painting");
            for (int step = 1; step < STEPS; step++) {
                painter.permits.release();
                assertThat(visit.page.locator("[data-step]")).hasText("step %d of %d".formatted(step, STEPS));
                assertThat(visit.page.locator(".frames img")).hasCount(step);
            }
            assertTrue(visit.page.locator(".easel img").getAttribute("src").startsWith("data:image/png"));
            assertThat(visit.page.locator(".nav .live")).containsText(Pattern.compile("\\d\\d%"));
            var expected = visit.page.locator(".easel img").getAttribute("src");
            button(visit, "What it sees").click();
            assertNotEquals(expected, visit.page.locator(".easel img").getAttribute("src"));
            button(visit, "What it expects").click();
            visit.page.reload();   // the job goes on, and its steps are told again
            assertThat(visit.page.locator(".frames img")).hasCount(STEPS - 1);
            finish(visit);
            assertThat(visit.page.locator(".shot")).hasCount(1);
            assertThat(visit.page.locator("[data-announce]")).hasText("The picture is finished.");

            /* Back in time with the keyboard, and to the end again. */
            visit.page.locator(".frames button[tabindex='0']").focus();
            visit.page.keyboard().press("Home");
            assertThat(visit.page.locator(".easel img")).hasAttribute("alt", Pattern.compile("at step 1:"));
            visit.page.keyboard().press("ArrowRight");
            assertThat(visit.page.locator(".sitting .hint")).containsText(Pattern.compile("Step 2 of 8, noise \\d"));
            button(visit, "To the finished picture").click();
            assertThat(visit.page.locator(".easel img")).hasAttribute("src", Pattern.compile("/api/images/.*png"));
            fold(visit, "How it came about");
            assertThat(visit.page.locator(".steps li")).hasCount(STEPS);

            /* The same seed gives the same file to the last bit; another one does not. */
            var first = newest(visit);
            visit.page.getByLabel("Keep this seed").click();
            visit.page.locator("#paint-prompt").press("Control+Enter");
            assertThat(visit.page.locator(".sitting .chip")).hasText("Painting");
            finish(visit);
            assertThat(visit.page.locator(".shot")).hasCount(2);
            assertEquals(bytes(visit, first), bytes(visit, newest(visit)));
            visit.page.getByLabel("Keep this seed").click();
            visit.page.locator("#paint-prompt").press("Control+Enter");
            assertThat(visit.page.locator(".sitting .chip")).hasText("Painting");
            finish(visit);
            assertThat(visit.page.locator(".shot")).hasCount(3);
            assertFalse(bytes(visit, first).equals(bytes(visit, newest(visit))));

            /* One that is cancelled is no picture. */
            paint(visit, "green pear");
            painter.permits.release(2);
            assertThat(visit.page.locator("[data-step]")).hasText("step 2 of 8");
            visit.page.locator("h1").click();
            visit.page.waitForResponse("**/cancel", () -> visit.page.keyboard().press("Escape"));   // the painter looks between steps: it must know before the next one
            painter.permits.release();
            assertThat(visit.page.locator(".sitting .chip")).hasText("Stopped");
            assertThat(visit.page.locator(".shot")).hasCount(3);

            int port = studio.server().port();
            studio.close();
            paintings.close();
            start(port);
            visit.page.reload();
            assertThat(visit.page.locator(".shot")).hasCount(3);
            assertEquals(bytes(visit, first), bytes(visit, visit.page.locator(".shot").nth(1).getAttribute("data-id")));
            visit.page.locator(".shot").last().click();
            assertThat(visit.page.locator(".sitting .prompt")).hasText("red apple, 3d");
            assertThat(visit.page.locator(".frames img")).hasCount(STEPS);
        }
    }

    @Test void aDrawnMaskKeepsTheRest(Browser browser) {
        try (var visit = new Visit(browser, studio.url())) {
            open(visit);
            paint(visit, "red apple");
            finish(visit);
            var first = newest(visit);
            button(visit, "Change a part").click();
            var sheet = visit.page.locator("ink-masker canvas").boundingBox();
            visit.page.mouse().move(sheet.x + sheet.width * 0.2, sheet.y + sheet.height * 0.2);
            visit.page.mouse().down();
            visit.page.mouse().move(sheet.x + sheet.width * 0.3, sheet.y + sheet.height * 0.2, new Mouse.MoveOptions().setSteps(4));
            visit.page.mouse().up();
            button(visit, "Done").click();
            assertThat(visit.page.locator(".fold", new Page.LocatorOptions().setHasText("Start from a picture")).locator(".sum")).hasText("a part of it");
            visit.page.locator("#paint-strength").press("End");
            paint(visit, "blue moon");
            finish(visit);
            assertThat(visit.page.locator(".shot")).hasCount(2);
            var alike = """
                const pixels = async id => { const picture = await createImageBitmap(await (await fetch(`/api/images/${id}.png`)).blob()), canvas = new OffscreenCanvas(64, 64), pen = canvas.getContext("2d");
                  pen.drawImage(picture, 0, 0); return pen.getImageData(0, 0, 64, 64).data; };
                const [before, after] = [await pixels("%s"), await pixels("%s")], same = (x, y) => [0, 1, 2].every(c => before[(y * 64 + x) * 4 + c] === after[(y * 64 + x) * 4 + c]);
                let outside = 0, inside = 0;
                for (let y = 0; y < 64; y++) for (let x = 0; x < 64; x++) { if (x > 32 || y > 32) outside += !same(x, y); if (Math.hypot(x - 16, y - 13) < 3) inside += !same(x, y); }
                return [outside, inside > 10];""".formatted(first, newest(visit));
            assertEquals(List.of(0, true), visit.js(alike));

            /* The same without a mouse. */
            button(visit, "Change the part").click();
            button(visit, "Clear").click();
            visit.page.locator("ink-masker canvas").focus();
            visit.page.keyboard().press("Shift+ArrowLeft");
            visit.page.keyboard().press("Enter");
            visit.page.keyboard().press("ArrowUp");
            assertThat(visit.page.locator("ink-masker [role=status]")).hasText("40 per cent across, 48 down, marking");
            visit.page.keyboard().press("Enter");
            button(visit, "Done").click();
            assertThat(visit.page.locator("ink-masker dialog")).isHidden();
            assertThat(visit.page.locator(".from .over")).isVisible();
        }
    }

    @Test void aGalleryIsSearchedKeptAndPaintedFrom(Browser browser) {
        try (var visit = new Visit(browser, studio.url())) {
            open(visit);
            painter.permits.release(MANY);
            paint(visit, "red apple, 3d");
            assertThat(visit.page.locator(".shot")).hasCount(1);
            visit.page.locator("#paint-seed").fill("7");
            visit.page.locator("#paint-seed").press("Enter");
            fold(visit, "Variations grid");
            visit.page.locator("#paint-x-values").fill("1, 2..4");
            visit.page.locator("#paint-y").selectOption("prompt");
            visit.page.locator("#paint-y-values").fill("a pear\na plum");
            visit.page.locator("#paint-y-values").press("Tab");
            button(visit, "Paint a grid of 8").click();
            assertThat(visit.page.locator(".variations img[src*=small]")).hasCount(8);
            assertThat(visit.page.locator(".variations tbody th").last()).hasText("a plum");
            assertThat(visit.page.locator(".shot")).hasCount(9);
            visit.page.locator("#gallery-words").fill("plum");
            assertThat(visit.page.locator(".shot")).hasCount(4);
            visit.page.locator(".shot").first().focus();
            visit.page.keyboard().press("Delete");
            assertThat(visit.page.locator(".shot")).hasCount(3);
            visit.page.keyboard().press("Control+z");
            assertThat(visit.page.locator(".shot")).hasCount(4);
            visit.page.locator(".shot").first().click();
            button(visit, "Keep").click();
            assertThat(button(visit, "Kept")).hasAttribute("aria-pressed", "true");
            visit.page.locator(".side-list a", new Page.LocatorOptions().setHasText("Kept")).click();
            assertThat(visit.page.locator(".shot")).hasCount(1);
            visit.page.locator(".shot").click();
            fold(visit, "Variations grid");
            button(visit, "Use these settings").click();
            assertThat(visit.page.locator("#paint-prompt")).hasValue("a plum");
            assertThat(visit.page.locator("#paint-seed")).hasValue("7");
            assertThat(visit.page.getByLabel("Keep this seed")).hasAttribute("aria-pressed", "true");
            var file = visit.page.waitForDownload(() -> visit.page.locator(".sitting a[download]").click());
            assertEquals("a-plum-7.png", file.suggestedFilename());
            button(visit, "Enlarge").click();
            assertThat(visit.page.locator(".made")).containsText("128 × 128");

            /* A picture tells its settings to whoever it is given to. */
            visit.page.locator("#paint-prompt").fill("something else");
            fold(visit, "Start from a picture");
            visit.page.locator("ink-paint-form input[type=file]").setInputFiles(file.path());
            button(visit, "Use these settings").click();
            assertThat(visit.page.locator("#paint-prompt")).hasValue("a plum");
        }
    }

    @Test void aChatPaintsToo(Browser browser) {
        try (var visit = new Visit(browser, studio.url())) {
            visit.page.locator("#ask").fill("a red apple");
            visit.button("Paint").click();
            assertThat(visit.page.locator(".turn .ask")).hasText("/paint a red apple");
            painter.permits.release(3);
            assertThat(visit.page.locator(".painted")).containsText("step 3 of 8");
            painter.permits.release(MANY);
            assertThat(visit.page.locator(".painted img")).hasAttribute("alt", "a red apple");
            visit.page.reload();
            assertThat(visit.page.locator(".painted a img")).isVisible();
            visit.page.locator(".painted a").click();
            assertThat(visit.page.locator(".sitting .prompt")).hasText("a red apple");
        }
    }

    @ParameterizedTest
    @CsvSource({ "DESKTOP, LIGHT", "PHONE, DARK" })
    void everyStateKeepsTheRulesOfAccessibility(Window window, ColorScheme scheme, Browser browser) {
        var name = (window + "-" + scheme).toLowerCase(Locale.ROOT) + "-images";
        try (var visit = new Visit(browser, studio.url(), window, scheme)) {
            open(visit);
            check(visit, name + "-empty");
            painter.permits.release(4 * STEPS);
            var prompts = List.of("a crimson teapot, 3d, soft light", "a paper lantern at night", "an owl looking straight at you", "mount Fuji at dusk");
            paintings.paint(new PaintOrder(null, "", null, null, null, null, null, null, null, null, null, null, 20_220L, 1, null, null, null, new PaintOrder.Grid(new PaintOrder.Axis(PaintOrder.Parameter.PROMPT, prompts), null)), "another");
            assertThat(visit.page.locator(".shot")).hasCount(4);
            if (window == Window.PHONE) visit.page.locator(".paintdock button").first().click();
            visit.page.locator(".seg button", new Page.LocatorOptions().setHasText("4")).click();
            if (window == Window.PHONE) {
                for (var fold : visit.page.locator("ink-paint-form .fold > summary").all()) fold.click();
                check(visit, name + "-form");
            }
            paint(visit, "a fox in square teal glasses and a patterned red jumper");
            painter.permits.release(STEPS + 5);
            assertThat(visit.page.locator("[data-step]")).hasText("step 5 of 8");
            visit.page.locator("h1").click();
            check(visit, name + "-painting");
            painter.permits.release(MANY);
            assertThat(visit.page.locator(".sitting .chip.ok")).hasText("4 pictures");
            visit.page.locator(".shot").first().click();
            assertThat(visit.page.locator(".frames img")).hasCount(STEPS);
            fold(visit, "How it came about");
            check(visit, name + "-picture");
            visit.page.setViewportSize(320, 640);
            assertEquals(0, visit.js("const e = document.documentElement; return e.scrollWidth - e.clientWidth"));
            visit.page.setViewportSize(window.width, window.height);
            button(visit, "Change a part").click();
            visit.page.locator("ink-masker canvas").press("Space");
            check(visit, name + "-mask");
        }
    }

    private static void check(Visit visit, String name) {
        visit.page.waitForTimeout(300);
        visit.page.screenshot(new Page.ScreenshotOptions().setFullPage(true).setPath(Path.of("target", "screenshots", name + ".png")));
        var options = new AxeRunOptions();
        options.setResultTypes(List.of("violations"));
        var violations = new AxeBuilder(visit.page).options(options).analyze().getViolations().stream()
            .map(rule -> rule.getId() + ": " + rule.getNodes().stream().map(node -> node.getHtml()).toList()).toList();
        assertEquals(List.of(), violations, name);
    }
}
