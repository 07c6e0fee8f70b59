package inkstone.web;

import static inkstone.web.Visit.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.microsoft.playwright.Browser;
import com.microsoft.playwright.Page;
import inkstone.TinyModel;
import inkstone.TinyStudio;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The chat page with the real server and a real model behind it. */
@ExtendWith(Chromium.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class ChatPageTest {
    @TempDir private static Path folder;
    private TinyStudio studio;
    private Visit visit;
    private Page page;

    @BeforeAll void start() throws Exception { studio = TinyStudio.start(TinyModel.write(folder)); }

    @BeforeEach void open(Browser browser) {
        visit = new Visit(browser, studio.url());
        page = visit.page;
    }

    @AfterEach void leave() { visit.close(); }

    @AfterAll void stop() { studio.close(); }

    /** The slider stops at lengths; this goes to the one that reads {@code text}. */
    private void longestAnswer(String text) {
        page.locator("#max_tokens").press("Home");
        for (var reading = page.locator("output[for=max_tokens]"); !reading.innerText().equals(text); ) page.locator("#max_tokens").press("ArrowRight");
    }

    private void seed(int seed) {
        if (page.locator("#seed").isHidden()) page.locator("summary").getByText("Sampling").click();
        page.locator("#seed").fill(Integer.toString(seed));
        page.locator("#seed").press("Tab");
    }

    @Test void anAnswerStreamsInAndItsFactsStandInTheMargin() {
        longestAnswer("64 tokens");
        visit.askAndRead("Once upon a time");
        assertThat(visit.answer()).containsText("Ink is soot and glue, ground with water on a stone.");
        assertThat(page.locator(".margin").last()).containsText(Pattern.compile("tok/s.*tokens?.*first in [0-9.]+ s", Pattern.DOTALL));
        assertThat(page.locator("[data-announce]")).hasText(Pattern.compile("Answer finished, \\d+ tokens."));
        assertThat(page.locator("h1")).hasText("Once upon a time");
        assertThat(page.locator(".facts")).containsText("Reading");
        assertThat(page.locator(".conv a")).hasText(Pattern.compile("Once upon a time"));
        assertThat(page.locator("#ask")).isFocused();
    }

    @Test void stopEndsTheGenerationOnTheServerToo() {
        page.locator("#max_tokens").press("End");
        visit.ask("Once upon a time");
        assertThat(page.locator(".turn.live .wet").first()).isAttached();
        assertEquals(1, active());
        page.keyboard().press("Escape");
        assertThat(page.locator(".fact")).hasText("stopped by you");
        var text = visit.answer().innerText();
        page.waitForCondition(() -> active() == 0);
        assertEquals(text, visit.answer().innerText());
        assertThat(visit.button("Send")).isVisible();
    }

    private int active() { return ((Number) visit.js("const { queue } = await (await fetch('/api/studio')).json(); return queue.active + queue.waiting")).intValue(); }

    @Test void theViewFollowsTheEndUntilTheReaderScrollsUp() {
        page.locator("#max_tokens").press("End");
        visit.ask("Once upon a time");
        page.waitForCondition(() -> scrolled() > 300);
        page.locator(".scroll").hover();
        page.mouse().wheel(0, -200);
        assertThat(visit.button("To the end")).isVisible();
        double place = scrolled();
        page.waitForTimeout(300);
        assertEquals(place, scrolled());
        visit.button("To the end").click();
        page.waitForCondition(() -> scrolled() > place + 100);
        visit.button("Stop").click();
        assertThat(page.locator(".fact")).hasText("stopped by you");
    }

    private double scrolled() { return ((Number) visit.js("return document.querySelector('.scroll').scrollTop")).doubleValue(); }

    @Test void tryAgainKeepsTheFirstAnswer() {
        longestAnswer("32 tokens");
        var first = visit.askAndRead("One day");
        visit.button("Try again").click();
        visit.untilWritten();
        assertThat(page.locator(".branch")).hasText("2 of 2");
        page.getByLabel("Previous version").click();
        assertThat(page.locator(".branch")).hasText("1 of 2");
        assertThat(visit.answer()).hasText(first);
        assertThat(page.getByLabel("Previous version")).isFocused();
    }

    /** The page looks at the server now and then, and draws itself anew. */
    @Test void whatIsBeingTypedOutlivesALookAtTheServer() {
        longestAnswer("32 tokens");
        visit.askAndRead("A cat");
        page.locator("#ask").press("ArrowUp");
        page.locator(".editor textarea").fill("A dog");
        look();
        assertThat(page.locator(".editor textarea")).hasValue("A dog");
        page.locator(".editor textarea").press("Escape");
        seed(7);
        page.locator("#seed").fill("12");
        look();
        assertThat(page.locator("#seed")).hasValue("12");
        page.locator("#seed").press("Tab");
        assertThat(visit.page.locator("#seed")).hasValue("12");
    }

    private void look() { visit.js("const app = document.querySelector('ink-app'); await app.session.refresh(); await app.updateComplete; await new Promise(done => setTimeout(done, 50));"); }

    @Test void anEditedQuestionIsABranch() {
        longestAnswer("32 tokens");
        var first = visit.askAndRead("A cat");
        page.locator("#ask").press("ArrowUp");
        assertThat(page.locator(".editor textarea")).isFocused();
        page.locator(".editor textarea").fill("A dog");
        page.locator(".editor textarea").press("Enter");
        visit.untilWritten();
        assertThat(page.locator(".ask")).hasText("A dog");
        assertThat(page.locator(".branch")).hasText("2 of 2");
        page.getByLabel("Previous version").click();
        assertThat(page.locator(".ask")).hasText("A cat");
        assertThat(visit.answer()).hasText(first);
    }

    @Test void settingsGoWithTheRequestWhereTheyWereChanged() {
        longestAnswer("24 tokens");
        page.locator("#temperature").fill("1.25");
        seed(7);
        assertEquals(3, page.locator(".field .dot").count());
        var request = page.waitForRequest("**/v1/chat/completions", () -> visit.ask("Hello")).postData();
        for (var field : List.of("\"max_tokens\":24", "\"temperature\":1.25", "\"seed\":7")) assertTrue(request.contains(field), request);
        for (var field : List.of("top_k", "top_p", "min_p", "repeat_penalty")) assertFalse(request.contains(field), request);
        visit.untilWritten();
        assertThat(page.locator(".margin").last()).containsText("24 tokens");
        assertThat(page.locator(".turn .note")).containsText("longest length, 24 tokens");
        page.getByLabel("Reset Seed").click();
        assertThat(page.locator("#seed")).hasValue("");
        assertEquals(2, page.locator(".field .dot").count());
    }

    @Test void instructionsGoBeforeTheQuestion() {
        longestAnswer("16 tokens");
        page.locator("#system").fill("Be brief.");
        var request = page.waitForRequest("**/v1/chat/completions", () -> visit.ask("Hello"));
        assertTrue(request.postData().contains("\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"Hello\"}]"), request.postData());
        visit.untilWritten();
    }

    @Test void aReloadKeepsTheConversation() {
        longestAnswer("32 tokens");
        var answer = visit.askAndRead("Tom had a box");
        page.reload();
        assertThat(page.locator(".ask")).hasText("Tom had a box");
        assertThat(visit.answer()).hasText(answer);
        assertThat(page.locator("output[for=max_tokens]")).hasText("32 tokens");
    }

    @Test void anAnswerThatIsBeingWrittenSurvivesAReloadAsStopped() {
        page.locator("#max_tokens").press("End");
        visit.ask("Once upon a time");
        assertThat(page.locator(".turn.live .wet").first()).isAttached();
        page.reload();
        assertThat(page.locator(".fact")).hasText("stopped by you");
        assertFalse(visit.answer().innerText().isBlank());
        page.waitForCondition(() -> active() == 0);
    }

    @Test void everythingIsReachedByKeyboardAlone() {
        assertThat(page.locator("#ask")).isFocused();
        longestAnswer("16 tokens");
        page.locator("#ask").focus();
        var keys = page.keyboard();
        keys.type("First question");
        keys.press("Shift+Enter");
        keys.type("in two lines");
        keys.press("Enter");
        visit.untilWritten();
        assertThat(page.locator(".ask")).hasText("First question\nin two lines");
        keys.press("Escape");
        keys.press("?");
        assertThat(page.locator("#keys-title")).isVisible();
        keys.press("Escape");
        assertThat(page.locator("#keys-title")).isHidden();
        keys.press("k");
        assertThat(page.locator("ink-turn").last()).isFocused();
        keys.press("c");
        assertEquals(page.evaluate("() => document.querySelector('ink-app').session.chat.messages.at(-1).text"), visit.js("return navigator.clipboard.readText()"));
        keys.press("r");
        visit.untilWritten();
        assertThat(page.locator(".branch")).hasText("2 of 2");
        keys.press("Alt+ArrowLeft");
        assertThat(page.locator(".branch")).hasText("1 of 2");
        keys.press("k");
        keys.press("e");
        keys.press("ControlOrMeta+a");
        keys.type("Second question");
        keys.press("Enter");
        visit.untilWritten();
        assertThat(page.locator(".ask")).hasText("Second question");
        keys.press("Alt+n");
        assertThat(page.locator("h1")).hasText("New chat");
        assertThat(page.locator("#ask")).isFocused();
        longestAnswer("16 tokens");
        page.locator("#ask").focus();
        keys.type("Third question");
        keys.press("Enter");
        visit.untilWritten();
        assertThat(page.locator(".conv")).hasCount(2);
        page.locator(".skip").focus();
        for (int i = 0; i < 6 && page.locator(".conv a:focus").count() == 0; i++) keys.press("Tab");
        keys.press("ArrowDown");
        keys.press("F2");
        keys.press("ControlOrMeta+a");
        keys.type("A better title");
        keys.press("Enter");
        assertThat(page.locator(".conv a").nth(1)).containsText("A better title");
        keys.press("Enter");
        assertThat(page.locator("h1")).hasText("A better title");
        keys.press("Delete");
        assertThat(page.locator(".conv")).hasCount(1);
        keys.press("ControlOrMeta+z");
        assertThat(page.locator(".conv")).hasCount(2);
        assertThat(page.locator("h1")).hasText("A better title");
    }

    @Test void theFirstStopOfTabSkipsToTheContent() {
        assertEquals("Skip to the content", visit.js("return document.querySelector('a, button, input, [tabindex]').textContent"));
        page.locator(".skip").press("Enter");
        assertThat(page.locator("main")).isFocused();
    }

    @Test void deletedMessagesComeBackWithUndo() {
        longestAnswer("16 tokens");
        visit.askAndRead("One");
        visit.askAndRead("Two");
        page.locator("ink-turn").nth(2).locator("button").getByText("Delete").click();
        assertThat(page.locator("ink-turn")).hasCount(2);
        visit.button("Undo").click();
        assertThat(page.locator("ink-turn")).hasCount(4);
        assertThat(page.locator(".ask").last()).hasText("Two");
    }

    @Test void aSecondTabSeesTheSameChats() {
        longestAnswer("16 tokens");
        visit.askAndRead("Seen from elsewhere");
        var other = page.context().newPage();
        other.navigate(studio.url());
        assertThat(other.locator(".conv a")).hasText(Pattern.compile("Seen from elsewhere"));
        visit.askAndRead("Again");
        other.locator(".conv a").click();
        assertThat(other.locator("ink-turn")).hasCount(4);
    }
}
