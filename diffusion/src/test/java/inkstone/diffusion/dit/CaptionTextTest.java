package inkstone.diffusion.dit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

final class CaptionTextTest {
    @Test void onlyWordsAndCommasAreLeft() {
        assertEquals(" red apple, 3d", CaptionText.normalized("Red apple; 3D!"));
        assertEquals(" smiling cat with heart eyes", CaptionText.normalized("smiling cat with heart-eyes"));
        assertEquals(" oclock, clock", CaptionText.normalized("o’clock: clock"));
        assertEquals(" keycap #", CaptionText.normalized("keycap #"));
        assertEquals("", CaptionText.normalized(" .,; "));
        assertEquals(" a, b", CaptionText.normalized("a,, , b,"));
        assertEquals(" größe", CaptionText.normalized("GRÖSSE".replace("SS", "ß")));
    }
}
