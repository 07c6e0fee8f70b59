package inkstone.diffusion.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Tokens by ref.py of the image oracle, which are those of CLIP. */
class ClipTokenizerTest {
    private final ClipTokenizer tokenizer = new ClipTokenizer();

    @Test void tokensAreThoseOfClip() {
        assertArrayEquals(new int[] {320, 2165, 2368}, tokenizer.encode("a lovely cat"));
        assertArrayEquals(new int[] {320, 1125, 539, 550, 18376, 568, 274, 8809, 267, 6765, 748}, tokenizer.encode("A  photo of an ASTRONAUT's 3 horses, riding!!"));
        assertArrayEquals(new int[] {}, tokenizer.encode("  \n "));
    }

    @Test void bytesOfOtherScriptsHaveTokens() {
        assertArrayEquals(new int[] {15304, 163, 234, 360, 22979, 331, 262, 3459}, Arrays.copyOf(tokenizer.encode("café 猫 🐱 l'été"), 8));
    }

    @Test void chunksBeginEndAndAreFilled() {
        int[] tokens = tokenizer.encode("a ".repeat(80)), first = ClipTokenizer.chunk(tokens, 0, 0), second = ClipTokenizer.chunk(tokens, 75, 0);
        assertEquals(80, tokens.length);
        assertEquals(ClipTokenizer.START, first[0]);
        assertEquals(320, first[75]);
        assertEquals(ClipTokenizer.END, first[76]);
        assertArrayEquals(new int[] {ClipTokenizer.START, 320, 320, 320, 320, 320, ClipTokenizer.END, 0}, Arrays.copyOf(second, 8));
    }
}
