package inkstone.ink;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Invents short stories: a hero with a name, a home and a wish, a trouble with a cause, somebody who helps, and an end that follows from it. Immutable; any thread. */
final class StoryTeller {
    private static final List<String> FEMALE = List.of("girl", "princess", "witch", "hen", "cow"), MALE = List.of("boy", "prince", "wizard");
    private static final String OPENING = "(Once upon a time there was|Once there was|There once was) {a hero} named {name}, who lived {home}."
        + "|{Name} was {a hero}. {He} lived {home}.|{Home} there lived {a hero}. {His} name was {name}.|Long ago, {a hero} named {name} lived {home}.";

    /**
     * What can happen in a story.
     *
     * @param heroes   sorts of heroes it fits
     * @param not      kinds of heroes it does not fit all the same
     * @param uses     which of thing, place and helper it is about
     * @param choices  names and the values that belong together, one list of values for each alternative
     * @param beats    the sentences; an empty one begins a paragraph
     */
    private record Plot(List<String> heroes, List<String> not, String theme, List<String> uses, List<String> names, List<List<String>> choices, List<String> beats, String moral, String summary,
                        String next, List<Map.Entry<String, String>> questions) {}

    private final Phrases phrases;
    private final List<Plot> plots = plots(Resources.lines("stories/plots.txt"));
    private final List<Map<String, String>> heroes = Resources.table("stories/heroes.txt"), places = Resources.table("stories/places.txt"), helpers = Resources.table("stories/helpers.txt"),
        things = Resources.table("stories/things.txt");
    private final Map<String, List<String>> given = new HashMap<>();

    StoryTeller(Phrases phrases) {
        this.phrases = phrases;
        for (var row : Resources.table("stories/names.txt")) given.put(row.get("gender"), List.of(row.get("names").split(", ")));
    }

    Story tell(Dice dice) { return tell(dice.pick(heroes), dice); }

    /** The kinds of heroes, as users name them. */
    List<String> heroes() { return heroes.stream().map(h -> h.get("kind")).toList(); }

    Story tell(Map<String, String> hero, Dice dice) {
        String sort = hero.get("sort"), kind = hero.get("kind"), where = sort.equals("sea") ? "sea" : "land";
        var plot = dice.pick(plots.stream().filter(p -> p.heroes.contains(sort) && !p.not.contains(kind)).toList());
        var names = new HashMap<String, String>();
        String gender = sort.equals("thing") ? "it" : FEMALE.contains(kind) ? "she" : MALE.contains(kind) ? "he" : dice.pick("he", "she");
        pronouns(gender, "", names);
        names.put("name", dice.pick(given.get(gender)));
        names.put("kind", kind);
        names.put("adjective", phrases.expand(hero.get("adjective"), names, dice));
        names.put("hero", names.get("adjective") + " " + kind);
        names.put("a hero", English.a(names.get("hero")));
        names.put("home", phrases.expand(hero.get("home"), names, dice));
        var place = dice.pick(places.stream().filter(p -> p.get("sort").equals(where)).toList());
        names.put("place", place.get("name"));
        names.put("the place", "the " + place.get("name"));
        names.put("at", place.get("at"));
        var helper = dice.pick(helpers.stream().filter(h -> h.get("sort").equals(where) && !h.get("kind").equals(kind)).toList());
        pronouns(dice.pick("he", "she"), "2", names);
        names.put("helper kind", helper.get("kind"));
        names.put("a helper", English.a(phrases.expand(helper.get("adjective"), names, dice) + " " + helper.get("kind")));
        names.put("the helper", "the " + helper.get("kind"));
        boolean breaks = plot.beats.stream().anyMatch(b -> b.contains("{breaks}"));
        var thing = dice.pick(things.stream().filter(t -> (!breaks || !t.get("breaks").isEmpty()) && (where.equals("land") || t.get("sea").equals("yes"))).toList());
        names.put("thing kind", thing.get("name"));
        names.put("thing", phrases.expand(thing.get("colour"), names, dice) + " " + thing.get("name"));
        names.put("breaks", thing.get("breaks"));
        names.put("mend", thing.get("mend"));
        if (!plot.names.isEmpty()) {
            var values = dice.pick(plot.choices);
            for (int i = 0; i < plot.names.size(); i++) names.put(plot.names.get(i), phrases.expand(values.get(i), names, dice));
        }
        names.put("opening", phrases.expand(dice.pick(Phrases.alternatives(OPENING)), names, dice));

        var text = new StringBuilder();
        for (String beat : plot.beats) text.append(beat.isEmpty() ? "\n\n" : phrases.expand(beat, names, dice) + " ");
        var questions = new ArrayList<Map.Entry<String, String>>();
        for (var question : plot.questions) questions.add(Map.entry(phrases.expand(question.getKey(), names, dice), finish(question.getValue(), names, dice)));
        return new Story(English.sentences(text.toString()), subjects(plot, names), names, plot.moral, finish(plot.summary, names, dice), finish(plot.next, names, dice), questions);
    }

    private String finish(String template, Map<String, String> names, Dice dice) { return English.sentences(phrases.expand(template, names, dice)); }

    private static List<String> subjects(Plot plot, Map<String, String> names) {
        String hero = English.a(names.get("kind")), place = English.a(names.get("place"));
        var subjects = new ArrayList<>(List.of(hero, hero, names.get("a hero"), hero + " named " + names.get("name"), hero + " called " + names.get("name"), plot.theme,
            hero + " and " + plot.theme));
        if (plot.uses.contains("place")) subjects.addAll(List.of(hero + " and " + place, hero + " and " + place, hero + " near " + place));
        if (plot.uses.contains("helper")) subjects.addAll(List.of(hero + " and " + English.a(names.get("helper kind")), hero + " and " + English.a(names.get("helper kind")), names.get("a hero") + " and " + names.get("a helper")));
        if (plot.uses.contains("thing")) subjects.addAll(List.of(hero + " and " + English.a(names.get("thing kind")), hero + " and " + English.a(names.get("thing"))));
        return subjects;
    }

    private static void pronouns(String he, String suffix, Map<String, String> names) {
        names.put("he" + suffix, he);
        names.put("him" + suffix, switch (he) { case "he" -> "him"; case "she" -> "her"; default -> "it"; });
        names.put("his" + suffix, switch (he) { case "he" -> "his"; case "she" -> "her"; default -> "its"; });
        names.put("himself" + suffix, names.get("him" + suffix).equals("him") ? "himself" : names.get("him" + suffix) + "self");
    }

    private static List<Plot> plots(List<String> lines) {
        var plots = new ArrayList<Plot>();
        var part = new ArrayList<String>();
        for (String line : lines) {
            if (line.isBlank() || line.startsWith("#")) continue;
            if (line.startsWith("= ") && !part.isEmpty()) {
                plots.add(plot(part));
                part.clear();
            }
            part.add(line);
        }
        plots.add(plot(part));
        return plots;
    }

    private static Plot plot(List<String> lines) {
        var fields = new HashMap<String, String>(Map.of("not", ""));
        var names = new ArrayList<String>();
        var choices = new ArrayList<List<String>>();
        var beats = new ArrayList<String>();
        var questions = new ArrayList<Map.Entry<String, String>>();
        for (String line : lines) {
            if (line.startsWith("- ")) beats.add(line.substring(2));
            else if (line.equals("/")) beats.add("");
            else if (line.startsWith("let ")) {
                int equals = line.indexOf(" = ");
                names.addAll(List.of(line.substring(4, equals).split(", ")));
                for (String choice : Phrases.alternatives(line.substring(equals + 3))) {
                    var values = List.of(choice.split(" ~ "));
                    if (values.size() != names.size()) throw new IllegalArgumentException("%s: expected %d parts, found %d: %s".formatted(lines.getFirst(), names.size(), values.size(), choice));
                    choices.add(values);
                }
            } else if (line.startsWith("q: ")) {
                var parts = line.substring(3).split(" ~ ");
                questions.add(Map.entry(parts[0], parts[1]));
            } else if (!line.startsWith("= ")) {
                int colon = line.indexOf(": ");
                fields.put(line.substring(0, colon), line.substring(colon + 2).strip());
            }
        }
        return new Plot(List.of(fields.get("for").split(" ")), List.of(fields.get("not").split(" ")), fields.get("theme"), List.of(fields.get("uses").split(" ")), names, choices, beats,
            fields.get("moral"), fields.get("summary"), fields.get("next"), questions);
    }
}
