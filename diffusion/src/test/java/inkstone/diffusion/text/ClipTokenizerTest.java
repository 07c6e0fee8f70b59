package inkstone.diffusion.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

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
}
