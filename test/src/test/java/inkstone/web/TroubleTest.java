package inkstone.web;

import static inkstone.web.Visit.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.Locator;
import com.microsoft.playwright.Page;
import com.microsoft.playwright.Route;
import com.microsoft.playwright.options.FilePayload;
import inkstone.TinyModel;
import inkstone.TinyStudio;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What the page says when something is in the way: one sentence, one action. */
@ExtendWith(Chromium.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TroubleTest {
    @TempDir private static Path folder;
    private TinyStudio studio;
    private Visit visit;

    @BeforeAll void start() throws Exception { studio = TinyStudio.start(TinyModel.write(folder)); }

    @BeforeEach void open(Browser browser) { visit = new Visit(browser, studio.url()).expecting("Failed to load resource"); }

    @AfterEach void leave() { visit.close(); }

    @AfterAll void stop() { studio.close(); }

    private Locator note() { return visit.page.locator(".turn .note").last(); }

    @Test void aBusyModelSaysWhenItIsFreeAndTryAgainReplacesTheEmptyAnswer() {
        Canned.answer(visit.page, 429, "application/json", Canned.error("queue_full", "the queue is full"), Map.of("Retry-After", "7"));
        visit.ask("hello");
        assertThat(note().locator("p")).hasText("The model is busy with other answers; it should be free in about 7 s.");
        Canned.answer(visit.page, Canned.stream("Here now.", "stop", 400));
        visit.button("Try again").click();
        assertThat(visit.answer()).hasText("Here now.");
        assertThat(visit.page.locator(".branch")).hasCount(0);
    }

    @Test void aFullContextOffersANewChat() {
        Canned.answer(visit.page, 400, "application/json", Canned.error("context_length_exceeded", "9000 tokens are more than 8192"), Map.of());
        visit.ask("hello");
        assertThat(note().locator("p")).containsText("the most this model can hold");
        note().locator("button").click();
        assertThat(visit.page.locator("h1")).hasText("New chat");
    }

    @Test void aRefusalIsQuotedAsText() {
        Canned.answer(visit.page, 400, "application/json", Canned.error("x", "temperature must be <b>from</b> 0 to 100"), Map.of());
        visit.ask("hello");
        assertThat(note().locator("p")).hasText("The server did not accept this: temperature must be <b>from</b> 0 to 100.");
    }

    @Test void aServerThatIsGoneIsSaidAndLookedForAgain() {
        visit.page.route("**/api/studio", Route::abort);
        visit.page.route("**/v1/chat/completions", Route::abort);
        visit.ask("hello");
        assertThat(note().locator("p")).hasText("The server on this machine does not answer.");
        visit.page.unroute("**/api/studio");
        visit.page.locator(".dock .note button").click();
        assertThat(visit.page.locator(".dock .note")).hasCount(0);
    }

    @Test void aStreamThatBreaksKeepsItsWords() {
        var whole = Canned.stream("Half of it and more", "stop", 400);
        Canned.answer(visit.page, whole.substring(0, whole.indexOf("more")));
        visit.ask("hello");
        assertThat(note().locator("p")).hasText("The server on this machine stopped in the middle of this answer.");
        assertThat(visit.answer()).hasText("Half of it and");
        Canned.answer(visit.page, Canned.stream("All of it.", "stop", 400));
        visit.button("Try again").click();
        assertThat(visit.page.locator(".branch")).hasText("2 of 2");
    }

    @Test void anErrorInsideTheStreamIsShown() {
        Canned.answer(visit.page, Canned.chunk("{'content':%s}", "Some") + "data: " + Canned.error("x", "the backend failed") + "\n\n");
        visit.ask("hello");
        assertThat(note().locator("p")).hasText("The server did not accept this: the backend failed.");
    }

    @Test void anAnswerCutByItsLengthGoesOnInPlace() {
        Canned.answer(visit.page, Canned.stream("One two", "length", 400));
        visit.ask("count");
        assertThat(note().locator("p")).hasText("The answer stopped at its longest length, 331 tokens.");
        Canned.answer(visit.page, Canned.stream(" three.", "stop", 410));
        var request = visit.page.waitForRequest("**/v1/chat/completions", () -> visit.button("Continue").click());
        assertEquals(true, request.postData().contains("{\"role\":\"assistant\",\"content\":\"One two\"}"));
        assertThat(visit.answer()).hasText("One two three.");
        assertThat(visit.page.locator(".turn .note")).hasCount(0);
    }

    @Test void aNearlyFullContextTurnsOchre() {
        int length = ((Number) visit.js("return (await (await fetch('/api/studio')).json()).model.contextLength")).intValue();
        Canned.answer(visit.page, Canned.stream("Much.", "stop", length * 9 / 10));
        visit.askAndRead("hello");
        assertThat(visit.page.locator(".fill.nearly")).containsText("nearly full");
    }

    @Test void aServerWithAKeyAsksForIt() {
        visit.page.route("**/api/studio", route -> {
            if ("Bearer open sesame".equals(route.request().headers().get("authorization"))) route.resume();
            else route.fulfill(new Route.FulfillOptions().setStatus(401).setContentType("application/json").setBody(Canned.error("invalid_api_key", "a key is wanted")));
        });
        visit.page.reload();
        visit.page.locator("#server-key").fill("open sesame");
        visit.button("Open").click();
        assertThat(visit.page.locator(".model")).isVisible();
        assertThat(visit.page.locator("#server-key")).hasCount(0);
    }

    @Test void aFullBrowserStorageIsSaid() {
        visit.js("""
            for (let text = "x".repeat(1 << 20), i = 0; text.length; i++) {
              try { localStorage.setItem("filler" + i, text); } catch { text = text.slice(text.length / 2 + 1); }
            }""");
        Canned.answer(visit.page, Canned.stream("A word. ".repeat(2000), "stop", 400));
        visit.askAndRead("hello");
        assertThat(visit.page.locator(".dock .note p")).containsText("no room left");
        assertThat(visit.page.locator(".dock .note button")).hasText("Export this chat");
    }

    @Test void whatSomeoneTypesIsNeverMarkup() {
        Canned.answer(visit.page, Canned.stream("<img src=x onerror=window.pwned=1> <script>window.pwned=1</script>", "stop", 400));
        visit.askAndRead("<img src=x onerror=window.pwned=1><script>window.pwned=1</script>");
        assertThat(visit.page.locator(".ask")).hasText("<img src=x onerror=window.pwned=1><script>window.pwned=1</script>");
        assertThat(visit.answer()).hasText("<img src=x onerror=window.pwned=1> <script>window.pwned=1</script>");
        assertEquals(0, visit.page.locator("ink-app img, ink-app script").count());
        assertFalse((Boolean) visit.js("return 'pwned' in window"));
    }

    @Test void enterBelongsToTheInputMethodWhileItComposes() {
        visit.page.locator("#ask").fill("すみ");
        visit.js("document.querySelector('#ask').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true }))");
        assertThat(visit.page.locator(".turn")).hasCount(0);
        assertThat(visit.page.locator("#ask")).hasValue("すみ");
    }

    @Test void codeIsColouredNamedAndCopied() {
        Canned.answer(visit.page, Canned.stream(Canned.RICH, "stop", 400));
        visit.askAndRead("code please");
        assertThat(visit.page.locator(".code-head > span")).hasText("Java");
        assertThat(visit.page.locator(".code .hljs-keyword").first()).hasText("static");
        visit.page.locator(".code-head button").click();
        assertThat(visit.page.locator(".code-head button")).hasText("Copied");
        assertEquals(Canned.RICH.substring(Canned.RICH.indexOf("/**"), Canned.RICH.indexOf("\n```\n\n|")), visit.js("return navigator.clipboard.readText()"));
    }

    @Test void aChatCanBeExportedAndImported() {
        Canned.answer(visit.page, Canned.stream("Kept words.", "stop", 400));
        visit.askAndRead("Keep this");
        visit.page.locator(".conv").hover();
        visit.page.locator(".conv button").click();
        var export = visit.page.locator("[role=menuitem]", new Page.LocatorOptions().setHasText("Export"));
        var file = visit.page.waitForDownload(export::click);
        assertEquals("Keep-this.json", file.suggestedFilename());
        visit.page.locator("input[type=file]").setInputFiles(file.path());
        assertThat(visit.page.locator(".conv")).hasCount(2);
        assertThat(visit.answer()).hasText("Kept words.");
        visit.page.locator("input[type=file]").setInputFiles(new FilePayload("list.json", "application/json", "[]".getBytes()));
        assertThat(visit.page.locator(".dock .note p")).hasText("list.json was not opened: it is not a chat exported from Inkstone.");
    }
}
