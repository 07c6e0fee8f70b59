package inkstone.ink;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Stories, jokes and riddles, with what people say after them. Immutable; any thread. */
final class Entertainment {
    private static final List<String> ASK_ABOUT = List.of("tell me a story about {subject}", "a story about {subject}, please", "can you tell me a story about {subject}?", "please tell a story about {subject}", "write a story about {subject}", "i'd like a story about {subject}",
        "tell me a short story about {subject}", "write a short story about {subject}", "story about {subject}", "could you tell me a story about {subject}?", "make up a story about {subject}", "tell a story about {subject}", "tell me a bedtime story about {subject}");
    private static final List<String> ASK = List.of("tell me a story", "a story, please", "can you tell me a story?", "tell me a short story", "tell a story", "i want to hear a story", "do you know a story?", "please tell me a story", "story please", "write a story", "tell me a bedtime story",
        "can you tell a bedtime story?", "read me a story", "i'd like to hear a story", "tell me something nice to fall asleep");
    private final StoryTeller stories;
    private final List<Map<String, String>> jokes = Resources.table("talk/jokes.txt"), riddles = Resources.table("talk/riddles.txt");

    Entertainment(StoryTeller stories) { this.stories = stories; }

    void story(Talk talk, double more) {
        var dice = talk.dice;
        var story = stories.tell(dice);
        int form = dice.below(10);
        if (form < 2) {
            talk.user(ASK);
        } else if (form < 3 && talk.exchanges() < 3) {
            talk.with("subject", dice.pick(story.subjects()));
            talk.user(ASK).ink("(gladly!|with pleasure!) What should it be about?").user(List.of("{subject}", "about {subject}", "about {subject}, please", "{subject}, please", "maybe {subject}"));
        } else {
            talk.with("subject", dice.pick(story.subjects())).user(ASK_ABOUT);
        }
        talk.says(story.text());
        var left = new ArrayList<>(story.questions());
        boolean continued = false;
        int words = story.text().split("\\s+").length;
        while (dice.chance(more) && words < 420) {
            int what = dice.below(12);
            if (what < 3 && !continued) {
                talk.user(List.of("and then?", "what happened next?", "what happened then?", "and then what happened?", "how does it go on?", "go on", "continue", "more, please", "tell me more", "what happens next?")).says(story.next());
                continued = true;
            } else if (what < 5 && !left.isEmpty()) {
                var question = left.remove(dice.below(left.size()));
                talk.user(question.getKey() + "?").says(question.getValue());
            } else if (what < 6) {
                talk.with("name", story.names().get("name")).with("hero", story.names().get("a hero")).user(List.of("who was the story about?", "who is the hero?", "who was it about?", "what was the hero called?", "what is the name of the hero?")).ink("it was about {name}, {hero}.");
            } else if (what < 7) {
                talk.with("name", story.names().get("name")).with("home", story.names().get("home")).user(List.of("where did {name} live?", "where does {name} live?", "where was {name}'s home?")).ink("{name} lived {home}.");
            } else if (what < 8) {
                talk.with("moral", story.moral()).user(List.of("what is the moral?", "what is the moral of the story?", "what does the story teach?", "what can i learn from it?", "what do we learn from that?")).ink("I think it is this: {moral}.");
            } else if (what < 9) {
                talk.user(List.of("can you say it in one sentence?", "what was it about, in short?", "summarize it", "what was the story about?", "tell it in one sentence", "can you sum it up?")).says(story.summary());
            } else if (what < 11) {
                boolean again = dice.chance(0.4);
                talk.user(List.of("nice story", "that was nice", "thank you", "i like it", "lovely", "that was beautiful", "good story!", "great story, thanks", "i liked that")).ink("I'm glad you liked it!" + (again ? " (Would you like another one?|Shall I tell another one?)" : ""));
                if (again) {
                    if (dice.chance(0.5)) talk.user(List.of("no", "no thanks", "not now", "no, thank you", "maybe later")).ink("all right. Tell me when you would like one.");
                    else talk.user(List.of("yes", "yes please", "please", "sure", "yes, one more")).says(stories.tell(dice).text());
                    return;
                }
            } else {
                var next = stories.tell(dice);
                boolean subject = dice.chance(0.5);
                talk.with("subject", dice.pick(next.subjects())).user(subject ? List.of("another one about {subject}", "now one about {subject}", "and one about {subject}?", "now a story about {subject}, please") : List.of("another one", "another story, please", "one more story", "tell me another one", "another one please"));
                talk.says(next.text());
                return;
            }
        }
    }

    void joke(Talk talk, double more) {
        var dice = talk.dice;
        var left = dice.pick(3, jokes);
        talk.user(List.of("tell me a joke", "a joke, please", "do you know a joke?", "can you tell a joke?", "make me laugh", "joke", "tell a joke", "i want to hear a joke", "say something funny", "know any jokes?", "can you make me laugh?", "tell me something funny"));
        for (int i = 0; ; i++) {
            var joke = left.get(i);
            talk.with(joke);
            if (dice.chance(0.2)) talk.ink("{question}").user(List.of("why?", "i don't know", "what?", "no idea", "tell me", "i don't know, tell me")).ink("{answer}");
            else talk.ink("{question} {answer}");
            if (i == 2 || !dice.chance(more)) return;
            if (dice.chance(0.3)) {
                talk.user(List.of("haha", "that's funny", "lol", "good one", "very funny", "hahaha")).ink("I'm glad you laughed! Another one?");
                if (!dice.chance(more)) return;
                talk.user(List.of("yes", "yes please", "sure", "yes, one more", "ok"));
            } else if (dice.chance(0.15)) {
                talk.user(List.of("i don't get it", "that's not funny", "bad joke", "hm, not funny")).ink("jokes are hard for a small model. Shall I try another one?");
                if (!dice.chance(more)) return;
                talk.user(List.of("yes", "ok", "try again", "sure", "all right"));
            } else {
                talk.user(List.of("another one", "one more", "another joke, please", "again", "tell me another one", "more", "another joke"));
            }
        }
    }

    void riddle(Talk talk, double more) {
        var dice = talk.dice;
        var chosen = dice.pick(2, riddles);
        talk.user(List.of("tell me a riddle", "a riddle, please", "do you know a riddle?", "ask me a riddle", "riddle", "give me a riddle", "can you ask me a riddle?", "i like riddles", "let's do riddles"));
        for (int i = 0; i < 2; i++) {
            var riddle = chosen.get(i);
            talk.with(riddle).with("wrong", dice.pick(riddles.stream().filter(r -> !r.get("answer").equals(riddle.get("answer"))).toList()).get("answer"));
            talk.ink((i == 0 ? "" : "here is another one: ") + (i == 0 ? "{riddle}?" : decapitalised(riddle.get("riddle")) + "?"));
            int reply = dice.below(10);
            if (reply < 4) talk.user(List.of("{a answer}", "{a answer}?", "is it {a answer}?", "i think it is {a answer}", "{answer}")).ink("yes, {a answer}! Well done.");
            else if (reply < 6) talk.user(List.of("{a wrong}?", "is it {a wrong}?", "maybe {a wrong}", "{a wrong}")).ink("no, it is not {a wrong}. Try once more, or shall I tell you?").user(List.of("tell me", "yes, tell me", "please tell me", "what is it?", "i give up")).ink("it is {a answer}: {why}.");
            else talk.user(List.of("i don't know", "no idea", "tell me", "i give up", "what is it?", "tell me the answer", "hm, i don't know")).ink("it is {a answer}: {why}.");
            if (i == 1 || !dice.chance(more * 0.8)) return;
            talk.user(List.of("another one", "another riddle", "one more, please", "again", "one more riddle"));
        }
    }

    private static String decapitalised(String text) { return text.substring(0, 1).toLowerCase() + text.substring(1); }
}
