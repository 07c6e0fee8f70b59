package inkstone.server.cli;

import inkstone.diffusion.ImageModelInfo;
import inkstone.diffusion.ImagePipeline;
import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.Picture;
import inkstone.diffusion.checkpoint.Companions;
import inkstone.diffusion.checkpoint.ImageLoras;
import inkstone.diffusion.dit.DitPipeline;
import inkstone.diffusion.dit.EmbeddedImageModel;
import inkstone.diffusion.stable.StableDiffusion;
import inkstone.diffusion.upscale.Waifu2x;
import inkstone.server.images.Easel;
import inkstone.server.images.Easel.Enlarger;
import inkstone.server.images.Easel.Enlarging;
import inkstone.server.images.Easel.Source;
import inkstone.tensor.Backend;
import inkstone.tensor.checkpoint.Gguf;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * The image models that there are: those in files and folders that somebody names, and the one that comes with the program. The one place that knows how each is opened.
 *
 * @param companions of every file that is not a model of our own
 * @param loras      for every picture, likewise
 * @param backend    makes what a model computes on, anew for each that is opened
 */
record PaintModels(Companions companions, List<ImageLoras.Source> loras, Supplier<Backend> backend) {
    private static Path folder() { return Path.of(System.getProperty("user.home"), ".inkstone", "models"); }

    /** @param embedded whether the name means the model that comes with the program */
    private static boolean embedded(Path named) { return named.toString().equalsIgnoreCase(EmbeddedImageModel.NAME); }

    /** Those that are named, in their order, then the one that comes with the program, where it does and was not named. What a file is, is looked at. */
    List<Source> sources(List<Path> named) throws IOException {
        var sources = new ArrayList<Source>();
        for (var path : named) sources.add(source(path));
        if (EmbeddedImageModel.present() && named.stream().noneMatch(PaintModels::embedded)) sources.add(source(Path.of(EmbeddedImageModel.NAME)));
        return sources;
    }

    private Source source(Path path) throws IOException {
        if (embedded(path)) {
            if (!EmbeddedImageModel.present()) throw new IllegalArgumentException("this build comes without %s; give a model's file or folder".formatted(EmbeddedImageModel.NAME));
            return new Source(EmbeddedImageModel.info(folder()), () -> opened(on -> EmbeddedImageModel.open(folder(), on)));
        }
        if (!Files.exists(path)) throw new NoSuchFileException(path.toString());
        if (ours(path)) return new Source(DitPipeline.info(path, false), () -> opened(on -> DitPipeline.open(path, on, false)));
        Easel.Opening opening = () -> opened(on -> StableDiffusion.open(path, companions, loras, on));
        try (var model = opening.open()) { return new Source(model.info(), opening); }
    }

    /** Whether a file is a model that this program trained. */
    private static boolean ours(Path path) throws IOException {
        if (!path.toString().endsWith(".gguf")) return false;
        try (var file = Gguf.open(path)) { return DitPipeline.recognises(file); }
    }

    private interface OnBackend { ImagePipeline open(Backend backend) throws IOException; }

    /** A model that closes its backend with it. */
    private ImagePipeline opened(OnBackend opening) throws IOException {
        var computing = backend.get();
        try {
            return new Owning(opening.open(computing), computing);
        } catch (IOException | RuntimeException problem) {
            computing.close();
            throw problem;
        }
    }

    private record Owning(ImagePipeline pipeline, Backend backend) implements ImagePipeline {
        @Override public ImageModelInfo info() { return pipeline.info(); }
        @Override public void check(ImageRequest request) { pipeline.check(request); }
        @Override public List<Painted> paint(ImageRequest request, Watcher watcher) { return pipeline.paint(request, watcher); }
        @Override public void close() {
            pipeline.close();
            backend.close();
        }
    }

    /** What makes pictures twice as large. @param file with the weights of a waifu2x network */
    Enlarging enlarging(Path file) throws IOException {
        if (!Files.isRegularFile(file)) throw new NoSuchFileException(file.toString());
        enlarger(file).close();   // what is no such network is said now, not at the first picture
        return new Enlarging("waifu2x", 2, () -> enlarger(file));
    }

    private Enlarger enlarger(Path file) throws IOException {
        var computing = backend.get();
        try {
            var network = Waifu2x.open(file, computing);
            return new Enlarger() {
                @Override public Picture enlarge(Picture picture) { return network.enlarge(picture); }
                @Override public void close() {
                    network.close();
                    computing.close();
                }
            };
        } catch (IOException | RuntimeException problem) {
            computing.close();
            throw problem;
        }
    }
}
