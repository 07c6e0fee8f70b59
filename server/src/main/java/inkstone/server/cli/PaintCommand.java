package inkstone.server.cli;

import inkstone.diffusion.ImageModelInfo;
import inkstone.diffusion.ImagePipeline;
import inkstone.diffusion.ImagePipeline.Watcher;
import inkstone.diffusion.Picture;
import inkstone.diffusion.checkpoint.Companions;
import inkstone.diffusion.checkpoint.ImageLoras;
import inkstone.diffusion.picture.PictureFile;
import inkstone.diffusion.picture.Png;
import inkstone.server.images.Filmstrip;
import inkstone.server.images.PaintOrder;
import inkstone.transformer.adapters.AdapterFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "paint", description = "Paints pictures from a prompt. Ctrl-C ends after the step that is under way; finished pictures stay.", mixinStandardHelpOptions = true, usageHelpAutoWidth = true)
final class PaintCommand implements Callable<Integer> {
    private static final Pattern SIZE = Pattern.compile("([0-9]{1,5})x([0-9]{1,5})");

    @Spec private CommandSpec command;

    @Parameters(paramLabel = "PROMPT", description = "What to see, in one argument; (words:1.3) weigh more.") private String prompt;
    @Option(names = {"-o", "--output"}, paramLabel = "FILE", required = true, description = "A .png file; of several pictures FILE-1.png, FILE-2.png and so on. It carries what made it.") private Path output;
    @Option(names = {"-m", "--model"}, paramLabel = "MODEL", description = "A .safetensors or .gguf file, or a folder as diffusers writes it. Default: the model that comes with the program.") private Path model;
    @Option(names = "--vae", paramLabel = "FILE", description = "An autoencoder in place of the model's own.") private Path autoencoder;
    @Option(names = "--text-encoder", paramLabel = "FILE", description = "A text encoder that the model's file lacks; several with several --text-encoder.") private List<Path> textEncoders = List.of();
    @Option(names = "--taesd", paramLabel = "FILE", description = "A tiny decoder of the model's latents, for the film strip. Default: colours that are reckoned from the latents.") private Path tinyDecoder;
    @Option(names = "--lora", paramLabel = "FILE[:WEIGHT]", description = "A LoRA of the model; several with several --lora. WEIGHT says how much of it: 1 is all.") private List<String> loras = List.of();
    @Option(names = "--negative", paramLabel = "TEXT", description = "What not to see.") private String negative;
    @Option(names = "--size", paramLabel = "WxH", description = "Width and height in pixels. Default: the model's.") private String size;
    @Option(names = "--steps", paramLabel = "N", description = "Default: the model's.") private Integer steps;
    @Option(names = "--guidance", paramLabel = "G", description = "How far to follow the prompt; 1: the model as it is. Default: the model's.") private Float guidance;
    @Option(names = "--rescale", paramLabel = "R", description = "Share by which strong guidance is drawn back to the prompt's own contrast. Default: the model's.") private Float rescale;
    @Option(names = "--sampler", paramLabel = "NAME", description = "Default: the model's.") private String sampler;
    @Option(names = "--schedule", paramLabel = "NAME", description = "Of the noise. Default: the model's.") private String schedule;
    @Option(names = "--eta", paramLabel = "E", description = "Share of new noise in each step, where the sampler has a choice. Default: the sampler's.") private Float eta;
    @Option(names = "--noise", paramLabel = "NAME", description = "Generator of noise. Default: the model's.") private String noise;
    @Option(names = "--seed", paramLabel = "N", description = "Of the first picture; each further one has the next. Default: a new one each time.") private Long seed;
    @Option(names = "--count", paramLabel = "N", defaultValue = "1", description = "Pictures. Default: ${DEFAULT-VALUE}.") private int count;
    @Option(names = "--from", paramLabel = "FILE", description = "A picture to begin with.") private Path from;
    @Option(names = "--mask", paramLabel = "FILE", description = "A picture of the same size, white where --from may change.") private Path mask;
    @Option(names = "--strength", paramLabel = "S", description = "How much of --from may change, above 0 to 1. Default: the model's.") private Float strength;
    @Option(names = "--strip", paramLabel = "FILE", description = "Also write a film strip: a column for each step, above what the network expects, below what it sees.") private Path strip;
    @Mixin private DeviceOptions devices;

    @Override public Integer call() throws IOException {
        devices.check(command);
        check();
        var models = new PaintModels(new Companions(autoencoder, textEncoders, tinyDecoder), loras.stream().map(AdapterFile::of).map(lora -> new ImageLoras.Source(lora.path(), lora.weight(), lora.weight())).toList(),
            () -> devices.open(command));
        var sources = models.sources(model == null ? List.of() : List.of(model));
        if (sources.isEmpty()) throw wrong("no image model, and this build comes with none: give one with -m MODEL, a .safetensors or .gguf file or a folder");
        var source = sources.getFirst();
        var cells = cells(source.info());   // before seconds are spent on opening
        try (var pipeline = source.opening().open()) {
            return paint(pipeline, cells);
        }
    }

    /** What can be wrong without a model. */
    void check() throws IOException {
        if (mask != null && from == null) throw wrong("--mask belongs to --from: give the picture that it is of");
        if (strength != null && from == null) throw wrong("--strength belongs to --from");
        for (var file : new Path[] {output, strip}) {
            if (file == null) continue;
            if (!file.toString().toLowerCase(Locale.ROOT).endsWith(".png")) throw wrong("%s: pictures are written as PNG; give a name that ends with .png".formatted(file));
            Inkstone.requireFolder(file);
        }
        for (var file : new Path[] {from, mask}) if (file != null && !Files.isRegularFile(file)) throw wrong("%s does not exist; give a picture".formatted(file));
    }

    List<PaintOrder.Cell> cells(ImageModelInfo info) {
        var sides = size == null ? null : SIZE.matcher(size);
        if (sides != null && !sides.matches()) throw wrong("--size must be width and height such as 512x512, got " + size);
        var order = new PaintOrder(null, prompt, negative, sides == null ? null : Integer.valueOf(sides.group(1)), sides == null ? null : Integer.valueOf(sides.group(2)), steps, guidance, rescale, sampler,
            schedule, eta, noise, seed, count, from == null ? null : from.toString(), mask == null ? null : mask.toString(), strength, null);
        try {
            return order.cells(info, PaintCommand::read, ThreadLocalRandom.current().nextLong(PaintOrder.RANDOM_SEEDS));
        } catch (IllegalArgumentException problem) {
            throw wrong(problem.getMessage());
        }
    }

    private static Picture read(String file) {
        try {
            return PictureFile.read(Files.readAllBytes(Path.of(file))).picture();
        } catch (IllegalArgumentException damaged) {
            throw new IllegalArgumentException("%s: %s".formatted(file, damaged.getMessage()), damaged);
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
    }

    /** Picture by picture, each written when it is finished. */
    int paint(ImagePipeline pipeline, List<PaintOrder.Cell> cells) throws IOException {
        var out = command.commandLine().getOut();
        var watching = new Watching(cells.size(), new ProgressBar(command.commandLine().getErr()));
        new Interrupts().answering(() -> watching.cancelled = true);
        try (var bar = watching.bar) {
            for (int k = 0; k < cells.size(); k++) {
                watching.begin(k);
                long start = System.nanoTime();
                var request = cells.get(k).request();
                var painted = pipeline.paint(request, watching).getFirst();
                var text = inkstone.diffusion.picture.Parameters.of(request, painted.seed(), pipeline.info().name()).text();
                var file = numbered(output, k, cells.size());
                Files.write(file, Png.write(painted.picture(), Map.of(inkstone.diffusion.picture.Parameters.KEYWORD, text)));
                if (strip != null) Files.write(numbered(strip, k, cells.size()), Png.write(watching.film.whole(), Map.of()));
                bar.close();
                out.printf(Locale.ROOT, "%s  %d x %d, seed %d, %d steps in %.1f s%n", file, painted.picture().width(), painted.picture().height(), painted.seed(), watching.taken, (System.nanoTime() - start) / 1e9);
                out.flush();
            }
            return 0;
        } catch (CancellationException asked) {
            return Interrupts.EXIT_CODE;
        }
    }

    /** apple.png, or of several apple-1.png and so on. */
    private static Path numbered(Path file, int k, int count) {
        if (count == 1) return file;
        var name = file.getFileName().toString();
        return file.resolveSibling("%s-%d%s".formatted(name.substring(0, name.length() - 4), k + 1, name.substring(name.length() - 4)));
    }

    private ParameterException wrong(String message) { return new ParameterException(command.commandLine(), message); }

    /** Shows how far it is, and keeps the frames of the picture being painted. */
    private final class Watching implements Watcher {
        private final int count;
        private final ProgressBar bar;
        private volatile boolean cancelled;
        private Filmstrip film = new Filmstrip();
        private int picture, taken;

        Watching(int count, ProgressBar bar) {
            this.count = count;
            this.bar = bar;
        }

        void begin(int newPicture) {
            picture = newPicture;
            film = new Filmstrip();
        }

        @Override public void evaluating() { if (cancelled) throw new CancellationException(); }

        @Override public void step(ImagePipeline.Step step) {
            evaluating();
            if (step.step() == 0) return;
            taken = step.step();
            if (strip != null) film.add(Filmstrip.Frame.of(step));   // a frame may cost a decoder
            bar.showOften((long) picture * step.steps() + step.step(), (long) count * step.steps(), "steps");
        }
    }
}
