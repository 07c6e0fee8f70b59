package inkstone.ink;

import java.util.List;

/** What a user says of themselves and asks for later in the same conversation: a name, a colour, a pet. Immutable; any thread. */
final class Memory {
    private static final List<String> COLOURS = List.of("red", "blue", "green", "yellow", "orange", "purple", "pink", "brown", "black", "white", "grey"),
        ANIMALS = List.of("dogs", "cats", "horses", "owls", "foxes", "elephants", "rabbits", "penguins", "dolphins", "frogs", "bees", "wolves", "bears", "tigers", "ducks"),
        FOODS = List.of("pizza", "pasta", "apples", "soup", "bread", "chocolate", "cake", "rice", "cheese", "pancakes", "strawberries", "salad", "ice cream"),
        PETS = List.of("dog", "cat", "rabbit", "hamster", "parrot", "horse", "goldfish", "tortoise", "guinea pig"), PET_NAMES = List.of("Bella", "Rex", "Luna", "Max", "Coco", "Rocky", "Lucy", "Charlie", "Daisy", "Milo", "Nala", "Oscar", "Ruby", "Simba", "Toby", "Pepper", "Ginger", "Biscuit",
            "Snowy", "Shadow", "Felix", "Molly", "Sunny", "Lilly"), CITIES = List.of("London", "Berlin", "Paris", "Rome", "Madrid", "Vienna", "Oslo", "Lisbon", "Dublin", "Prague", "Athens", "Boston", "Toronto", "Sydney", "Mumbai", "Tokyo", "Cairo", "Lima"),
        HOBBIES = List.of("reading", "swimming", "painting", "cooking", "hiking", "dancing", "gardening", "football", "chess", "singing", "cycling", "photography", "knitting", "fishing", "baking"),
        JOBS = List.of("teacher", "nurse", "baker", "gardener", "student", "pilot", "cook", "writer", "carpenter", "farmer", "programmer", "musician", "doctor", "painter", "driver");

    /** Something that can be told and asked back: what users say, what Ink replies, the question later, Ink's answer, and its answer where nothing was told. */
    private record Thing(String key, List<String> values, List<String> tell, List<String> reply, List<String> ask, String answer, String unknown) {}

    private final List<Thing> things;

    Memory(Phrases phrases) {
        things = List.of(
            new Thing("my name", phrases.rule("first name"), List.of("my name is {my name}", "i'm {my name}", "i am {my name}", "call me {my name}", "hi, i'm {my name}", "hello, my name is {my name}", "you can call me {my name}", "my name is {my name}. what is yours?", "{my name} is my name"),
                List.of("nice to meet you, {my name}! I'm Ink.", "hello, {my name}! I'm Ink. What would you like to talk about?", "nice to meet you, {my name}! I'm Ink. How can I help you?"),
                List.of("what is my name?", "what's my name?", "do you remember my name?", "do you know my name?", "who am i?", "can you tell me my name?", "how am i called?", "do you still know my name?"), "your name is {my name}.", "you have not told me your name yet. What is it?"),
            new Thing("my colour", COLOURS, List.of("my favourite colour is {my colour}", "my favorite color is {my colour}", "i like {my colour} best", "i love the colour {my colour}", "{my colour} is my favourite colour"),
                List.of("{my colour} is a (beautiful|lovely|nice) colour!"), List.of("what is my favourite colour?", "what's my favorite color?", "do you remember my favourite colour?", "which colour do i like best?", "which colour do i like?"),
                "your favourite colour is {my colour}.", "you have not told me your favourite colour yet. Which one is it?"),
            new Thing("my animal", ANIMALS, List.of("my favourite animals are {my animal}", "i like {my animal} best of all animals", "i love {my animal}", "i really like {my animal}"), List.of("{my animal} are (wonderful|lovely) animals!"),
                List.of("which animals do i like?", "what is my favourite animal?", "which animal do i like best?", "do you remember which animals i like?"), "you like {my animal}.", "you have not told me which animals you like. Which ones are they?"),
            new Thing("my food", FOODS, List.of("my favourite food is {my food}", "i like {my food} best", "i love {my food}", "i could eat {my food} every day", "my favorite food is {my food}"), List.of("that sounds good! I can't eat, but I hope you get some soon."),
                List.of("what is my favourite food?", "what do i like to eat?", "do you remember my favourite food?", "which food do i like?"), "you like {my food}.", "you have not told me what you like to eat. What is it?"),
            new Thing("my city", CITIES, List.of("i live in {my city}", "i'm from {my city}", "i come from {my city}", "my home is in {my city}", "i am from {my city}"), List.of("{my city} is a nice place to hear from! What do you like about it?", "how nice! What is it like to live in {my city}?"),
                List.of("where do i live?", "where am i from?", "do you remember where i live?", "which city am i from?"), "you told me that you are from {my city}.", "you have not told me where you live."),
            new Thing("my hobby", HOBBIES, List.of("my hobby is {my hobby}", "i like {my hobby}", "i love {my hobby}", "in my free time i enjoy {my hobby}"), List.of("{my hobby} is a fine hobby! How long have you been doing it?", "that sounds like fun! What do you like about {my hobby}?"),
                List.of("what is my hobby?", "do you remember my hobby?", "what do i like to do?", "what do i do in my free time?"), "your hobby is {my hobby}.", "you have not told me about your hobbies. What do you like to do?"),
            new Thing("my job", JOBS, List.of("i am {a my job}", "i'm {a my job}", "i work as {a my job}", "my job is {a my job}"), List.of("{a my job}! That sounds interesting. Do you like it?", "how interesting! What do you like about being {a my job}?"),
                List.of("what is my job?", "what do i do for a living?", "do you remember what i do?", "what do i work as?"), "you are {a my job}.", "you have not told me what your job is."));
    }

    /** A promise that one can ask for later. */
    record Told(String key, List<String> ask, String answer) {}

    /** The user tells something of themselves. */
    Told tell(Talk talk) {
        var dice = talk.dice;
        if (dice.chance(0.2)) return pet(talk);
        Thing thing;
        do thing = dice.pick(things.subList(dice.chance(0.45) ? 0 : 1, things.size())); while (talk.names.containsKey(thing.key));
        talk.with(thing.key, dice.pick(thing.values)).user(thing.tell).ink(thing.reply);
        return new Told(thing.key, thing.ask, thing.answer);
    }

    /** The user gives a name and something else with it; either may be asked for. */
    Told introduction(Talk talk) {
        var dice = talk.dice;
        Thing name = things.getFirst(), other = dice.pick(things.subList(1, things.size()));
        talk.with(name.key, dice.pick(name.values)).with(other.key, dice.pick(other.values));
        talk.user("(|hi, |hello, )" + dice.pick(List.of("my name is {my name}", "i'm {my name}", "i am {my name}")) + " and " + dice.pick(other.tell)).ink("nice to meet you, {my name}! " + other.reply.getFirst());
        var asked = dice.chance(0.6) ? name : other;
        return new Told(asked.key, asked.ask, asked.answer);
    }

    private static Told pet(Talk talk) {
        var dice = talk.dice;
        talk.with("my pet", dice.pick(PETS)).with("my pet name", dice.pick(PET_NAMES));
        talk.user(List.of("i have {a my pet} called {my pet name}", "my {my pet} is called {my pet name}", "i have {a my pet}, and its name is {my pet name}", "i have {a my pet} named {my pet name}")).ink("how nice! {my pet name} is a good name for {a my pet}.");
        return new Told("my pet", List.of("what is the name of my {my pet}?", "what is my {my pet} called?", "do you remember the name of my {my pet}?", "what's my {my pet}'s name?", "which pet do i have?", "what pet do i have?"), "you have {a my pet} called {my pet name}.");
    }

    void recall(Talk talk, Told told) { talk.user(told.ask).ink(told.answer); }

    /** The user asks for something that was never said. */
    void unknown(Talk talk, double more) {
        var dice = talk.dice;
        var thing = dice.pick(things.stream().filter(t -> !talk.names.containsKey(t.key)).toList());
        talk.user(thing.ask).ink(thing.unknown);
        if (dice.chance(more)) {
            talk.with(thing.key, dice.pick(thing.values)).user(thing.tell).ink(thing.reply);
            if (dice.chance(more)) talk.user(thing.ask).ink(thing.answer);
        }
    }

    /** The user corrects what was said: "no, my name is Tom". */
    void correction(Talk talk, double more) {
        var dice = talk.dice;
        var thing = dice.pick(List.of(things.get(0), things.get(1)));
        String first = dice.pick(thing.values), second = dice.pick(thing.values.stream().filter(v -> !v.equals(first)).toList());
        talk.with(thing.key, first).user(thing.tell).ink(thing.reply);
        talk.with(thing.key, second);
        if (thing.key.equals("my name")) talk.user(List.of("no, my name is {my name}", "sorry, i meant {my name}", "actually, i'm {my name}", "no, call me {my name}")).ink("sorry! Then hello, {my name}.");
        else talk.user(List.of("no, my favourite colour is {my colour}", "sorry, i meant {my colour}", "actually it's {my colour}", "no, {my colour}")).ink("sorry! So your favourite colour is {my colour}.");
        talk.user(thing.ask).ink(thing.answer);
    }
}
