package inkstone.web;

import static inkstone.web.Visit.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.deque.html.axecore.args.AxeRunOptions;
import com.deque.html.axecore.playwright.AxeBuilder;
import com.microsoft.playwright.Browser;
import com.microsoft.playwright.Route;
import com.microsoft.playwright.options.ColorScheme;
import inkstone.TinyModel;
import inkstone.TinyStudio;
import inkstone.web.Visit.Window;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How the page looks and reads: accessibility rules in both themes at both sizes, screenshots in target/screenshots, narrow windows, calm motion. */
@ExtendWith(Chromium.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LooksTest {
    @TempDir private static Path folder;
    private TinyStudio studio;

    @BeforeAll void start() throws Exception { studio = TinyStudio.start(TinyModel.write(folder)); }

    @AfterAll void stop() { studio.close(); }

    @ParameterizedTest
    @CsvSource({ "DESKTOP, LIGHT", "DESKTOP, DARK", "PHONE, LIGHT", "PHONE, DARK" })
    void everyStateKeepsTheRulesOfAccessibility(Window window, ColorScheme scheme, Browser browser) {
        var name = (window + "-" + scheme).toLowerCase(Locale.ROOT);
        try (var visit = new Visit(browser, studio.url(), window, scheme).expecting("Failed to load resource")) {
            check(visit, name + "-empty");
            Canned.answer(visit.page, Canned.stream(Canned.RICH, "stop", 400));
            visit.askAndRead("Why are attention scores divided by the square root of the head size?");
            visit.button("Try again").click();
            assertThat(visit.page.locator(".branch")).hasText("2 of 2");
            visit.untilWritten();
            visit.page.waitForTimeout(1000);   // ink dries for 900 ms, and contrast is measured on dry ink
            check(visit, name + "-answer");
            Canned.answer(visit.page, 429, "application/json", Canned.error("queue_full", "the queue is full"), Map.of("Retry-After", "2"));
            visit.askAndRead("And now?");
            if (window == Window.PHONE) {
                visit.page.locator(".bottom button").last().click();
                check(visit, name + "-settings");
                visit.page.locator("#sheet .window-head button").click();
                visit.page.locator(".bottom button").first().click();
                check(visit, name + "-chats");
            } else {
                visit.page.locator("summary").getByText("Sampling").click();
                visit.page.locator("#temperature").fill("1.2");
                visit.button("Copy").click();
                check(visit, name + "-trouble");
                visit.page.locator(".fine button").click();
                check(visit, name + "-keys");
            }
        }
    }

    /** The server's model writes; the page is told that it makes vectors only. */
    @ParameterizedTest
    @CsvSource({ "DESKTOP, LIGHT", "DESKTOP, DARK", "PHONE, LIGHT" })
    void anEmbeddingModelComparesTextsAndSaysThatItDoesNotChat(Window window, ColorScheme scheme, Browser browser) {
        try (var visit = new Visit(browser, studio.url(), window, scheme).expecting("Failed to load resource")) {
            visit.page.route("**/api/studio", route -> {
                var answer = route.fetch();
                route.fulfill(new Route.FulfillOptions().setResponse(answer).setBody(answer.text().replace("\"kind\":\"language\"", "\"kind\":\"embedding\"")));
            });
            visit.page.reload();
            assertThat(visit.page.locator("#embeds")).hasText("This model reads, but does not chat");
            assertThat(visit.page.locator("ink-composer")).hasCount(0);
            visit.page.locator("#others").fill("Lily saw a dog.\n\nOnce upon a time\nThe rain fell.");
            visit.page.locator("#text").fill("Once upon a time");
            visit.button("Compare").click();
            assertThat(visit.page.locator(".nearness li")).hasCount(3);
            assertThat(visit.page.locator(".nearness li").first()).hasText(Pattern.compile("1\\.00\\s*Once upon a time"));
            check(visit, (window + "-" + scheme).toLowerCase(Locale.ROOT) + "-embedding");
            visit.page.locator("#text").fill("long ".repeat(5000));
            visit.button("Compare").click();
            assertThat(visit.page.locator(".note.bad")).containsText("send it in parts");
        }
    }

    private static void check(Visit visit, String name) {
        visit.page.waitForTimeout(300);   // sheets and drawers move for 240 ms
        visit.screenshot(name);
        var options = new AxeRunOptions();
        options.setResultTypes(List.of("violations"));   // without the lists of elements that passed
        var results = new AxeBuilder(visit.page).options(options).analyze();
        var violations = results.getViolations().stream().map(rule -> rule.getId() + ": " + rule.getNodes().stream().map(node -> node.getHtml()).toList()).toList();
        assertTrue(results.getPasses().size() > 20, "axe looked at nothing");
        assertEquals(List.of(), violations, name);
    }

    @Test void nothingScrollsSidewaysAt320Pixels(Browser browser) {
        try (var visit = new Visit(browser, studio.url(), Window.PHONE, ColorScheme.LIGHT)) {
            visit.page.setViewportSize(320, 640);
            Canned.answer(visit.page, Canned.stream(Canned.RICH + "\n\n" + "Donaudampfschifffahrt".repeat(9), "stop", 400));
            visit.askAndRead("Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz".repeat(3));
            for (var part : List.of("html", ".scroll")) assertEquals(0, visit.js("const e = document.querySelector('" + part + "'); return e.scrollWidth - e.clientWidth"), part);
            visit.screenshot("narrow");
        }
    }

    @Test void wordsAppearDryWhereMotionIsUnwelcome(Browser browser) {
        try (var visit = Visit.withoutMotion(browser, studio.url())) {
            visit.ask("Once upon a time");
            visit.page.locator("ink-prose .nib").waitFor();
            assertEquals("none", visit.js("return getComputedStyle(document.querySelector('.nib') ?? document.body).animationName"));
            visit.untilWritten();
            assertThat(visit.page.locator(".wet")).hasCount(0);
        }
    }

    @Test void theChosenThemeIsKept(Browser browser) {
        try (var visit = new Visit(browser, studio.url())) {
            var light = visit.js("return getComputedStyle(document.body).color");
            visit.page.locator("[data-theme-toggle]:visible").click();
            var dark = visit.js("return getComputedStyle(document.body).color");
            visit.page.reload();
            assertEquals(dark, visit.js("return getComputedStyle(document.body).color"));
            visit.page.locator("[data-theme-toggle]:visible").click();
            assertEquals(light, visit.js("return getComputedStyle(document.body).color"));
        }
    }
}
