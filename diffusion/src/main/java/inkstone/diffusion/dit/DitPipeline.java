package inkstone.diffusion.dit;

import inkstone.diffusion.ImageModelInfo;
import inkstone.diffusion.ImagePipeline;
import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.Painter;
import inkstone.diffusion.Picture;
import inkstone.diffusion.picture.Resize;
import inkstone.diffusion.sampling.Denoiser;
import inkstone.diffusion.sampling.Guidance;
import inkstone.diffusion.sampling.NoiseGenerator;
import inkstone.diffusion.sampling.NoiseModel;
import inkstone.diffusion.sampling.NoiseSource;
import inkstone.diffusion.sampling.Objective;
import inkstone.diffusion.sampling.Sampler;
import inkstone.diffusion.sampling.Schedule;
import inkstone.tensor.Backend;
import inkstone.tensor.checkpoint.Gguf;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Pictures from prompts by a {@link DitModel}, which paints them small; they are enlarged to be looked at. For the thread of the backend. */
public final class DitPipeline implements ImagePipeline {
    /** Pixels along a side of what a model's pixel becomes. */
    private static final int ENLARGED = 8;
    private static final int STEPS = 20;
    private static final float GUIDANCE = 3;

    private final DitModel model;
    private final Backend backend;
    private final ImageModelInfo info;

    private DitPipeline(DitModel model, Backend backend, boolean embedded) {
        this.model = model;
        this.backend = backend;
        info = info(model.name(), model.parameters(), model.dit().config(), model.objective(), embedded);
    }

    /** @param embedded whether the file came with the program */
    public static DitPipeline open(Path path, Backend backend, boolean embedded) throws IOException { return new DitPipeline(DitModel.open(path, backend), backend, embedded); }

    /** Whether a file holds such a model. */
    public static boolean recognises(Gguf file) { return DitConfig.ARCHITECTURE.equals(file.metadata().string("general.architecture", "")); }

    /** What a file's model is, without opening its weights. */
    public static ImageModelInfo info(Path path, boolean embedded) throws IOException {
        try (var file = Gguf.open(path)) {
            return info(DitModel.name(file), DitModel.parameters(file), DitConfig.read(file.metadata()), DitModel.objective(file), embedded);
        }
    }

    private static ImageModelInfo info(String name, long parameters, DitConfig config, Objective objective, boolean embedded) {
        int side = config.size() * ENLARGED;
        var samplers = Arrays.stream(Sampler.values()).map(Sampler::id).toList();
        var schedules = new ArrayList<>(List.of(objective.schedule().id()));
        for (var schedule : Schedule.values()) {
            boolean known = schedule != Schedule.AYS && schedule != Schedule.LCM && schedule != Schedule.DDIM;
            if (known && schedule != objective.schedule()) schedules.add(schedule.id());
        }
        var noises = Arrays.stream(NoiseGenerator.values()).map(NoiseGenerator::id).toList();
        var defaults = new ImageRequest("", "", side, side, STEPS, GUIDANCE, 0, samplers.getFirst(), schedules.getFirst(), -1, noises.getFirst(), 0, 1, null, null, 0.7f);
        return new ImageModelInfo(name, "Inkstone DiT", parameters, embedded, side, side, side, defaults, samplers, schedules, noises);
    }

    @Override public ImageModelInfo info() { return info; }

    @Override public void check(ImageRequest request) { Painter.check(request, info); }

    @Override public List<Painted> paint(ImageRequest request, Watcher watcher) {
        var checked = Painter.check(request, info);
        try (var canvas = new DitCanvas(checked)) {
            return Painter.paint(checked, canvas, watcher);
        }
    }

    private final class DitCanvas implements Painter.Canvas, AutoCloseable {
        private final GuidedDit guided;

        DitCanvas(ImageRequest request) {
            guided = new GuidedDit(model.dit(), model.objective(), List.of(model.tokens(request.prompt())), List.of(model.tokens(request.negative())),
                new Guidance(request.guidance(), request.rescale()), backend);
        }

        @Override public NoiseModel noise() { return model.objective().noise(); }
        @Override public int cell() { return ENLARGED; }
        @Override public int channels() { return model.dit().config().channels(); }
        /* Pixels end at black and white: guidance that leads beyond them burns colours. */
        @Override public Denoiser denoiser() { return guided.clipped(); }
        @Override public float[] encode(Picture picture, NoiseSource noise) { return Resize.to(picture, picture.width() / ENLARGED, picture.height() / ENLARGED).toFloats(); }
        @Override public Picture decode(float[] pixels, int width, int height) { return Resize.to(preview(pixels, width, height), width * ENLARGED, height * ENLARGED); }
        @Override public Picture preview(float[] pixels, int width, int height) { return Picture.of(width, height, channels(), pixels); }
        @Override public void close() { guided.close(); }
    }

    @Override public void close() { model.close(); }
}
