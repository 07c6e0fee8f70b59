package inkstone.web;

import static inkstone.web.Visit.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.microsoft.playwright.Browser;
import inkstone.TinyStudio;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** A trained model that has no chat template, in the page: stories260K (A. Karpathy, tinyllamas). */
@ExtendWith(Chromium.class)
class StoriesTest {
    private static final Path MODEL = Path.of(System.getProperty("inkstone.data"), "weights-llama-stories260K", "stories260K-f32.gguf");

    @Test void itContinuesTextAndTheSameSeedTellsTheSameStory(Browser browser) throws Exception {
        assumeTrue(Files.exists(MODEL), "skipped: " + MODEL + " is absent");
        try (var studio = TinyStudio.start(MODEL); var visit = new Visit(browser, studio.url())) {
            var page = visit.page;
            assertThat(page.locator(".empty p")).containsText("continues text");
            page.locator("#max_tokens").fill("8");
            page.locator("#temperature").fill("1");
            page.locator("summary").getByText("Sampling").click();
            page.locator("#seed").fill("7");
            page.locator("#seed").press("Tab");
            var first = visit.askAndRead("Once upon a time");
            assertTrue(first.length() > 50, first);
            page.locator("summary").getByText("Sampling").click();
            visit.screenshot("stories");
            assertEquals(first, again(visit, 2));
            page.locator("summary").getByText("Sampling").click();
            page.locator("#seed").fill("8");
            page.locator("#seed").press("Tab");
            assertNotEquals(first, again(visit, 3));
        }
    }

    private static String again(Visit visit, int version) {
        visit.button("Try again").click();
        assertThat(visit.page.locator(".branch")).hasText("%d of %d".formatted(version, version));
        visit.untilWritten();
        return visit.answer().textContent();
    }
}
