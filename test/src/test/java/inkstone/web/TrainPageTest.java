package inkstone.web;

import static inkstone.web.Visit.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.deque.html.axecore.args.AxeRunOptions;
import com.deque.html.axecore.playwright.AxeBuilder;
import com.microsoft.playwright.Browser;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.Route;
import com.microsoft.playwright.options.ColorScheme;
import com.microsoft.playwright.options.FilePayload;
import inkstone.TinyModel;
import inkstone.TinyStudio;
import inkstone.server.jobs.Jobs;
import inkstone.web.Visit.Window;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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

/** Training in the browser, with the real server, database, event bus and streams; only what learns is pretended. */
@ExtendWith(Chromium.class)
class TrainPageTest {
    @TempDir private static Path models;
    private static Path model;
    @TempDir private Path folder;
    private final PretendTraining training = new PretendTraining();
    private Jobs jobs;
    private TinyStudio studio;

    @BeforeAll static void write() throws IOException { model = TinyModel.write(models); }

    @BeforeEach void start() throws IOException {
        jobs = Jobs.open(folder.resolve("data"), training);
        studio = TinyStudio.start(model, 0, jobs);
    }

    @AfterEach void stop() throws IOException {
        studio.close();
        jobs.close();
    }

    private static FilePayload examples() {
        var lines = new StringBuilder();
        for (int i = 0; i < 60; i++) lines.append("{\"messages\":[{\"role\":\"user\",\"content\":\"%d?\"},{\"role\":\"assistant\",\"content\":\"wet.\"}]}\n".formatted(i % 57));
        return new FilePayload("guppy-chats.jsonl", "application/jsonl", lines.append("oops\n").toString().getBytes(StandardCharsets.UTF_8));
    }

    private static Locator button(Visit visit, String name) { return visit.page.locator("ink-train button:visible", new Page.LocatorOptions().setHasText(name)).first(); }

    /** The Train place, a file given, and what was understood of it in view. */
    private static void prepare(Visit visit) {
        visit.page.locator("nav a:visible", new Page.LocatorOptions().setHasText("Train")).click();
        if (visit.page.locator("ink-new-job").count() == 0) visit.page.locator("a.btn:visible", new Page.LocatorOptions().setHasText("New job")).or(visit.page.locator("ink-new-job")).first().click();
        visit.page.locator("input[type=file]").setInputFiles(examples());
        assertThat(visit.page.locator("ink-new-job .data .facts")).containsText("57");
        assertThat(visit.page.locator(".takes")).containsText("needs 2.4 GB of 32 GB");
    }

    private void begin(Visit visit) {
        prepare(visit);
        button(visit, "Start").click();
        assertThat(visit.page.locator(".job .chip")).hasText("Running");
    }

    /** Lets the run do some steps and waits until the page has heard of the last. */
    private void go(Visit visit, int steps, int until) {
        training.permits.release(steps);
        assertThat(visit.page.locator(".job")).containsText("step %d of 300".formatted(until));
    }

    @Test void fromAFileThroughARestartToAModelOneCanTalkTo(Browser browser) throws Exception {
        try (var visit = new Visit(browser, studio.url()).expecting("Failed to load resource")) {
            begin(visit);
            go(visit, 90, 90);
            assertThat(visit.page.locator(".job")).containsText("Tiny 0.6B with LoRA, rank 16");
            assertThat(visit.page.locator(".job .push")).containsText("left");
            assertThat(visit.page.locator("svg[role=img] desc").first()).containsText("Held-out loss goes from 3.24 to");
            assertThat(visit.page.locator(".samples")).containsText("a flake at step 80");
            assertThat(visit.page.locator("nav .live").first()).containsText("30%");
            assertEquals(1, visit.page.locator(".insight").count());
            assertThat(visit.page.locator(".insight")).containsText("still learning");
            try (var other = new Visit(browser, studio.url())) {
                assertThat(other.page.locator("nav .live")).containsText("30%");
                other.page.locator("nav a", new Page.LocatorOptions().setHasText("Train")).click();
                assertThat(other.page.locator(".job")).containsText("step 90 of 300");
                go(other, 30, 120);
                assertThat(visit.page.locator(".job")).containsText("step 120 of 300");
                other.button("Pause").click();
                assertThat(visit.page.locator(".job .chip")).hasText("Paused");
            }
            button(visit, "Continue from step 120").click();
            go(visit, 20, 140);

            /* The server ends, and comes back at the same address. */
            int port = studio.server().port();
            studio.close();
            jobs.close();
            jobs = Jobs.open(folder.resolve("data"), training);
            studio = TinyStudio.start(model, port, jobs);
            assertThat(visit.page.locator(".job .chip")).hasText("Paused");
            button(visit, "Continue from step 140").click();
            go(visit, 100, 240);
            assertThat(visit.page.locator(".insight")).containsText("started to memorise");
            assertThat(visit.page.locator(".chart .zone")).hasCount(1);
            button(visit, "Table").click();
            assertThat(visit.page.locator(".table tbody tr")).hasCount(13);
            assertThat(visit.page.locator(".table")).containsText("best");
            button(visit, "Log").click();
            assertThat(visit.page.locator(".chart .ln.b")).hasCount(1);
            visit.page.locator(".insight button").first().click();
            assertThat(visit.page.locator(".job .chip")).hasText("Finished");

            visit.page.locator("#both").fill("Do you ever get tired?");
            visit.page.locator("#both").press("Enter");
            assertThat(visit.page.locator(".versus > div").first()).containsText("As an AI language model");
            assertThat(visit.page.locator(".versus > div").last()).containsText("i think i am wet.");
            assertThat(visit.page.locator(".versus > div").last()).containsText(Pattern.compile("perplexity \\d"));
            button(visit, "Load into chat").click();
            assertThat(visit.page.locator(".result")).containsText("Chat with it");
            assertTrue(training.loaded);
            var download = visit.page.waitForDownload(() -> button(visit, "GGUF LoRA").click());
            assertEquals("tuned-lora.gguf", download.suggestedFilename());
            assertEquals("gguf-lora", Files.readString(download.path()));
        }
    }

    @Test void aCancelledJobComesBackAndADeletedOneIsGone(Browser browser) {
        try (var visit = new Visit(browser, studio.url())) {
            begin(visit);
            go(visit, 30, 30);
            button(visit, "Cancel").click();
            assertThat(visit.page.locator(".job .chip")).hasText("Cancelled");
            assertThat(visit.page.locator("ink-toast")).containsText("Job cancelled");   // told by events before the answer comes with which it can be undone
            visit.page.keyboard().press("Control+z");
            assertThat(visit.page.locator(".job .chip")).hasText("Running");
            go(visit, 10, 40);
            visit.page.locator(".side-list ink-jobs a").first().focus();
            visit.page.keyboard().press("Space");
            assertThat(visit.page.locator(".job .chip")).hasText("Paused");
            visit.page.keyboard().press("Alt+n");
            prepare(visit);
            button(visit, "Start").click();
            assertThat(visit.page.locator(".job .chip")).hasText("Running");
            visit.page.locator(".side-list ink-jobs a").last().click();
            assertThat(visit.page.locator(".job .chip")).hasText("Paused");
            button(visit, "Continue").click();
            assertThat(visit.page.locator(".job .push")).hasText("starts after guppy-chats");
            button(visit, "Cancel").click();
            assertThat(visit.page.locator(".job .chip")).hasText("Cancelled");
            button(visit, "Delete").click();
            assertThat(visit.page.locator("ink-jobs a:visible")).hasCount(1);
            visit.page.keyboard().press("Alt+1");
            assertThat(visit.page.locator("ink-composer textarea")).isVisible();
            visit.page.keyboard().press("Alt+3");
            assertThat(visit.page.locator(".job .chip")).hasText("Running");
        }
    }

    @Test void aFileMayComeBeforeTheModelsDo(Browser browser) {
        try (var visit = new Visit(browser, studio.url())) {
            var held = new ArrayList<Route>();
            visit.page.route("**/api/training", held::add);
            visit.page.reload();
            visit.page.locator("nav a:visible", new Page.LocatorOptions().setHasText("Train")).click();
            visit.page.locator("input[type=file]").setInputFiles(examples());
            assertThat(visit.page.locator("ink-new-job h2").first()).containsText("guppy-chats");
            assertThat(visit.page.locator("ink-new-job .note.bad")).hasCount(0);
            held.forEach(Route::resume);
            assertThat(visit.page.locator("ink-new-job .data .facts")).isVisible();
            assertThat(button(visit, "Start")).isEnabled();
        }
    }

    @Test void whatIsBeingTypedOutlivesAnAnswerThatComesMeanwhile(Browser browser) {
        try (var visit = new Visit(browser, studio.url())) {
            prepare(visit);
            visit.page.locator("summary", new Page.LocatorOptions().setHasText("Steps")).click();
            visit.page.locator("#title").fill("my ");
            visit.page.locator("#job-maxSteps").focus();
            var held = new ArrayList<Route>();
            visit.page.route("**/api/training/plan", held::add);
            visit.page.waitForRequest("**/api/training/plan", () -> {
                visit.page.locator("#job-epochs").fill("2");
                visit.page.locator("#job-epochs").press("Enter");
            });
            visit.page.locator("#job-maxSteps").fill("50");
            visit.page.waitForResponse("**/api/training/plan", () -> held.forEach(Route::resume));
            visit.page.unroute("**/api/training/plan");
            assertThat(visit.page.locator(".takes")).containsText("200 steps");
            assertThat(visit.page.locator("#job-maxSteps")).hasValue("50");
            visit.page.locator("#job-maxSteps").press("Enter");
            assertThat(visit.page.locator(".takes")).containsText("50 steps");
            assertThat(visit.page.locator("#title")).hasValue("my ");

            /* What is no number, or one that is too large, is not taken, and the field shows what counts. */
            visit.page.locator("#job-maxSteps").fill("99999999999");
            visit.page.locator("#job-maxSteps").press("Enter");
            assertThat(visit.page.locator("#job-maxSteps")).hasValue("0");
            visit.page.locator("#job-maxSteps").press("ControlOrMeta+a");
            visit.page.keyboard().type("e");
            visit.page.locator("#job-maxSteps").press("Enter");
            assertThat(visit.page.locator("#job-maxSteps")).hasValue("0");
            assertThat(visit.page.locator(".takes")).containsText("200 steps");
        }
    }

    @Test void whatCannotBeUsedIsSaidBeforeTheStart(Browser browser) {
        try (var visit = new Visit(browser, studio.url()).expecting("Failed to load resource")) {
            prepare(visit);
            visit.page.locator("input[value=full]").check();
            assertThat(visit.page.locator(".takes")).containsText("needs 41 GB, and 32 GB are free");
            assertThat(button(visit, "Start")).isDisabled();
            visit.page.locator("input[value=lora]").check();
            assertThat(button(visit, "Start")).isEnabled();
            visit.page.locator("summary", new Page.LocatorOptions().setHasText("Steps")).click();
            visit.page.locator("#job-maxSteps").fill("40");
            visit.page.locator("#job-maxSteps").press("Enter");
            assertThat(visit.page.locator(".takes")).containsText("40 steps");
            visit.page.locator("summary", new Page.LocatorOptions().setHasText("unreadable")).click();
            assertThat(visit.page.locator(".rows:visible")).containsText("line 61");
            button(visit, "Another file").click();
            visit.page.locator("input[type=file]").setInputFiles(new FilePayload("poem.txt", "text/plain", "roses".getBytes(StandardCharsets.UTF_8)));
            assertThat(visit.page.locator("ink-new-job .note.bad")).containsText("No example was found: line 1 is roses");
            button(visit, "Another file").click();
            visit.page.locator("button.plain", new Page.LocatorOptions().setHasText("lighthouse")).click();
            assertThat(visit.page.locator("ink-new-job .data .facts")).containsText("48");
        }
    }

    @ParameterizedTest
    @CsvSource({ "DESKTOP, LIGHT", "DESKTOP, DARK", "PHONE, LIGHT", "PHONE, DARK" })
    void everyStateKeepsTheRulesOfAccessibility(Window window, ColorScheme scheme, Browser browser) {
        var name = (window + "-" + scheme).toLowerCase(Locale.ROOT) + "-train";
        try (var visit = new Visit(browser, studio.url(), window, scheme)) {
            visit.page.locator("nav a:visible", new Page.LocatorOptions().setHasText("Train")).click();
            visit.page.locator(".dropzone").waitFor();
            boolean inFull = window == Window.DESKTOP == (scheme == ColorScheme.LIGHT);   // the rest is the same but for colours
            if (inFull) check(visit, name + "-empty");
            prepare(visit);
            for (var fold : visit.page.locator("ink-new-job .fold > summary").all()) fold.click();
            check(visit, name + "-new");
            button(visit, "Start").click();
            go(visit, 200, 200);
            assertThat(visit.page.locator(".insight")).containsText("memorise");
            visit.page.locator("#both").fill("Do you ever get tired?");
            visit.page.locator("#both").press("Enter");
            assertThat(visit.page.locator(".versus > div").last()).containsText("wet.");
            visit.page.locator("h1").click();
            visit.page.mouse().move(0, 0);
            check(visit, name + "-job");
            button(visit, "Table").click();
            if (inFull) check(visit, name + "-table");
            visit.page.setViewportSize(320, 640);
            assertEquals(0, visit.js("const e = document.documentElement; return e.scrollWidth - e.clientWidth"));
            visit.page.setViewportSize(window.width, window.height);
            button(visit, "Log").click();
            go(visit, 100, 300);
            assertThat(visit.page.locator(".job .chip")).hasText("Finished");
            if (inFull) check(visit, name + "-finished");
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
