package inkstone.ink;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** Spelling, letters, rhymes, sentences and small poems. Immutable; any thread. */
final class Words {
    private final List<Map<String, String>> words = Resources.table("facts/words.txt"), poems = Resources.table("facts/poems.txt");
    private final List<List<String>> rhymes = Resources.lines("facts/rhymes.txt").stream().filter(l -> !l.startsWith("#") && !l.isBlank()).map(l -> List.of(l.split(" "))).toList();

    void spelling(Talk talk, double more) {
        var dice = talk.dice;
        var row = dice.pick(words);
        String word = row.get("word"), letters = word.toUpperCase(Locale.ROOT);
        String spelled = letters.chars().mapToObj(c -> "" + (char) c).collect(Collectors.joining("-"));
        talk.with(row).with("spelled", spelled).with("first", letters.substring(0, 1)).with("last", letters.substring(letters.length() - 1)).with("count", English.words(word.length()))
            .with("backwards", new StringBuilder(word).reverse().toString());
        int kind = dice.below(10);
        if (kind < 5) talk.user(List.of("how do you spell {word}?", "spell {word}", "can you spell {word}?", "how is {word} spelled?", "spell the word {word}", "please spell {word}", "how do i write {word}?")).ink("{word} is spelled {spelled}.");
        else if (kind < 7) talk.user(List.of("how many letters does {word} have?", "how many letters are in {word}?", "how long is the word {word}?", "how many letters has the word {word}?")).ink("{word} has {count} letters: {spelled}.");
        else if (kind < 8) talk.user(List.of("what is the first letter of {word}?", "which letter does {word} begin with?", "{word} begins with which letter?")).ink("{word} begins with {first}.");
        else if (kind < 9) talk.user(List.of("what is the last letter of {word}?", "which letter does {word} end with?", "{word} ends with which letter?")).ink("{word} ends with {last}.");
        else talk.user(List.of("make a sentence with {word}", "use {word} in a sentence", "write a sentence with the word {word}", "can you make a sentence with {word}?", "give me a sentence with {word}")).ink("{sentence}");
        if (dice.chance(more)) {
            if (kind >= 5 && dice.chance(0.5)) talk.user(List.of("how do you spell it?", "and how is it spelled?", "can you spell it?")).ink("{word} is spelled {spelled}.");
            else talk.user(List.of("and in a sentence?", "use it in a sentence", "can you use it in a sentence?", "now make a sentence with it")).ink("{sentence}");
        }
    }

    void alphabet(Talk talk, double more) {
        var dice = talk.dice;
        if (dice.chance(0.12)) {
            talk.user(List.of("say the alphabet", "what is the alphabet?", "tell me the alphabet", "can you say the abc?")).ink("A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T, U, V, W, X, Y, Z.");
            return;
        }
        if (dice.chance(0.5)) {
            boolean after = dice.chance(0.6);
            char letter = (char) ('B' + dice.below(24));
            talk.with("letter", "" + letter).with("next", "" + (char) (after ? letter + 1 : letter - 1)).with("side", after ? "after" : "before");
            talk.user(List.of("which letter comes {side} {letter}?", "what letter comes {side} {letter}?", "what comes {side} {letter} in the alphabet?")).ink("{next} comes {side} {letter}.");
        } else {
            var row = dice.pick(words);
            String first = row.get("word").substring(0, 1);
            var same = words.stream().map(w -> w.get("word")).filter(w -> w.startsWith(first)).toList();
            talk.with("first", first.toUpperCase(Locale.ROOT)).with("list", English.list(same.subList(0, Math.min(2, same.size()))))
                .user(List.of("name a word that begins with {first}", "which word begins with {first}?", "tell me a word that starts with {first}", "a word with {first}, please", "give me a word that begins with the letter {first}"))
                .ink(same.size() == 1 ? "{list} begins with {first}." : "{list} begin with {first}.");
        }
    }

    void rhyme(Talk talk, double more) {
        var dice = talk.dice;
        var group = new ArrayList<>(dice.pick(rhymes));
        String word = group.remove(dice.below(group.size()));
        int count = Math.min(group.size(), dice.chance(0.6) ? 2 : 3);
        boolean yesOrNo = dice.chance(0.15);
        talk.with("word", word);
        if (yesOrNo) {
            boolean rhymed = dice.chance(0.5);
            String other = rhymed ? group.getFirst() : dice.pick(rhymes.stream().filter(r -> !r.contains(word)).toList()).getFirst();
            talk.with("other", other).user(List.of("does {word} rhyme with {other}?", "do {word} and {other} rhyme?", "is {other} a rhyme for {word}?")).ink(rhymed ? "yes, {word} rhymes with {other}." : "no, {word} does not rhyme with {other}.");
            return;
        }
        talk.with("rhymes", English.list(group.subList(0, count)));
        talk.user(List.of("what rhymes with {word}?", "which words rhyme with {word}?", "find a rhyme for {word}", "a rhyme for {word}?", "tell me words that rhyme with {word}", "can you find a rhyme for {word}?", "rhyme with {word}", "give me a word that rhymes with {word}"))
            .ink("{word} rhymes with {rhymes}.");
        if (group.size() > count && dice.chance(more)) talk.with("one", group.get(count)).user(List.of("another one?", "one more", "more?", "any other?", "and another?")).ink("{word} also rhymes with {one}.");
    }

    void poem(Talk talk, double more) {
        var dice = talk.dice;
        var left = new ArrayList<>(poems);
        boolean first = true;
        do {
            var poem = left.remove(dice.below(left.size()));
            talk.with(poem);
            boolean any = dice.chance(0.25);
            if (first) {
                talk.user(any ? List.of("write a poem", "tell me a poem", "a poem, please", "can you write a poem?", "make a little poem", "a short poem, please", "tell me a rhyme", "write a rhyme for me", "do you know a poem?")
                    : List.of("write a poem about {subject}", "tell me a poem about {subject}", "a poem about {subject}, please", "can you write a poem about {subject}?", "make a little poem about {subject}", "a rhyme about {subject}", "write me a short poem about {subject}"));
            } else {
                talk.user(any ? List.of("another one", "one more poem, please", "and another one?") : List.of("and one about {subject}?", "now one about {subject}", "another one about {subject}, please"));
            }
            talk.says(poem.get("poem").replace(" / ", "\n"));
            first = false;
            if (dice.chance(more * 0.5)) talk.user(List.of("nice", "that's nice", "thank you", "i like it", "beautiful", "that was lovely")).ink("thank you! I'm glad you like it.");
        } while (dice.chance(more * 0.6));
    }
}
