package inkstone.diffusion.train;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;

/**
 * Captioned scenes of coloured forms without end, "a red circle left of a blue square on white": whether a picture shows what its prompt says can be measured exactly
 * ({@link SceneJudge}).
 */
public final class ShapeScenes implements PictureSource {
    private static final long VALIDATION_SEED = 0x5CE7E;
    private static final int TEXTS = 1_500;
    private static final List<Hue> HUES = List.of(Hue.RED, Hue.ORANGE, Hue.YELLOW, Hue.GREEN, Hue.BLUE, Hue.PURPLE, Hue.PINK, Hue.BROWN, Hue.BLACK, Hue.GRAY);
    private static final String[] NUMBERS = {"zero", "one", "two", "three", "four"};
    /* Colours that are closer than this look alike at their edges; a form on such a background would not be seen. */
    private static final double APART = 130;

    /**
     * What is never drawn: a form in a colour, or two forms in their colours and relation.
     *
     * @param other    colour and form of the second; null: the first alone, wherever it stands
     * @param relation of the first to the second
     */
    public record Held(Hue hue, Form form, Scene.Relation relation, Hue otherHue, Form otherForm) {
        boolean holds(Scene scene) {
            if (relation == null) return scene.things().stream().anyMatch(thing -> thing.hue() == hue && thing.form() == form);
            if (scene.relation() != relation) return false;
            Scene.Thing first = scene.things().get(0), second = scene.things().get(1);
            return first.hue() == hue && first.form() == form && second.hue() == otherHue && second.form() == otherForm;
        }
    }

    private final int size;
    private final List<Held> held;

    public ShapeScenes(int size, List<Held> held) {
        this.size = size;
        this.held = List.copyOf(held);
    }

    @Override public String name() { return "shapes"; }
    @Override public long count() { return Long.MAX_VALUE; }

    @Override public Captioned draw(RandomGenerator random) {
        var scene = scene(random);
        return new Captioned(scene.picture(size), scene.caption());
    }

    /** A scene that is not held out. */
    public Scene scene(RandomGenerator random) {
        while (true) {
            var scene = any(random);
            if (held.stream().noneMatch(unwanted -> unwanted.holds(scene))) return scene;
        }
    }

    /** A scene as the caption of one held out asks for, its sizes and places drawn. */
    public static Scene of(Held wanted, RandomGenerator random) {
        return wanted.relation == null ? single(wanted.form, wanted.hue, false, Hue.WHITE, random)
            : pair(wanted.form, wanted.hue, wanted.relation, wanted.otherForm, wanted.otherHue, Hue.WHITE, random);
    }

    private static Scene any(RandomGenerator random) {
        Hue hue = drawn(HUES, random), background = background(random, hue);
        var form = drawn(List.of(Form.values()), random);
        double kind = random.nextDouble();
        if (kind < 0.4) return single(form, hue, random.nextInt(3) == 0, background, random);
        if (kind < 0.6) return several(form, hue, 2 + random.nextInt(3), background, random);
        Hue other;
        do other = drawn(HUES, random); while (other == background || apart(other, background) < APART);
        return pair(form, hue, drawn(List.of(Scene.Relation.values()), random), drawn(List.of(Form.values()), random), other, background, random);
    }

    private static Hue background(RandomGenerator random, Hue hue) {
        if (random.nextDouble() < 0.7) return Hue.WHITE;
        Hue background;
        do background = drawn(HUES, random); while (background == hue || apart(hue, background) < APART);
        return background;
    }

    private static double apart(Hue a, Hue b) { return Hue.distance(a.channel(0), a.channel(1), a.channel(2), b); }

    private static Scene single(Form form, Hue hue, boolean placed, Hue background, RandomGenerator random) {
        int sized = random.nextInt(3);                                       // small, large, unsaid
        double radius = placed ? uniform(random, 0.15, 0.2) : switch (sized) {
            case 0 -> uniform(random, 0.15, 0.19);
            case 1 -> uniform(random, 0.33, 0.43);
            default -> uniform(random, 0.2, 0.4);
        };
        var place = placed ? drawn(List.of(Scene.Place.values()), random) : null;
        double slack = placed ? 0.04 : Math.min(0.08, 0.48 - radius);
        var thing = new Scene.Thing(form, hue, (placed ? place.x : 0.5) + uniform(random, -slack, slack), (placed ? place.y : 0.5) + uniform(random, -slack, slack), radius);
        var size = placed || sized == 2 ? "" : sized == 0 ? "small " : "large ";
        return new Scene(List.of(thing), null, place, background, article(size + hue.word() + " " + form.word(), random) + (placed ? " " + place.words() : "") + on(background, random));
    }

    private static Scene several(Form form, Hue hue, int count, Hue background, RandomGenerator random) {
        double radius = uniform(random, 0.14, 0.17);
        var things = new ArrayList<Scene.Thing>();
        boolean upright = random.nextBoolean();
        for (int i = 0; i < count; i++) {
            double along = count == 3 && i == 2 ? 0.5 : 0.27 + 0.46 * (i % 2), across = count == 2 ? 0.5 : 0.27 + 0.46 * (i / 2);
            double x = (upright ? across : along) + uniform(random, -0.02, 0.02), y = (upright ? along : across) + uniform(random, -0.02, 0.02);
            things.add(new Scene.Thing(form, hue, x, y, radius));
        }
        var word = form == Form.CROSS ? "crosses" : form.word() + "s";
        return new Scene(things, null, null, background, NUMBERS[count] + " " + hue.word() + " " + word + on(background, random));
    }

    private static Scene pair(Form form, Hue hue, Scene.Relation relation, Form otherForm, Hue other, Hue background, RandomGenerator random) {
        boolean level = relation == Scene.Relation.LEFT || relation == Scene.Relation.RIGHT, before = relation == Scene.Relation.LEFT || relation == Scene.Relation.ABOVE;
        double along = uniform(random, 0.23, 0.28), along2 = uniform(random, 0.72, 0.77), across = uniform(random, 0.42, 0.58), across2 = across + uniform(random, -0.05, 0.05);
        double first = before ? along : along2, second = before ? along2 : along;
        var things = List.of(new Scene.Thing(form, hue, level ? first : across, level ? across : first, uniform(random, 0.15, 0.18)),
            new Scene.Thing(otherForm, other, level ? second : across2, level ? across2 : second, uniform(random, 0.15, 0.18)));
        return new Scene(things, relation, null, background, article(hue.word() + " " + form.word(), random) + " " + relation.words + " "
            + article(other.word() + " " + otherForm.word(), random) + on(background, random));
    }

    private static String article(String words, RandomGenerator random) { return random.nextInt(4) == 0 ? words : (words.startsWith("orange") ? "an " : "a ") + words; }

    private static String on(Hue background, RandomGenerator random) { return background != Hue.WHITE || random.nextInt(3) == 0 ? " on " + background.word() : ""; }

    private static double uniform(RandomGenerator random, double from, double to) { return from + (to - from) * random.nextDouble(); }

    private static <T> T drawn(List<T> from, RandomGenerator random) { return from.get(random.nextInt(from.size())); }

    @Override public List<Captioned> validation(int count) {
        var random = new SplittableRandom(VALIDATION_SEED);
        return Stream.generate(() -> draw(random)).limit(count).toList();
    }

    @Override public Stream<String> texts() {
        var random = new SplittableRandom(VALIDATION_SEED + 1);
        return Stream.generate(() -> scene(random).caption()).limit(TEXTS);
    }
}
