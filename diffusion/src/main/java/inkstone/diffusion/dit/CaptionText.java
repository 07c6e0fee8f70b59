package inkstone.diffusion.dit;

import java.util.Locale;

/** Captions and prompts in the one spelling that a small text encoder sees: lower case, words and commas, a space before every word. */
public final class CaptionText {
    private CaptionText() {}

    /** " red apple, 3d" of "Red apple; 3D!"; empty where nothing is left. Hyphens part words, apostrophes do not. */
    public static String normalized(String text) {
        var words = text.toLowerCase(Locale.ROOT).replaceAll("['’]", "").replaceAll("[;.:|/]", ",").replaceAll("[^\\p{L}\\p{N}#*+,&]+", " ");
        var joined = words.replaceAll("\\s*(,\\s*)+", ", ").strip().replaceAll("^(, ?)+|(, ?)+$", "");
        return joined.isEmpty() ? "" : " " + joined;
    }
}
