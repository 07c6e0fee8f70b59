import inkstone.diffusion.Picture;
import inkstone.diffusion.dit.DitModel;
import inkstone.diffusion.dit.DitSheet;
import inkstone.diffusion.judge.FrechetDistance;
import inkstone.diffusion.sampling.Sampler;
import inkstone.diffusion.train.CaptionClassifier;
import inkstone.diffusion.train.Captioned;
import inkstone.diffusion.train.DiffusionConfig;
import inkstone.diffusion.train.HeldOut;
import inkstone.diffusion.train.LayeredPictures;
import inkstone.diffusion.train.PartsJudge;
import inkstone.diffusion.train.PictureFolder;
import inkstone.diffusion.train.PictureSources;
import inkstone.diffusion.train.SampleGrid;
import inkstone.diffusion.train.Scene;
import inkstone.diffusion.train.SceneJudge;
import inkstone.diffusion.train.ShapeScenes;
import inkstone.tensor.Backend;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.TrainingEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Measures the embedded image model and writes its card's section "Measured" and the pictures beside it. {@code scripts/dab-card} runs it. */
final class DabCard {
    private static final Pattern SECTION = Pattern.compile("(?ms)^## Measured\n.*?(?=^## |\\z)"), BEFORE = Pattern.compile("(?m)^## Make it again");
    private static final int STEPS = 20, BATCH = 32, CLASSIFIER_STEPS = 1_500;
    private static final double GUIDANCE = 3;
    private static final List<Map<String, String>> BACKGROUNDS = List.of(Map.of("backgrounds", "cool", "accessories", "none"), Map.of("backgrounds", "warm", "accessories", "none"));

    private final DitModel model;
    private final Backend backend;
    private final HeldOut held;
    private final PictureFolder emoji;
    private final LayeredPictures nouns;
    private final ShapeScenes shapes;
    private final DitSheet sheet;

    private DabCard(DitModel model, Backend backend, HeldOut held, PictureSources sources) {
        this.model = model;
        this.backend = backend;
        this.held = held;
        emoji = source(sources, PictureFolder.class);
        nouns = source(sources, LayeredPictures.class);
        shapes = source(sources, ShapeScenes.class);
        sheet = new DitSheet(model, backend, Sampler.EULER, STEPS, GUIDANCE, BATCH);
    }

    /** The first of its kind: of folders, the emoji. */
    private static <T> T source(PictureSources sources, Class<T> kind) { return sources.sources().stream().map(PictureSources.Weighted::source).filter(kind::isInstance).map(kind::cast).findFirst().orElseThrow(); }

    public static void main(String[] arguments) throws IOException {
        Path file = Path.of(arguments[0]), folder = Path.of(arguments[1]), work = Path.of(arguments[2]);
        var config = DiffusionConfig.read(work.resolve("config.json"));
        try (var backend = new CpuBackend(); var model = DitModel.open(file, backend)) {
            var card = new DabCard(model, backend, HeldOut.read(work.resolve(config.heldOut())), PictureSources.of(config.data(), config.network(2).size(), config.heldOut(), config.validationShare(), work.toAbsolutePath(), (_, _, _) -> { }));
            var measured = card.measured(file, folder, work, config);
            var readme = folder.resolve("README.md");
            var text = Files.readString(readme);
            var old = SECTION.matcher(text);
            var replacement = Matcher.quoteReplacement(measured);
            Files.writeString(readme, old.find() ? old.replaceFirst(replacement) : BEFORE.matcher(text).replaceFirst(replacement + "$0"));
            System.out.println(readme + ": section Measured written");
        }
    }

    private String measured(Path file, Path folder, Path work, DiffusionConfig config) throws IOException {
        SampleGrid.write(sheet.paint(config.samplePrompts(), 0), folder.resolve("samples.png"));
        var prompts = held.rows().stream().map(HeldOut.Row::prompt).toList();
        SampleGrid.write(sheet.paint(prompts, 0), folder.resolve("heldout.png"));
        var text = new StringBuilder(String.format(Locale.ROOT, "## Measured\n\n%.1f million parameters, a file of %.1f MB. By `scripts/dab-card`: %s, %d steps, guidance %.0f, nothing chosen.\n\n", model.parameters() / 1e6,
            Files.size(file) / 1e6, Sampler.EULER.label(), STEPS, GUIDANCE));
        text.append("![pictures](samples.png)\n\n").append(String.join(" · ", config.samplePrompts())).append("\n\n");
        text.append("| prompts | measured by | pictures | right |\n|---|---|--:|--:|\n");
        shapes(text);
        nouns(text);
        try (var judge = classifier(work)) {
            emoji(text, judge);
            text.append("\nCombinations held out, one picture each in the order of [heldout.jsonl](heldout.jsonl):\n\n![held out](heldout.png)\n\n");
            distances(text, judge);
        }
        return text.append("\n").toString();
    }

    private static void row(StringBuilder text, String prompts, String by, int right, int all) {
        var row = String.format(Locale.ROOT, "| %s | %s | %,d | %.0f%% |\n", prompts, by, all, 100.0 * right / all);
        System.out.print(row);
        text.append(row);
    }

    // ---- shapes: exactly ---------------------------------------------------------------------------------------------------------------------------

    private void shapes(StringBuilder text) {
        var random = new SplittableRandom(77);
        var scenes = new ArrayList<Scene>();
        for (int i = 0; i < 384; i++) scenes.add(shapes.scene(random));
        verdicts(text, "shapes, combinations as in training", scenes, true);
        var unseen = new ArrayList<Scene>();
        for (int repeat = 0; repeat < 8; repeat++) for (var row : held.rows()) if (row.shape() != null) unseen.add(ShapeScenes.of(row.shape(), random));
        verdicts(text, "shapes, held out", unseen, false);
    }

    private void verdicts(StringBuilder text, String what, List<Scene> scenes, boolean each) {
        var pictures = sheet.paint(scenes.stream().map(Scene::caption).toList(), 1000);
        var verdicts = new ArrayList<SceneJudge.Verdict>();
        for (int i = 0; i < scenes.size(); i++) verdicts.add(SceneJudge.judge(pictures.get(i), scenes.get(i)));
        row(text, what, "everything: colours, forms, number, places, background", count(verdicts, SceneJudge.Verdict::all), scenes.size());
        if (!each) return;
        row(text, what, "the colours", count(verdicts, SceneJudge.Verdict::colours), scenes.size());
        row(text, what, "the forms", count(verdicts, SceneJudge.Verdict::forms), scenes.size());
        row(text, what, "the background", count(verdicts, SceneJudge.Verdict::background), scenes.size());
    }

    private static <T> int count(List<T> all, Predicate<T> right) { return (int) all.stream().filter(right).count(); }

    // ---- nouns: the nearest of all parts -----------------------------------------------------------------------------------------------------------

    private void nouns(StringBuilder text) {
        var random = new SplittableRandom(78);
        var asked = new ArrayList<Map<String, String>>();
        for (int i = 0; i < 96; i++) {
            var parts = new LinkedHashMap<String, String>();
            for (var layer : List.of("heads", "glasses", "bodies")) {
                var names = nouns.names(layer);
                parts.put(layer, names.get(random.nextInt(names.size())));
            }
            asked.add(parts);
        }
        parts(text, "characters of drawn parts", asked);
        var unseen = new ArrayList<Map<String, String>>();
        for (int repeat = 0; repeat < 4; repeat++) for (var row : held.rows()) if (row.parts() != null) {
            var parts = new LinkedHashMap<>(row.parts());
            var names = nouns.names("bodies");
            parts.put("bodies", names.get(random.nextInt(names.size())));
            unseen.add(parts);
        }
        parts(text, "characters, held out pairs of head and glasses", unseen);
    }

    private void parts(StringBuilder text, String what, List<Map<String, String>> asked) {
        var pictures = sheet.paint(asked.stream().map(parts -> "%s head, %s glasses, %s body".formatted(parts.get("heads"), parts.get("glasses"), parts.get("bodies"))).toList(), 2000);
        var judge = new PartsJudge(nouns);
        for (var layer : List.of("heads", "glasses", "bodies")) {
            int right = 0;
            for (int i = 0; i < asked.size(); i++) if (judge.nearest(pictures.get(i), layer, asked.get(i), BACKGROUNDS).equals(asked.get(i).get(layer))) right++;
            row(text, what, "%s: the nearest of %d".formatted(layer, nouns.names(layer).size()), right, asked.size());
        }
    }

    // ---- emoji: a classifier -----------------------------------------------------------------------------------------------------------------------

    private CaptionClassifier classifier(Path work) throws IOException {
        var learned = emoji.entries(true).stream().map(entry -> new Captioned(entry.picture(), entry.caption())).toList();
        var unseen = emoji.entries(false).stream().map(entry -> new Captioned(entry.picture(), entry.caption())).toList();
        return CaptionClassifier.train(work.resolve("classifier"), learned, unseen, CLASSIFIER_STEPS, backend, event -> {
            if (event instanceof TrainingEvent.Evaluation e) System.out.printf(Locale.ROOT, "classifier, step %d: loss %.3f, %.1f%% right%n", e.step(), e.loss(), 100 * e.accuracy());
        });
    }

    private void emoji(StringBuilder text, CaptionClassifier judge) {
        var unseen = emoji.entries(false).stream().filter(entry -> judge.captions().contains(entry.caption())).toList();
        int classes = judge.captions().size();
        likeliest(text, "real emoji that the classifier has not seen", unseen.stream().map(PictureFolder.Entry::picture).toList(), unseen.stream().map(PictureFolder.Entry::caption).toList(), judge, classes);
        var random = new SplittableRandom(79);
        var entries = emoji.entries(true);
        var asked = new ArrayList<PictureFolder.Entry>();
        for (int i = 0; i < 192; i++) asked.add(entries.get(random.nextInt(entries.size())));
        var pictures = sheet.paint(asked.stream().map(entry -> entry.caption() + ", " + entry.style()).toList(), 3000);
        likeliest(text, "emoji, as in training", pictures, asked.stream().map(PictureFolder.Entry::caption).toList(), judge, classes);
        List<String> prompts = new ArrayList<>(), captions = new ArrayList<>();
        for (int repeat = 0; repeat < 4; repeat++) for (var row : held.rows()) if (row.file() != null) {
            prompts.add(row.prompt());
            captions.add(entries.stream().map(PictureFolder.Entry::caption).filter(caption -> row.prompt().startsWith(caption.toLowerCase(Locale.ROOT) + ", ")).findFirst().orElseThrow());
        }
        likeliest(text, "emoji, held out pairs of name and style", sheet.paint(prompts, 4000), captions, judge, classes);
    }

    private static void likeliest(StringBuilder text, String what, List<Picture> pictures, List<String> captions, CaptionClassifier judge, int classes) {
        var found = judge.likeliest(pictures, 5);
        int first = 0, among = 0;
        for (int i = 0; i < pictures.size(); i++) {
            if (found.get(i).getFirst().equals(captions.get(i))) first++;
            if (found.get(i).contains(captions.get(i))) among++;
        }
        row(text, what, "the likeliest of %,d names".formatted(classes), first, pictures.size());
        row(text, what, "among the likeliest five", among, pictures.size());
    }

    // ---- distances ---------------------------------------------------------------------------------------------------------------------------------

    private void distances(StringBuilder text, CaptionClassifier judge) {
        var random = new SplittableRandom(80);
        var all = emoji.entries(true);
        var unseen = emoji.entries(false);
        int count = 256;
        var one = features(judge, drawn(all, count, random));
        text.append("Fréchet distance to ").append(count).append(" pictures of the training set, in the classifier's features (lower is nearer; the first rows are the floor):\n\n| pictures | distance |\n|---|--:|\n");
        distance(text, count + " others of the training set", one, features(judge, drawn(all, count, random)));
        distance(text, unseen.size() + " that nobody learned", one, features(judge, unseen));
        var asked = drawn(all, count, random);
        var prompts = asked.stream().map(entry -> entry.caption() + ", " + entry.style()).toList();
        for (var sampler : List.of(Sampler.EULER, Sampler.HEUN, Sampler.DPMPP_2M, Sampler.EULER_A)) {
            int steps = sampler == Sampler.HEUN ? STEPS / 2 : STEPS;
            distance(text, "painted by %s, %d steps".formatted(sampler.label(), steps), one, judge.features(new DitSheet(model, backend, sampler, steps, GUIDANCE, BATCH).paint(prompts, 5000)));
        }
    }

    private static List<PictureFolder.Entry> drawn(List<PictureFolder.Entry> from, int count, SplittableRandom random) {
        var entries = new ArrayList<PictureFolder.Entry>();
        for (int i = 0; i < count; i++) entries.add(from.get(random.nextInt(from.size())));
        return entries;
    }

    private static float[][] features(CaptionClassifier judge, List<PictureFolder.Entry> entries) { return judge.features(entries.stream().map(PictureFolder.Entry::picture).toList()); }

    private static void distance(StringBuilder text, String what, float[][] a, float[][] b) {
        var row = String.format(Locale.ROOT, "| %s | %.2f |\n", what, FrechetDistance.between(a, b));
        System.out.print(row);
        text.append(row);
    }
}
