package inkstone.ink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tokenizer.template.JinjaTemplate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class ConversationsTest {
    private static final int MANY = 3_000;
    private static final Conversations CONVERSATIONS = new Conversations();
    private static final List<List<Map<String, String>>> SOME = LongStream.range(0, MANY).mapToObj(n -> CONVERSATIONS.conversation(InkData.seed(42, n))).toList();
    private static final Pattern SUM = Pattern.compile("\\b(\\d+) (plus|minus|times|divided by) (\\d+) is (\\d+)"), WRONG_ARTICLE = Pattern.compile("\\b([Aa]|[Aa]n) (\\p{L}[\\p{L}'-]*)"),
        UNFINISHED = Pattern.compile("[{}|()]|  | [.,!?]|\\.\\.|[?!][?!]"), SENTENCE_END = Pattern.compile("(?s).*[.!?]\"?`?");

    @Test void sameSeedSameConversation() {
        var again = new Conversations();
        for (int n = 0; n < 300; n++) assertEquals(SOME.get(n), again.conversation(InkData.seed(42, n)), "conversation " + n);
        assertNotEquals(SOME.subList(0, 300), LongStream.range(0, 300).mapToObj(n -> again.conversation(InkData.seed(43, n))).toList());
    }

    @Test void turnsAlternateAndInkHasTheLastWord() {
        for (var conversation : SOME) {
            int first = conversation.getFirst().get("role").equals("system") ? 1 : 0;
            for (int i = first; i < conversation.size(); i++) assertEquals((i - first) % 2 == 0 ? "user" : "assistant", conversation.get(i).get("role"), conversation.toString());
            assertEquals("assistant", conversation.getLast().get("role"));
        }
    }

    @Test void answersAreFinishedSentences() {
        for (String answer : answers()) {
            assertFalse(UNFINISHED.matcher(answer).find(), answer);
            assertTrue(SENTENCE_END.matcher(answer).matches(), answer);
            assertFalse(Character.isLowerCase(answer.codePointAt(0)), answer);
        }
        for (var conversation : SOME) {
            for (var message : conversation) {
                assertFalse(message.get("content").isBlank(), conversation.toString());
                assertFalse(Pattern.compile("[{}|()]|  ").matcher(message.get("content")).find(), message.get("content"));
            }
        }
    }

    @Test void articlesFitTheNextWord() {
        assertEquals("an owl and a unicorn, an hour and a European, a fox and an old one", English.join("a owl and an unicorn, a hour and an European, an fox and a old one"));
        for (String answer : answers()) {
            for (var article = WRONG_ARTICLE.matcher(answer.replaceAll("(?<=, |^)A(?=,| (is|comes))|such as A or B|are A, E", "")); article.find(); ) {
                assertEquals(English.takesAn(article.group(2)), article.group(1).length() == 2, answer);
            }
        }
    }

    @Test void sumsAreRight() {
        int sums = 0;
        for (String answer : answers()) {
            for (var sum = SUM.matcher(answer); sum.find(); sums++) {
                int a = Integer.parseInt(sum.group(1)), b = Integer.parseInt(sum.group(3));
                int right = switch (sum.group(2)) { case "plus" -> a + b; case "minus" -> a - b; case "times" -> a * b; default -> a / b; };
                assertEquals(right, Integer.parseInt(sum.group(4)), answer);
            }
        }
        assertTrue(sums > 250, sums + " sums");
    }

    /** The same question about a fact never has two answers. */
    @Test void factsAgree() {
        var knowledge = new Knowledge();
        var words = new Words();
        var topics = List.<Topic>of(knowledge::animal, knowledge::food, knowledge::thing, knowledge::country, knowledge::planet, knowledge::body, knowledge::opposite, knowledge::shape, knowledge::calendar,
            knowledge::term, knowledge::question, Numbers::compare, Numbers::counting, words::spelling);
        var phrases = new Phrases(Resources.lines("talk/phrases.txt"));
        var answers = new HashMap<String, String>();
        for (int topic = 0; topic < topics.size(); topic++) {
            for (int n = 0; n < 1_500; n++) {
                var talk = new Talk(phrases, new Dice(InkData.seed(topic, n)));
                topics.get(topic).talk(talk, 0);
                String question = talk.messages().get(0).get("content").toLowerCase().replaceAll("[?.!\"',]", ""), answer = talk.messages().get(1).get("content");
                String before = answers.putIfAbsent(question, answer);
                assertTrue(before == null || before.equals(answer), question + " -> " + before + " / " + answer);
            }
        }
    }

    @Test void everyTemplateCanBeFilled() {
        var phrases = new Phrases(Resources.lines("talk/phrases.txt"));
        var dice = new Dice(1);
        for (String file : List.of("greetings", "identity", "app", "feelings", "beyond", "unclear")) {
            for (var exchange : Exchange.read(Resources.lines("talk/" + file + ".txt"))) fill(exchange, phrases, dice);
        }
    }

    private static void fill(Exchange exchange, Phrases phrases, Dice dice) {
        assertFalse(exchange.questions().isEmpty() || exchange.answers().isEmpty(), exchange.toString());
        var templates = new ArrayList<>(exchange.questions());
        templates.addAll(exchange.answers());
        for (String template : templates) for (int i = 0; i < 5; i++) assertFalse(phrases.expand(template, Map.of(), dice).isBlank(), template);
        for (var next : exchange.follows()) fill(next, phrases, dice);
    }

    @Test void fewConversationsComeTwice() {
        var different = new HashSet<>(SOME);
        assertTrue(different.size() > 0.85 * MANY, different.size() + " of " + MANY + " differ");
    }

    @Test void halfHaveSeveralTurns() {
        long several = SOME.stream().filter(c -> c.stream().filter(m -> m.get("role").equals("assistant")).count() > 1).count();
        assertTrue(several > 0.45 * MANY && several < 0.65 * MANY, several + " of " + MANY);
    }

    /** A name, colour or pet that the user told comes back in the answer that recalls it. */
    @Test void whatWasToldIsRecalled() {
        var phrases = new Phrases(Resources.lines("talk/phrases.txt"));
        var memory = new Memory(phrases);
        for (int n = 0; n < 500; n++) {
            var talk = new Talk(phrases, new Dice(InkData.seed(7, n)));
            var told = memory.tell(talk);
            memory.recall(talk, told);
            String said = talk.messages().getFirst().get("content").toLowerCase(), answer = talk.messages().getLast().get("content").toLowerCase(), value = talk.names.get(told.key()).toLowerCase();
            assertTrue(said.contains(value) && answer.contains(value), talk.messages().toString());
        }
    }

    @Test void storiesKeepTheirHeroAndPronoun() {
        var others = Map.of("he", "\\b([Ss]he|her|hers|herself|itself)\\b", "she", "\\b([Hh]e|him|his|himself|itself)\\b", "it", "\\b([Hh]e|[Ss]he|him|himself|herself)\\b");
        for (int n = 0; n < 1_500; n++) {
            var story = CONVERSATIONS.stories().tell(new Dice(InkData.seed(5, n)));
            String text = story.text().replaceAll("mother was standing at the door with a light\\. She held|tilted (his|her) head", "-");
            assertFalse(Pattern.compile(others.get(story.names().get("he"))).matcher(text).find(), story.text());
            assertTrue(text.split(Pattern.quote(story.names().get("name"))).length > 3, story.text());
            assertFalse(UNFINISHED.matcher(text).find(), story.text());
            int words = text.split("\\s+").length;
            assertTrue(words >= 80 && words <= 260, words + " words: " + text);
        }
    }

    @Test void theChatTemplateWritesWhatTheMixtureHas() throws IOException {
        var template = JinjaTemplate.compile(Files.readString(Path.of("model/chat_template.jinja")), "", "<|end|>");
        for (var conversation : SOME.subList(0, 50)) {
            assertEquals(Mixture.rendered(conversation), template.render(messages(conversation), List.of(), false).text());
            assertEquals(Mixture.rendered(conversation) + "<|assistant|>", template.render(messages(conversation), List.of(), true).text());
        }
    }

    private static List<Map<String, Object>> messages(List<Map<String, String>> conversation) { return conversation.stream().map(m -> Map.<String, Object>copyOf(m)).toList(); }

    private static List<String> answers() { return SOME.stream().flatMap(List::stream).filter(m -> m.get("role").equals("assistant")).map(m -> m.get("content")).toList(); }
}
