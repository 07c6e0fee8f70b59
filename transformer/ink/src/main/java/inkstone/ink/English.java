package inkstone.ink;

import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/** The little English grammar that texts put together from parts need. */
final class English {
    private static final Pattern ARTICLE = Pattern.compile("\\b([Aa])n? (?=(?!(?:is|or|and|as|in|at|of|to|comes)\\b)([\\p{L}\\d][\\p{L}\\d'-]*))");
    /** Words that sound otherwise than they are written: "a unicorn", "an hour". */
    private static final Pattern CONSONANT_SOUND = Pattern.compile("(?i)(uni|use|usu|util|eu|one\\b|once|ukulele).*"), VOWEL_SOUND = Pattern.compile("(?i)([aeiou]|hour|honest|heir|8|11\\b|18\\b).*");
    private static final String[] SMALL = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen",
        "sixteen", "seventeen", "eighteen", "nineteen", "twenty"};
    private static final String[] TENS = {"", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};

    private English() {}

    static boolean takesAn(String word) { return VOWEL_SOUND.matcher(word).matches() && !CONSONANT_SOUND.matcher(word).matches(); }

    static String a(String noun) { return (takesAn(noun) ? "an " : "a ") + noun; }

    static String capital(String text) { return text.isEmpty() ? text : text.substring(0, 1).toUpperCase(Locale.ROOT) + text.substring(1); }

    /** A number up to 100 in words. */
    static String words(int number) {
        if (number < SMALL.length) return SMALL[number];
        if (number == 100) return "one hundred";
        return TENS[number / 10] + (number % 10 == 0 ? "" : "-" + SMALL[number % 10]);
    }

    /** a, b and c. */
    static String list(List<String> items) { return list(items, "and"); }

    static String list(List<String> items, String last) {
        int end = items.size() - 1;
        return end == 0 ? items.getFirst() : String.join(", ", items.subList(0, end)) + " " + last + " " + items.get(end);
    }

    /** Chooses between a and an by the word that follows, now that it is known; blanks that empty alternatives left go. */
    static String join(String text) {
        String clean = text.strip().replaceAll(" +", " ").replaceAll(" ([,.!?;:])(?=\\s|$)", "$1").replaceAll(" \n", "\n").replaceAll("\n +", "\n");
        return ARTICLE.matcher(clean).replaceAll(m -> m.group(1) + (takesAn(m.group(2)) ? "n " : " "));
    }

    /** The same with a capital letter at the beginning of every sentence. */
    static String sentences(String text) {
        var out = new StringBuilder(join(text));
        boolean first = true;
        for (int i = 0; i < out.length(); i++) {
            char c = out.charAt(i);
            if (first && Character.isLetter(c)) out.setCharAt(i, Character.toUpperCase(c));
            if (!Character.isWhitespace(c) && c != '"' && c != '“' && c != '(') first = false;
            boolean end = (c == '.' || c == '!' || c == '?') && i + 1 < out.length() && Character.isWhitespace(out.charAt(i + 1));
            if (end || c == '\n') first = true;
        }
        return out.toString();
    }
}
