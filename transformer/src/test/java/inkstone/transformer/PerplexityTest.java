package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.tokenizer.MarkedText;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PerplexityTest {
    @Test void aTextThatTheModelExpectsAndOneThatItDoesNot() {
        try (var fakes = Fakes.reciting("a", "b", "c", "d", "e", "f", "g")) {
            double others = 8 * Math.exp(-10), expected = 1 + others;                                   // one logit of 10 among eight of 0: -log p = log(1 + 8/e^10)
            assertEquals(expected, Perplexity.of(fakes.model, new int[] {0, 1, 2, 3, 4, 5, 6, 7}, 8, DType.F32, done -> { }).value(), 1e-9);
            var surprised = Perplexity.of(fakes.model, new int[] {0, 1, 2, 3, 4, 4, 4, 4}, 8, DType.F32, done -> { });
            assertEquals(Math.exp(10) * expected, surprised.value(), 1e-2, "three tokens of logit 0");
            assertEquals(0, surprised.error(), 1e-2);
        }
    }

    @Test void theSecondHalfOfEveryWholeWindowIsScored() {
        try (var fakes = Fakes.endless(64)) {
            var done = new ArrayList<Integer>();
            var text = IntStream.range(0, 35).map(i -> i % 26).toArray();
            var result = Perplexity.of(fakes.model, text, 16, DType.F32, done::add);
            assertEquals(2, result.windows());
            assertEquals(2 * 7, result.scored(), "tokens 9 to 15, by what stands after 8 to 14");
            assertEquals(List.of(1, 2), done);
            assertEquals(List.of(8, 7, 8, 7), fakes.steps);
        }
    }

    @Test void theErrorIsThatOfTheMean() {
        try (var fakes = Fakes.reciting("a", "b", "c", "d", "e", "f", "g")) {
            /* scored: 3 follows 2 as expected, then 3 follows 3: -log p is t and 10 + t, mean 5 + t, deviation 5, one degree of freedom */
            double t = Math.log1p(8 * Math.exp(-10));
            var result = Perplexity.of(fakes.model, new int[] {0, 1, 1, 2, 3, 3}, 6, DType.F32, done -> { });
            assertEquals(Math.exp(5 + t), result.value(), 1e-3);
            assertEquals(5 * Math.exp(5 + t), result.error(), 1e-2);
        }
    }

    @Test void tooShortTextsAndWindowsAreRefused() {
        try (var fakes = Fakes.endless(64)) {
            assertThrows(IllegalArgumentException.class, () -> Perplexity.of(fakes.model, new int[15], 16, DType.F32, done -> { }));
            assertThrows(IllegalArgumentException.class, () -> Perplexity.of(fakes.model, new int[15], 3, DType.F32, done -> { }));
            assertThrows(IllegalArgumentException.class, () -> Perplexity.of(fakes.model, new int[150], 65, DType.F32, done -> { }));
        }
    }

    @Test void brokenLogitsAreSaidToBeSo() {
        try (var fakes = Fakes.reciting("a", "b").logitsAfter(1, Float.NaN)) {
            assertThrows(ArithmeticException.class, () -> Perplexity.of(fakes.model, new int[] {0, 1, 1, 1, 1, 1}, 6, DType.F32, done -> { }));
        }
    }

    /** Made from the first 6,000 bytes of the text, -c 128 -ctk f32 -ctv f32, by llama.cpp's perplexity tool on the same file. It prints four decimals. */
    @ParameterizedTest @ValueSource(strings = {"reference", "cpu"})
    void storiesAreAsSurprisingAsToLlamaCpp(String device) throws IOException {
        var bytes = Files.readAllBytes(TestData.folder("text-tinystories").resolve("tinystories-sample.txt"));
        var text = new String(Arrays.copyOf(bytes, 6_000), StandardCharsets.UTF_8);
        try (var backend = TestData.backend(device); var model = Models.open(TestData.stories(), backend)) {
            var tokens = model.tokenizer().encodePrompt(MarkedText.untrusted(text));
            var result = Perplexity.of(model, tokens, 128, DType.F32, done -> { });
            assertEquals(4.2501, result.value(), 1e-4);
            assertEquals(0.21134, result.error(), 1e-4);
            assertTrue(result.windows() > 10);
        }
    }
}
