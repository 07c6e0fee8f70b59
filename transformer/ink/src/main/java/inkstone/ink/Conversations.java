package inkstone.ink;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Composes conversations with Ink: half of them one exchange, the others two to six that keep to a topic, turn to another, or come back to what was said. Immutable; any thread. */
final class Conversations {
    private static final int LONGEST = 450;                       // words, so that a conversation fits into 1,024 tokens
    private static final List<String> SYSTEM = List.of("You are Ink, a very small language model inside Inkstone.", "You are Ink, a small and friendly assistant.", "You are a helpful assistant.", "You are a helpful assistant.", "Be kind and brief.",
        "You are Ink. Answer in one to three sentences.", "You are a friendly chat partner. Answer briefly.", "Answer truthfully, and say so when you do not know.");

    /** A topic, how often it is chosen, and whether it may only begin a conversation. */
    private record Choice(String name, int weight, boolean opener, Topic topic) {}

    private final Phrases phrases = new Phrases(Resources.lines("talk/phrases.txt"));
    private final StoryTeller stories = new StoryTeller(phrases);
    private final Memory memory = new Memory(phrases);
    private final List<Exchange> greetings = Exchange.read(Resources.lines("talk/greetings.txt"));
    private final List<Choice> choices = choices();

    private List<Choice> choices() {
        var knowledge = new Knowledge();
        var words = new Words();
        var fun = new Entertainment(stories);
        return List.of(new Choice("greetings", 70, true, file(greetings)), new Choice("identity", 150, false, file("identity")), new Choice("app", 120, false, file("app")), new Choice("feelings", 70, false, file("feelings")),
            new Choice("beyond", 70, false, file("beyond")), new Choice("unclear", 22, true, file("unclear")), new Choice("animals", 85, false, knowledge::animal), new Choice("food", 22, false, knowledge::food),
            new Choice("things", 40, false, knowledge::thing), new Choice("countries", 55, false, knowledge::country), new Choice("jobs", 16, false, knowledge::job), new Choice("planets", 12, false, knowledge::planet),
            new Choice("body", 10, false, knowledge::body), new Choice("opposites", 25, false, knowledge::opposite), new Choice("shapes", 7, false, knowledge::shape), new Choice("colours", 14, false, knowledge::colour),
            new Choice("calendar", 30, false, knowledge::calendar), new Choice("lists", 18, false, knowledge::list), new Choice("terms", 60, false, knowledge::term), new Choice("questions", 60, false, knowledge::question),
            new Choice("quiz", 14, false, knowledge::quiz), new Choice("sums", 75, false, Numbers::sum), new Choice("word problems", 14, false, Numbers::wordProblem), new Choice("counting", 30, false, Numbers::counting),
            new Choice("comparing", 12, false, Numbers::compare), new Choice("spelling", 30, false, words::spelling), new Choice("alphabet", 10, false, words::alphabet), new Choice("rhymes", 22, false, words::rhyme),
            new Choice("poems", 20, false, words::poem), new Choice("stories", 140, false, fun::story), new Choice("jokes", 26, false, fun::joke), new Choice("riddles", 16, false, fun::riddle),
            new Choice("never told", 12, false, memory::unknown), new Choice("corrections", 10, true, memory::correction));
    }

    private static Topic file(String name) { return file(Exchange.read(Resources.lines("talk/" + name + ".txt"))); }

    private static Topic file(List<Exchange> exchanges) {
        var weighted = new ArrayList<Exchange>();
        for (var exchange : exchanges) for (int i = 0; i < exchange.weight(); i++) weighted.add(exchange);
        return (talk, more) -> talk.exchange(talk.dice.pick(weighted), more);
    }

    StoryTeller stories() { return stories; }

    /** @return the messages, each with role and content */
    List<Map<String, String>> conversation(long seed) {
        var dice = new Dice(seed);
        var talk = new Talk(phrases, dice);
        if (dice.chance(0.1)) talk.system(dice.pick(SYSTEM));
        if (dice.chance(0.48)) {
            choose(dice, true, null).topic.talk(talk, 0);
            return talk.messages();
        }
        int wanted = dice.pick(2, 2, 3, 3, 4, 4, 5, 6);
        Memory.Told told = null;
        if (dice.chance(0.2)) told = memory.tell(talk);
        else if (dice.chance(0.08)) told = memory.introduction(talk);
        else if (dice.chance(0.15)) talk.exchange(greetings.getFirst(), 0);
        Choice last = null;
        while (talk.exchanges() < wanted && talk.words() < LONGEST) {
            var choice = last != null && dice.chance(0.3) ? last : choose(dice, talk.exchanges() == 0, told);
            choice.topic.talk(talk, talk.exchanges() + 1 < wanted ? 0.6 : 0);
            last = choice.opener ? null : choice;
        }
        if (told != null && dice.chance(0.8)) memory.recall(talk, told);
        else if (dice.chance(0.15)) talk.exchange(named("thanks"), 0);
        if (dice.chance(0.1)) talk.exchange(named(dice.chance(0.75) ? "farewell" : "goodnight"), 0);
        return talk.messages();
    }

    private Exchange named(String name) { return greetings.stream().filter(e -> e.name().equals(name)).findFirst().orElseThrow(); }

    private Choice choose(Dice dice, boolean first, Memory.Told told) {
        while (true) {
            int at = dice.below(choices.stream().mapToInt(Choice::weight).sum());
            for (var choice : choices) {
                at -= choice.weight;
                if (at >= 0) continue;
                /* What was told stands; the topics that tell again or say that nothing was told would contradict it. */
                if (choice.opener && !first || told != null && (choice.name.equals("never told") || choice.name.equals("corrections"))) break;
                return choice;
            }
        }
    }
}
