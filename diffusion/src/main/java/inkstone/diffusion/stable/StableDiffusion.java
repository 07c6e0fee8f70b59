package inkstone.diffusion.stable;

import inkstone.diffusion.ImageModelInfo;
import inkstone.diffusion.ImagePipeline;
import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.Painter;
import inkstone.diffusion.checkpoint.Companions;
import inkstone.diffusion.checkpoint.Distillation;
import inkstone.diffusion.checkpoint.Family;
import inkstone.diffusion.checkpoint.ImageCheckpoint;
import inkstone.diffusion.checkpoint.ImageLoras;
import inkstone.diffusion.checkpoint.NetworkFile;
import inkstone.diffusion.prompt.Prompt;
import inkstone.diffusion.sampling.NoiseGenerator;
import inkstone.diffusion.sampling.Parameterization;
import inkstone.diffusion.sampling.Sampler;
import inkstone.diffusion.sampling.Schedule;
import inkstone.diffusion.text.ClipTokenizer;
import inkstone.diffusion.vae.Autoencoder;
import inkstone.diffusion.vae.TinyDecoder;
import inkstone.tensor.Backend;
import inkstone.tensor.CountingBackend;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.MachineMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Stable Diffusion 1, 2 and XL, with their inpainting, turbo and latent consistency models, from files as the world has them. LoRAs are given when the model is opened, or named in a prompt
 * ({@code <lora:name:0.8>}) and found in {@code loras}, a folder beside the model's file. Opening checks all there is to check and reads no weights: those are loaded for the first picture.
 */
public final class StableDiffusion implements ImagePipeline {
    private static final int SMALLEST = 64, LARGEST = 2048;
    private static final String LORA_FOLDER = "loras";

    private final ImageCheckpoint checkpoint;
    private final Path path;
    private final List<ImageLoras.Source> always;
    private final Backend backend;
    private final CheckpointWeights unetWeights, autoencoderWeights;
    private final List<CheckpointWeights> textWeights = new ArrayList<>();
    /** Closes what previews need. */
    private final List<Runnable> owned = new ArrayList<>();
    private final ClipTokenizer tokenizer = new ClipTokenizer();
    private final PaintingMemory memory;
    private final ImageModelInfo info;
    private final Path tinyPath;
    private final List<String> unused;
    private Networks networks;
    private Autoencoder autoencoder;
    private TinyDecoder tiny;

    private StableDiffusion(Path path, ImageCheckpoint checkpoint, List<ImageLoras.Source> loras, List<String> unused, Path tinyPath, Backend backend) {
        this.path = path;
        this.unused = unused;
        this.tinyPath = tinyPath;
        this.checkpoint = checkpoint;
        this.always = List.copyOf(loras);
        this.backend = backend;
        unetWeights = new CheckpointWeights(checkpoint.unet().checkpoint(), backend);
        autoencoderWeights = new CheckpointWeights(checkpoint.autoencoder().checkpoint(), backend);
        checkpoint.texts().stream().limit(checkpoint.textConfigs().size()).forEach(text -> textWeights.add(new CheckpointWeights(text.checkpoint(), backend)));
        memory = new PaintingMemory(checkpoint);
        info = describe();
    }

    /** @param loras for every request */
    public static StableDiffusion open(Path path, Companions companions, List<ImageLoras.Source> loras, Backend backend) throws IOException {
        var checkpoint = ImageCheckpoint.open(path, companions);
        try {
            if (companions.tinyDecoder() != null) requireTiny(companions.tinyDecoder(), checkpoint);
            return new StableDiffusion(path, checkpoint, loras, ImageLoras.open(loras, checkpoint).unused(), companions.tinyDecoder(), backend);
        } catch (IOException | RuntimeException e) {
            checkpoint.close();
            throw e;
        }
    }

    private static void requireTiny(Path path, ImageCheckpoint model) throws IOException {
        try (var file = NetworkFile.open(path); var weights = CheckpointWeights.unread(file.checkpoint(), new CountingBackend(false))) {
            weights.build(w -> TinyDecoder.of(w, model.autoencoderConfig().latentChannels()));
        }
    }

    private void load(List<ImageLoras.Source> sources) throws IOException {
        if (networks == null || !sources.equals(networks.sources())) {
            var next = with(sources);
            if (networks != null) networks.close();
            networks = next;
        }
        if (autoencoder == null) autoencoder = Autoencoder.of(checkpoint.autoencoderConfig(), autoencoderWeights);
        if (tiny == null && tinyPath != null) tiny = tiny(tinyPath);
    }

    private TinyDecoder tiny(Path path) throws IOException {
        var file = NetworkFile.open(path);
        var weights = new CheckpointWeights(file.checkpoint(), backend);
        owned.add(weights::close);
        owned.add(file::close);
        return weights.build(w -> TinyDecoder.of(w, checkpoint.autoencoderConfig().latentChannels()));
    }

    private Networks with(List<ImageLoras.Source> sources) throws IOException {
        return Networks.of(checkpoint, sources, ImageLoras.open(sources, checkpoint), unetWeights, textWeights, backend);
    }

    /** What was found in the file, in one line. */
    public String summary() {
        return unused.isEmpty() ? checkpoint.summary() : "%s; of the LoRAs %d parts fit nothing, such as %s".formatted(checkpoint.summary(), unused.size(), unused.getFirst());
    }

    // ---- what it is ----------------------------------------------------------------------------------------------------------------------------------

    private ImageModelInfo describe() {
        var family = checkpoint.family();
        var distillation = checkpoint.distillation();
        boolean large = family == Family.STABLE_DIFFUSION_XL;
        int size = large && distillation != Distillation.TURBO ? 1024 : family == Family.STABLE_DIFFUSION_2 && checkpoint.prediction() == Parameterization.VELOCITY ? 768 : 512;
        boolean embedded = checkpoint.unetConfig().guidance() > 0;
        var sampler = switch (distillation) {
            case NONE -> Sampler.DPMPP_2M;
            case TURBO -> Sampler.EULER_A;
            case LCM -> Sampler.LCM;
        };
        var schedule = switch (distillation) {
            case NONE -> Schedule.KARRAS;
            case TURBO -> Schedule.TRAILING;
            case LCM -> Schedule.LCM;
        };
        int steps = distillation == Distillation.NONE ? large ? 30 : 20 : 4;
        float guidance = distillation == Distillation.NONE ? 7 : embedded ? 8 : 1;
        var samplers = ids(Arrays.stream(Sampler.values()).map(Sampler::id).toList(), sampler.id());
        var schedules = ids(Arrays.stream(Schedule.values()).map(Schedule::id).toList(), schedule.id());
        var noises = ids(Arrays.stream(NoiseGenerator.values()).map(NoiseGenerator::id).toList(), NoiseGenerator.CPU.id());
        var defaults = new ImageRequest("", "", size, size, steps, guidance, 0, sampler.id(), schedule.id(), -1, NoiseGenerator.CPU.id(), 0, 1, null, null, 0.75f);
        var name = family.label() + (checkpoint.inpaints() ? " inpainting" : "") + switch (distillation) {
            case NONE -> "";
            case TURBO -> " turbo";
            case LCM -> " LCM";
        };
        return new ImageModelInfo(checkpoint.name(), name, checkpoint.parameters(), false, checkpoint.autoencoderConfig().factor() * checkpoint.unetConfig().multiple(), SMALLEST, LARGEST, defaults,
            samplers, schedules, noises);
    }

    private static List<String> ids(List<String> all, String first) {
        var ids = new ArrayList<>(all);
        ids.remove(first);
        ids.addFirst(first);
        return List.copyOf(ids);
    }

    @Override public ImageModelInfo info() { return info; }

    @Override public void check(ImageRequest request) {
        var checked = Painter.check(request, info);
        lorasOf(checked);
        int factor = checkpoint.autoencoderConfig().factor(), width = checked.width() / factor, height = checked.height() / factor;
        long need = Math.max(memory.evaluation(width, height, isGuided(checked) ? 2 : 1), memory.decoding(width, height, StablePainting.TILES));
        if (checked.from() != null) need = Math.max(need, memory.encoding(checked.width(), checked.height()));
        if (networks == null) need += checkpoint.turnedBytes();
        long free = MachineMemory.available(backend);
        if (need > free) {
            throw new IllegalArgumentException("%d x %d pixels take %.1f GB of memory beside the model's file, %.1f GB are free; paint a smaller picture"
                .formatted(checked.width(), checked.height(), need / 1e9, free / 1e9));
        }
    }

    private boolean isGuided(ImageRequest request) { return request.guidance() != 1 && checkpoint.unetConfig().guidance() == 0; }

    /** The LoRAs of a request: those of every request, and those that its prompts name. */
    private List<ImageLoras.Source> lorasOf(ImageRequest request) {
        var sources = new ArrayList<>(always);
        for (var text : List.of(request.prompt(), request.negative())) {
            for (var lora : Prompt.parse(text).loras()) sources.add(new ImageLoras.Source(lora(lora.name()), (float) lora.weight(), (float) lora.textWeight()));
        }
        return sources;
    }

    private Path lora(String name) {
        var folder = path.resolveSibling(LORA_FOLDER);
        var file = folder.resolve(name + ".safetensors");
        if (!name.matches("[^/\\\\]+") || !Files.exists(file)) throw new IllegalArgumentException("<lora:%s>: there is no %s.safetensors in %s".formatted(name, name, folder));
        return file;
    }

    // ---- painting ------------------------------------------------------------------------------------------------------------------------------------

    @Override public List<Painted> paint(ImageRequest request, Watcher watcher) {
        check(request);
        var checked = Painter.check(request, info);
        try {
            load(lorasOf(checked));
        } catch (IOException e) {
            throw new ModelException("%s: %s".formatted(path, e.getMessage()), e);
        }
        var reader = new TextReader(checkpoint.family(), networks.texts(), tokenizer, backend);
        var prompt = Prompt.parse(checked.prompt());
        boolean guided = isGuided(checked);
        var read = reader.read(guided ? List.of(prompt, Prompt.parse(checked.negative())) : List.of(prompt));
        boolean nothing = checkpoint.family() == Family.STABLE_DIFFUSION_XL && checked.negative().isBlank();
        var unconditional = guided ? nothing ? read.getFirst().zeros() : read.getLast() : null;
        try (var painting = new StablePainting(checkpoint, networks.unet(), autoencoder, tiny, read.getFirst(), unconditional, checked, backend)) {
            return Painter.paint(checked, painting, watcher);
        }
    }

    @Override public void close() {
        if (networks != null) networks.close();
        unetWeights.close();
        autoencoderWeights.close();
        textWeights.forEach(CheckpointWeights::close);
        owned.forEach(Runnable::run);
        checkpoint.close();
    }
}
