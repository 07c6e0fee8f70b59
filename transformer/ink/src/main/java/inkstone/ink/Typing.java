package inkstone.ink;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/** How a person types: with care, in lower case, without marks, or in haste. */
enum Typing {
    CAREFUL, LOWER, BARE, HASTY;

    private static final List<Typing> USUAL = List.of(CAREFUL, CAREFUL, CAREFUL, CAREFUL, CAREFUL, LOWER, BARE, BARE, BARE, HASTY);
    /** Slips happen in these words only: a name, a number or a word to spell must reach Ink as it was meant, for the answer speaks of it. */
    private static final Set<String> SLIPPERY = Set.of("what", "which", "where", "does", "tell", "story", "about", "please", "many", "make", "sound", "live", "have", "with", "colour", "color", "your", "name", "spell", "capital", "opposite", "could", "would", "know", "write", "short",
        "poem", "joke", "riddle", "another", "much", "month", "comes", "after", "before", "called", "from", "hello", "thanks", "thank", "animal", "sorry", "today", "model", "bigger", "people", "favourite", "remember", "something", "because", "understand", "explain", "sentence",
        "letters", "rhymes", "help", "really", "good", "morning", "little", "happened", "next", "there", "these", "made", "when", "this", "that", "letter", "number", "planet", "country", "word");
    private static final Pattern WORD = Pattern.compile("[a-z]+");

    static Typing of(Dice dice) { return dice.pick(USUAL); }

    /** @param text a question or statement whose first letter may be small */
    String apply(String text, Dice dice) {
        return switch (this) {
            case CAREFUL -> English.sentences(text.replaceAll("\\bi\\b(?=['’ ,.?!]|$)", "I"));
            case LOWER -> text.toLowerCase(Locale.ROOT);
            case BARE -> bare(text).replace("'", dice.chance(0.5) ? "" : "'").replaceAll("[,;.!](?= )", "");
            case HASTY -> slip(bare(text), dice);
        };
    }

    /** Without the mark at the end, unless nothing would be left. */
    private static String bare(String text) {
        String bare = text.toLowerCase(Locale.ROOT).replaceAll(" ?[.!?]+$", "");
        return bare.isEmpty() ? text : bare;
    }

    /** One slip in a common word: a letter left out, doubled, or two exchanged. */
    private static String slip(String text, Dice dice) {
        var candidates = new ArrayList<Integer>();
        for (var word = WORD.matcher(text); word.find(); ) if (SLIPPERY.contains(word.group())) candidates.add(word.start() + 1 + dice.below(word.end() - word.start() - 2));
        if (candidates.isEmpty()) return text;
        int at = dice.pick(candidates);
        return switch (dice.below(3)) {
            case 0 -> text.substring(0, at) + text.substring(at + 1);
            case 1 -> text.substring(0, at + 1) + text.substring(at);
            default -> text.substring(0, at) + text.charAt(at + 1) + text.charAt(at) + text.substring(at + 2);
        };
    }
}
