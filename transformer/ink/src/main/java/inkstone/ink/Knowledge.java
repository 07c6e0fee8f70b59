package inkstone.ink;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Small facts from tables: animals, countries, things, food, the sky, the calendar, the body. An answer is the same whenever the same is asked. Immutable; any thread. */
final class Knowledge {
    private static final List<String> DAYS = List.of("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday");
    private static final List<String> AND_ANOTHER = List.of("and {a name}?", "what about {a name}?", "and what about {a name}?", "how about {a name}?");
    private static final List<String> GROUPS = List.of("mammal", "bird", "insect", "reptile", "amphibian", "fish");

    private final List<Map<String, String>> animals = table("animals"), countries = table("countries"), things = table("things"), jobs = table("jobs"), food = table("food"),
        planets = table("planets"), body = table("bodyparts"), opposites = table("opposites"), shapes = table("shapes"), colours = table("colours"), mixes = table("mixes"), months = table("months"),
        seasons = table("seasons"), lists = table("lists"), terms = table("terms"), questions = table("questions");

    Knowledge() {
        for (var animal : animals) {
            String name = animal.get("name"), kind = animal.get("kind"), sound = animal.get("sound");
            animal.put("says", sound.isEmpty() ? "." : ". It says \"" + sound + "\".");
            animal.put("group", name.equals("fish") ? "an animal that lives in water" : name.equals(kind) ? "a small animal with " + animal.get("legs") + " legs" : English.a(kind));
        }
        for (var part : body) {
            part.put("own", part.get(part.get("many").equals("one") ? "name" : "plural"));
        }
    }

    private static List<Map<String, String>> table(String name) { return Resources.table("facts/" + name + ".txt"); }

    /** What can be asked of an animal or another thing, outright and, once the talk is about it, with a pronoun; and its answer. */
    private record Aspect(String direct, String following, String answer) {}

    private static final List<Aspect> ANIMAL = List.of(
        new Aspect("(what|which) (sound|noise) does {a name} make?|how does {a name} (sound|go)?|what does {a name} say?|what sound do {plural} make?",
            "(and|) what (sound|noise) does it make?|how does it sound?|what does it say?", "{a name} {make}{says}"),
        new Aspect("where does {a name} live?|where do {plural} live?|where can i find {a name}?|where is {a name} at home?|in what place does {a name} live?",
            "(and|) where does it live?|where is it at home?|where can i find one?|where do they live?", "{a name} lives {where}."),
        new Aspect("how many legs does {a name} have?|how many legs do {plural} have?|how many legs has {a name}?", "(and|) how many legs does it have?|how many legs?|and its legs, how many?", "{a name} has {legs} legs."),
        new Aspect("what does {a name} eat?|what do {plural} eat?|what is the food of {a name}?|what do you feed {a name}?|what do {plural} like to eat?",
            "(and|) what does it eat?|what is its food?|what do they eat?|what does it like to eat?", "{a name} eats {food}."),
        new Aspect("what is (a baby|a young) {name} called?|what do you call (a baby|a young) {name}?|what is the (baby|young) of {a name} called?",
            "(and|) what is its baby called?|what is a young one called?|and its baby?|what do you call its young?", "the young of {a name} is called {a baby}."),
        new Aspect("what (colour|color) is {a name}?|which colour does {a name} have?|what (colour|color) are {plural}?", "(and|) what (colour|color) is it?|and its colour?|which colour does it have?", "{a name} is usually {colour}."),
        new Aspect("{tell me} (something|a fact) about {plural}|what do you know about {plural}?|tell me about {plural}|do you know {plural}?|tell me something about {a name}|{tell me} something interesting about {plural}",
            "tell me more about it|what else do you know?|tell me more|another fact, please|something else about it?|tell me something about it", "{a name} {fact}."),
        new Aspect("what is {a name}?|what kind of animal is {a name}?|what are {plural}?|what sort of animal is {a name}?", "what kind of animal is it?|what sort of animal is it?|(and|) what is it, exactly?", "{a name} is {group}."),
        new Aspect("what covers {a name}?|what does the skin of {a name} look like?|what is on the skin of {a name}?", "what covers it?|and its skin?|what is on its skin?", "{a name} has {cover}."));

    private static final List<Aspect> FRUIT = List.of(
        new Aspect("what (colour|color) is {a name}?|which colour does {a name} have?|what (colour|color) are {plural}?", "(and|) what (colour|color) is it?|and its colour?", "{a name} is {colour}."),
        new Aspect("how does {a name} taste?|what does {a name} taste like?|what do {plural} taste like?", "(and|) how does it taste?|what does it taste like?|is it tasty?", "{a name} tastes {taste}."),
        new Aspect("where does {a name} grow?|where do {plural} grow?|where do {plural} come from?", "(and|) where does it grow?|where do they grow?", "{a name} grows {grows}."),
        new Aspect("is {a name} a fruit or a vegetable?|what is {a name}?|what kind of food is {a name}?|what are {plural}?", "is it a fruit or a vegetable?|what is it?", "{a name} is a {kind}."));

    private static final List<Aspect> THING = List.of(
        new Aspect("what is {a name} (|used )for?|what do you use {a name} for?|what do you do with {a name}?|why do people have {plural}?|what can i do with {a name}?", "(and|) what is it for?|what do you use it for?|what do people do with it?",
            "{a name} is for {use}."),
        new Aspect("what is {a name} made of?|what are {plural} made of?|which material is {a name} made of?", "(and|) what is it made of?|what is that made of?", "{a name} is usually made of {made}."),
        new Aspect("where do you find {a name}?|where is {a name} usually?|where would i look for {a name}?|where do {plural} belong?", "(and|) where do you find it?|where is it usually?", "you usually find {a name} {place}."));

    private static final List<Aspect> COUNTRY = List.of(
        new Aspect("what is the capital of {name}?|what's the capital of {name}?|{tell me} the capital of {name}|capital of {name}?|which city is the capital of {name}?|the capital of {name}?|do you know the capital of {name}?",
            "(and|) what is its capital?|and the capital?|which city is its capital?", "the capital of {name} is {capital}."),
        new Aspect("where is {name}?|on which continent is {name}?|which continent is {name} on?|what continent is {name} in?|in which part of the world is {name}?", "(and|) where is it?|on which continent is it?|and the continent?",
            "{name} is in {continent}."));

    /** One aspect of a row, then further ones of the same row; now and then the talk turns to another row: "and a horse?". */
    private static void aspects(Talk talk, double more, List<Aspect> aspects, List<Map<String, String>> rows, List<String> andAnother) {
        var dice = talk.dice;
        var left = new ArrayList<>(aspects);
        var aspect = left.remove(dice.below(left.size()));
        var row = dice.pick(rows);
        talk.with(row).user(Phrases.alternatives(aspect.direct)).ink(aspect.answer);
        while (dice.chance(more)) {
            if (left.isEmpty() || dice.chance(0.3)) {
                var before = row;
                row = dice.pick(rows.stream().filter(r -> r != before).toList());
                talk.with(row).user(andAnother).ink(aspect.answer);
            } else {
                aspect = left.remove(dice.below(left.size()));
                talk.user(Phrases.alternatives(aspect.following)).ink(aspect.answer);
            }
        }
    }

    void animal(Talk talk, double more) {
        if (talk.dice.chance(0.12)) mammalOrNot(talk);
        else if (talk.dice.chance(0.1)) bySound(talk);
        else aspects(talk, more, ANIMAL, animals, AND_ANOTHER);
    }

    /** Yes or no: is a cow a mammal? does a bee have six legs? */
    private void mammalOrNot(Talk talk) {
        var dice = talk.dice;
        var animal = dice.pick(animals.stream().filter(a -> GROUPS.contains(a.get("kind")) && !a.get("name").equals(a.get("kind"))).toList());
        talk.with(animal);
        String guess = dice.chance(0.5) ? animal.get("kind") : dice.pick(GROUPS);
        talk.with("guess", guess).user(List.of("is {a name} {a guess}?", "tell me, is {a name} {a guess}?", "{a name} is {a guess}, isn't it?"));
        talk.ink(guess.equals(animal.get("kind")) ? "yes, {a name} is {a guess}." : "no, {a name} is {group}, not {a guess}.");
    }

    private void bySound(Talk talk) {
        var dice = talk.dice;
        var loud = animals.stream().filter(a -> List.of("cow", "horse", "pig", "dog", "cat", "duck", "owl", "lion", "hen", "rooster", "bee", "snake", "crow", "frog", "goose", "turkey", "donkey", "sheep").contains(a.get("name"))).toList();
        talk.with(dice.pick(loud)).user(List.of("which animal says {sound}?", "what animal says \"{sound}\"?", "who says {sound}?", "what says {sound}?")).ink("{a name} says \"{sound}\".");
    }

    void food(Talk talk, double more) { aspects(talk, more, FRUIT, food, AND_ANOTHER); }

    void thing(Talk talk, double more) { aspects(talk, more, THING, things, AND_ANOTHER); }

    void country(Talk talk, double more) {
        if (talk.dice.chance(0.15)) {
            talk.with(talk.dice.pick(countries)).user(List.of("{capital} is the capital of which country?", "which country has the capital {capital}?", "of which country is {capital} the capital?", "where is {capital}?", "in which country is {capital}?"))
                .ink("{capital} is the capital of {name}.");
        } else if (talk.dice.chance(0.12)) {
            var country = talk.dice.pick(countries);
            var other = talk.dice.pick(countries);
            talk.with(country).with("guess", other.get("capital")).user(List.of("is {guess} the capital of {name}?", "{guess} is the capital of {name}, right?", "isn't {guess} the capital of {name}?"));
            talk.ink(country == other ? "yes, the capital of {name} is {capital}." : "no, the capital of {name} is {capital}.");
        } else {
            aspects(talk, more, COUNTRY, countries, List.of("and {name}?", "what about {name}?", "and of {name}?", "how about {name}?"));
        }
    }

    void job(Talk talk, double more) {
        talk.with(talk.dice.pick(jobs));
        if (talk.dice.chance(0.3)) {
            talk.user(List.of("who {does}?", "what do you call somebody who {does}?", "what is the name of a person who {does}?")).ink("{a name} {does}.");
        } else {
            talk.user(List.of("what does {a name} do?", "what is {a name}?", "what is the job of {a name}?", "tell me what {a name} does", "what do {plural} do?")).ink("{a name} {does}.");
        }
        if (talk.dice.chance(more)) talk.with(talk.dice.pick(jobs)).user(AND_ANOTHER).ink("{a name} {does}.");
    }

    void planet(Talk talk, double more) {
        var dice = talk.dice;
        talk.with(dice.pick(planets));
        if (dice.chance(0.4)) talk.user(List.of("which planet is (the|) {order} from the sun?", "what is the {order} planet?", "what is the {order} planet from the sun?")).ink("{name} is the {order} planet from the sun.");
        else talk.user(List.of("what is {name}?", "tell me about {name}", "what do you know about {name}?", "is {name} a planet?", "what kind of planet is {name}?")).ink("{name} is {fact}.");
        if (dice.chance(more)) talk.user(List.of("which place is it from the sun?", "is it far from the sun?", "which number is it from the sun?", "how far from the sun is it?")).ink("{name} is the {order} planet from the sun.");
        if (dice.chance(more)) talk.with(dice.pick(planets)).user(List.of("and {name}?", "what about {name}?", "and what is {name}?")).ink("{name} is {fact}.");
    }

    void body(Talk talk, double more) {
        var dice = talk.dice;
        talk.with(dice.pick(body));
        if (dice.chance(0.55)) talk.user(List.of("what are {plural} for?", "what is {a name} for?", "what do we do with our {own}?", "why do people have {plural}?")).ink("we {use} with our {own}.");
        else talk.user(List.of("how many {plural} does (a person|a human) have?", "how many {plural} do (we|people|you|humans) have?", "how many {plural} has a person?")).ink("a person usually has {many} {own}.");
        if (dice.chance(more)) talk.with(dice.pick(body)).user(List.of("and {plural}, how many?", "and how many {plural}?", "how many {plural}?")).ink("a person usually has {many} {own}.");
    }

    void opposite(Talk talk, double more) {
        do {
            var row = new HashMap<>(talk.dice.pick(opposites));
            boolean swap = talk.dice.chance(0.5) && opposites.stream().filter(o -> o.get("other").equals(row.get("other"))).count() == 1 && opposites.stream().noneMatch(o -> o.get("one").equals(row.get("other")));
            if (swap) talk.with("one", row.get("other")).with("other", row.get("one"));
            else talk.with(row);
            if (talk.names.get("asked opposite") == null) talk.user(List.of("what is the opposite of {one}?", "what's the opposite of {one}?", "opposite of {one}?", "the opposite of {one}?", "which word is the opposite of {one}?", "tell me the opposite of {one}", "do you know the opposite of {one}?"));
            else talk.user(List.of("and of {one}?", "and {one}?", "what about {one}?", "and the opposite of {one}?"));
            talk.with("asked opposite", "yes").ink("the opposite of {one} is {other}.");
        } while (talk.dice.chance(more));
        talk.names.remove("asked opposite");
    }

    void shape(Talk talk, double more) {
        var dice = talk.dice;
        talk.with(dice.pick(shapes));
        talk.user(List.of("how many sides does {a name} have?", "how many sides has {a name}?", "what is {a name}?", "tell me about the {name}", "what does {a name} look like?", "how many corners does {a name} have?"))
            .ink("{a name} has {sides} sides and {corners} corners. It looks like {like}.");
        if (dice.chance(more)) talk.with(dice.pick(shapes)).user(AND_ANOTHER).ink("{a name} has {sides} sides and {corners} corners. It looks like {like}.");
    }

    void colour(Talk talk, double more) {
        var dice = talk.dice;
        if (dice.chance(0.4)) {
            var mix = dice.pick(mixes);
            boolean swap = dice.chance(0.5);
            talk.with("one", mix.get(swap ? "two" : "one")).with("two", mix.get(swap ? "one" : "two")).with("mix", mix.get("mix"))
                .user(List.of("what (colour|color) do {one} and {two} make?", "what do you get when you mix {one} and {two}?", "mix {one} and {two}, what do you get?", "what happens when i mix {one} with {two}?", "{one} and {two} make which colour?"))
                .ink("{one} and {two} paint make {mix}.");
        } else {
            talk.with(dice.pick(colours)).user(List.of("what things are {name}?", "name something {name}", "name three {name} things", "which things are {name}?", "tell me something that is {name}", "what is usually {name}?")).ink("{things} are {name}.");
        }
        if (dice.chance(more)) talk.with(dice.pick(colours)).user(List.of("and what is {name}?", "and what is usually {name}?", "and which things are {name}?")).ink("{things} are {name}.");
    }

    void calendar(Talk talk, double more) {
        var dice = talk.dice;
        do {
            switch (dice.below(7)) {
                case 0, 1 -> {
                    int day = dice.below(7);
                    boolean after = dice.chance(0.6);
                    talk.with("day", DAYS.get(day)).with("next", DAYS.get((day + (after ? 1 : 6)) % 7)).with("side", after ? "after" : "before")
                        .user(after ? List.of("(which|what) day comes after {day}?", "what comes after {day}?", "what day is it after {day}?", "if today is {day}, what day is tomorrow?", "today is {day}. what day is tomorrow?")
                            : List.of("(which|what) day comes before {day}?", "what comes before {day}?", "if today is {day}, what day was yesterday?", "what day is before {day}?"))
                        .ink("the day {side} {day} is {next}.");
                }
                case 2, 3 -> {
                    int month = dice.below(12);
                    boolean after = dice.chance(0.6);
                    talk.with("month", months.get(month).get("name")).with("next", months.get((month + (after ? 1 : 11)) % 12).get("name")).with("side", after ? "after" : "before")
                        .user(List.of("(which|what) month comes {side} {month}?", "what comes {side} {month}?", "what is the month {side} {month}?")).ink("the month {side} {month} is {next}.");
                }
                case 4 -> talk.with(dice.pick(months)).user(List.of("how many days does {name} have?", "how many days are in {name}?", "how long is {name}?"))
                    .ink(talk.names.get("name").equals("February") ? "{name} has 28 days, and 29 in a leap year." : "{name} has {days} days.");
                case 5 -> talk.with(dice.pick(months)).user(List.of("in which season is {name}?", "is {name} in summer or in winter?", "what season is {name} in?", "which season is {name}?")).ink("in the north {name} is in {season}.");
                default -> {
                    if (dice.chance(0.5)) talk.with(dice.pick(seasons)).user(List.of("what is {name} like?", "what happens in {name}?", "tell me about {name}", "what is the weather like in {name}?", "how is {name}?")).ink("in {name} it is {weather}, and {happens}.");
                    else talk.with(dice.pick(months)).user(List.of("which month is the {number}?", "what is the {number} month?", "what is the {number} month of the year?")).ink("the {number} month of the year is {name}.");
                }
            }
        } while (dice.chance(more * 0.7));
        if (dice.chance(0.12)) {
            switch (dice.below(3)) {
                case 0 -> talk.user(List.of("name the days of the week", "what are the days of the week?", "list the days of the week", "which days does a week have?")).ink(English.list(DAYS) + ".");
                case 1 -> talk.user(List.of("name the months", "what are the months of the year?", "list all months", "can you name the twelve months?")).ink(English.list(months.stream().map(m -> m.get("name")).toList()) + ".");
                default -> talk.user(List.of("name the seasons", "what are the four seasons?", "which seasons are there?", "list the seasons")).ink("spring, summer, autumn and winter.");
            }
        }
    }

    void list(Talk talk, double more) {
        var dice = talk.dice;
        var row = dice.pick(lists);
        var members = List.of(row.get("members").split(", "));
        int count = dice.pick(2, 3, 3, 3, 4);
        String group = row.get("group");
        var chosen = members.subList(0, count);
        talk.with("group", group).with("count", English.words(count)).with("chosen", English.list(chosen));
        talk.user(List.of("name {count} {group}", "(tell me|give me) {count} {group}", "can you name {count} {group}?", "list {count} {group}", "please name {count} {group}", "{count} {group}, please")).ink("here are {count} {group}: {chosen}.");
        if (dice.chance(more) && members.size() > count) {
            talk.with("one", members.get(count)).user(List.of("one more", "and one more?", "another one?", "can you name another one?", "one more, please")).ink("one more: {one}.");
            if (dice.chance(more) && members.size() > count + 1) talk.with("one", members.get(count + 1)).user(List.of("and another?", "one more", "and another one?")).ink("one more: {one}.");
        }
    }

    void term(Talk talk, double more) {
        var dice = talk.dice;
        talk.with(dice.pick(terms)).user(List.of("what is {term}?", "what's {term}?", "what is {term}?", "can you explain what {term} is?", "tell me what {term} is", "do you know what {term} is?", "what does it mean: {term}?", "tell me about {term}")).ink("{meaning}");
        if (dice.chance(more * 0.5)) talk.with(dice.pick(terms)).user(List.of("and what is {term}?", "and {term}?", "and what about {term}?")).ink("{meaning}");
    }

    void question(Talk talk, double more) {
        do {
            talk.with(talk.dice.pick(questions));
            talk.user(talk.names.get("question") + "?").ink(talk.names.get("answer"));
        } while (talk.dice.chance(more * 0.6));
    }

    /** A small quiz: Ink asks, the user answers, Ink says whether it is right. */
    void quiz(Talk talk, double more) {
        var dice = talk.dice;
        talk.user(List.of("let's play a quiz", "can you quiz me?", "ask me a question", "ask me something", "quiz me", "i want to play a quiz", "let's play a game", "test me", "a quiz, please", "play a quiz with me"));
        String lead = "(gladly!|all right!|let's go!) ";
        for (int round = 0; ; round++) {
            String question, answer, wrong, right;
            switch (dice.below(4)) {
                case 0 -> {
                    var row = dice.pick(countries);
                    question = "what is the capital of " + row.get("name") + "?";
                    answer = row.get("capital");
                    wrong = dice.pick(countries.stream().filter(c -> c != row).toList()).get("capital");
                    right = "the capital of " + row.get("name") + " is " + answer + ".";
                }
                case 1 -> {
                    var row = dice.pick(animals.stream().filter(a -> !a.get("legs").contains(" ")).toList());
                    question = "how many legs does " + English.a(row.get("name")) + " have?";
                    answer = row.get("legs").equals("no") ? "none" : row.get("legs");
                    wrong = dice.pick(List.of("two", "four", "six", "eight", "ten").stream().filter(w -> !w.equals(row.get("legs"))).toList());
                    right = English.a(row.get("name")) + " has " + row.get("legs") + " legs.";
                }
                case 2 -> {
                    var row = dice.pick(opposites);
                    question = "what is the opposite of " + row.get("one") + "?";
                    answer = row.get("other");
                    wrong = dice.pick(opposites.stream().filter(o -> !o.get("one").equals(row.get("one")) && !o.get("other").equals(row.get("other"))).toList()).get("other");
                    right = "the opposite of " + row.get("one") + " is " + answer + ".";
                }
                default -> {
                    int a = dice.between(1, 10), b = dice.between(1, 10);
                    question = "what is " + a + " plus " + b + "?";
                    answer = "" + (a + b);
                    wrong = "" + (a + b + dice.pick(-1, 1, 2));
                    right = a + " plus " + b + " is " + answer + ".";
                }
            }
            talk.ink((round == 0 ? lead : "") + question);
            int reply = dice.below(10);
            String next = dice.pick("would you like another one?", "one more?");
            if (reply < 5) talk.user(dice.pick("", "", "is it ", "i think it's ") + answer).ink("that's right! " + English.capital(right) + " " + next);
            else if (reply < 8) talk.user(dice.pick("", "", "is it ", "maybe ") + wrong).ink("not quite. " + English.capital(right) + " " + next);
            else talk.user(List.of("i don't know", "no idea", "tell me", "i give up")).ink("no problem. " + English.capital(right) + " " + next);
            if (round == 1 || !dice.chance(more)) {
                if (dice.chance(0.5)) talk.user(List.of("no", "no thanks", "that's enough", "no, thank you", "enough for now")).ink("all right. That was fun!");
                return;
            }
            talk.user(List.of("yes", "yes please", "sure", "another one", "ok", "go on"));
        }
    }
}
