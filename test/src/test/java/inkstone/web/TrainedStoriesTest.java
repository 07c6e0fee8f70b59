package inkstone.web;

import static inkstone.web.Visit.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.assertions.LocatorAssertions;
import com.microsoft.playwright.options.ColorScheme;
import com.microsoft.playwright.options.FilePayload;
import inkstone.server.Main;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.transformer.Models;
import inkstone.transformer.adapters.Adapter;
import inkstone.web.Visit.Window;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Training in the browser with nothing pretended: the program in a process of its own, which is killed on the way, and stories260K (A. Karpathy, tinyllamas), which learns. */
@ExtendWith(Chromium.class)
class TrainedStoriesTest {
    private static final Path MODEL = Path.of(System.getProperty("inkstone.data"), "weights-llama-stories260K", "stories260K-f32.gguf");
    private static final int STEPS = 50;
    /** Milliseconds that a training on busy processors may take. */
    private static final double LONG = 120_000;

    @TempDir private Path folder;

    private Process serve(int port) throws IOException {
        var command = List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED", "-XX:+UseSerialGC", "-Xmx1g",
            "-cp", System.getProperty("java.class.path"), Main.class.getName(), "serve", "-m", MODEL.toString(), "--port", Integer.toString(port), "--data-dir", folder.resolve("data").toString());
        var process = new ProcessBuilder(command).redirectErrorStream(true).start();
        var lines = process.inputReader();
        for (var line = lines.readLine(); line != null; line = lines.readLine()) {
            if (!line.contains("Inkstone listens")) continue;
            Thread.ofVirtual().start(() -> lines.lines().forEach(_ -> { }));   // a full pipe would stop it
            try (var page = URI.create("http://127.0.0.1:%d/".formatted(port)).toURL().openStream()) { page.readAllBytes(); }   // a JVM's first answer takes seconds on busy processors
            return process;
        }
        throw new IOException("the server ended before it listened");
    }

    private static FilePayload examples() {
        var lines = new StringBuilder();
        var names = List.of("Tom", "Lily", "Ben", "Sue", "Max", "Mia", "Sam", "Amy");
        var things = List.of("a red ball", "a big dog", "a small cat", "the sun", "a blue bird");
        for (var name : names) for (var thing : things) lines.append("{\"messages\":[{\"role\":\"user\",\"content\":\"What does %s see?\"},{\"role\":\"assistant\",\"content\":\"%1$s sees %s. It is very nice.\"}]}%n".formatted(name, thing));
        return new FilePayload("sights.jsonl", "application/jsonl", lines.toString().getBytes(StandardCharsets.UTF_8));
    }

    private static Locator button(Visit visit, String name) { return visit.page.locator("ink-train button:visible", new Page.LocatorOptions().setHasText(name)).first(); }

    private static void set(Visit visit, String setting, int value) {
        visit.page.locator("#job-" + setting).fill(Integer.toString(value));
        visit.page.locator("#job-" + setting).press("Enter");
    }

    @Test void aJobThatIsKilledGoesOnAndItsModelCanBeTalkedToAndTakenAway(Browser browser) throws Exception {
        assumeTrue(Files.exists(MODEL), "skipped: " + MODEL + " is absent");
        int port;
        try (var free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) { port = free.getLocalPort(); }
        var server = serve(port);
        var url = "http://127.0.0.1:" + port;
        try (var visit = new Visit(browser, url).expecting("Failed to load resource")) {
            var page = visit.page;
            page.locator("nav a:visible", new Page.LocatorOptions().setHasText("Train")).click();
            page.locator("input[type=file]").setInputFiles(examples());
            assertThat(page.locator("ink-new-job .data .facts")).containsText("40");
            page.locator("summary", new Page.LocatorOptions().setHasText("Steps")).click();
            set(visit, "maxSteps", STEPS);
            set(visit, "batchTokens", 1_024);
            assertThat(page.locator(".takes")).containsText(STEPS + " steps");
            visit.screenshot("stories-train-new");
            button(visit, "Start").click();
            /* The first checkpoint is of step 5. */
            assertThat(page.locator(".job")).containsText(Pattern.compile("step ([6-9]|[1-4]\\d) of " + STEPS), new LocatorAssertions.ContainsTextOptions().setTimeout(LONG));
            assertThat(page.locator(".job .chip")).hasText("Running");

            server.destroyForcibly().waitFor();
            server = serve(port);
            assertThat(page.locator(".job .chip")).hasText("Interrupted");
            button(visit, "Continue from step").click();
            assertThat(page.locator(".job .chip")).hasText("Finished", new LocatorAssertions.HasTextOptions().setTimeout(LONG));
            assertThat(page.locator(".job")).containsText("step %d of %1$d".formatted(STEPS));
            assertThat(page.locator("svg[role=img] desc").first()).containsText("Held-out loss goes from");

            page.locator("#both").fill("What does Tom see?");
            page.locator("#both").press("Enter");
            assertThat(page.locator(".versus > div").first()).containsText(Pattern.compile("\\w{3}"));
            assertThat(page.locator(".versus > div").last().locator("p").first()).containsText(Pattern.compile("\\w{3}"));
            assertThat(page.locator(".ask-both button")).containsText("Ask");
            page.screenshot(new Page.ScreenshotOptions().setFullPage(true).setPath(Path.of("target", "screenshots", "stories-train-finished.png")));
            button(visit, "Load into chat").click();
            assertThat(page.locator(".result")).containsText("Chat with it");
            assertTrue(String.valueOf(visit.js("return (await (await fetch('/api/studio')).json()).model.chatTemplate")).equals("true"), "a model that learned to answer is talked to");

            assertEquals("PK", new String(Files.readAllBytes(exported(visit, "PEFT")), 0, 2, StandardCharsets.ISO_8859_1));
            try (var backend = new CpuBackend(1); var base = Models.open(MODEL, backend); var merged = Models.open(exported(visit, "GGUF F16"), backend)) {
                assertEquals(base.parameters(), merged.parameters());
                assertEquals(16, Adapter.open(exported(visit, "GGUF LoRA"), base).rank());
            }
            visit.page.locator(".result a", new Page.LocatorOptions().setHasText("Chat with it")).click();
            assertTrue(visit.askAndRead("What does Ben see?").length() > 3);
            visit.screenshot("stories-train-chat");
            try (var phone = new Visit(browser, url, Window.PHONE, ColorScheme.DARK)) {
                phone.page.locator("nav a:visible", new Page.LocatorOptions().setHasText("Train")).click();
                phone.page.locator(".job, ink-jobs a").first().waitFor();
                if (phone.page.locator(".job").count() == 0) phone.page.locator("ink-jobs a:visible").first().click();
                assertThat(phone.page.locator(".job .chip")).hasText("Finished");
                phone.page.screenshot(new Page.ScreenshotOptions().setFullPage(true).setPath(Path.of("target", "screenshots", "stories-train-phone.png")));
            }
        } finally {
            server.destroyForcibly().waitFor();
        }
    }

    private static Path exported(Visit visit, String form) throws IOException {
        var download = visit.page.waitForDownload(() -> button(visit, form).click());
        var path = download.path();
        var named = path.resolveSibling(path.getFileName() + (download.suggestedFilename().endsWith(".gguf") ? ".gguf" : ".zip"));
        return Files.copy(path, named);
    }
}
