package inkstone.diffusion.train;

import inkstone.transformer.train.Pretraining.Preparation;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

/** Several sources, of which one is drawn by weight each time. */
public record PictureSources(List<Weighted> sources) {
    /** @param weight share of the pictures that come from it, in proportion to the others' */
    public record Weighted(PictureSource source, double weight) {}

    /** Those of a configuration at its size, without what is held out; {@code base} is the folder that its paths are relative to. */
    public static PictureSources of(DiffusionConfig config, Path base, Preparation preparation) throws IOException {
        return of(config.data(), config.heldOut(), config.network(2).size(), config.validationShare(), base, preparation);
    }

    /** @param heldOut file of what is held out, or null */
    static PictureSources of(List<DiffusionConfig.Data> all, String heldOut, int size, double validationShare, Path base, Preparation preparation) throws IOException {
        var held = heldOut == null ? HeldOut.NOTHING : HeldOut.read(base.resolve(heldOut));
        var sources = new ArrayList<Weighted>();
        for (var data : all) {
            preparation.at("reading " + (data.path() == null ? "shapes" : data.path()), sources.size(), all.size());
            sources.add(new Weighted(source(data, base, size, held, validationShare), data.weight() == null ? 1 : data.weight()));
        }
        return new PictureSources(List.copyOf(sources));
    }

    private static PictureSource source(DiffusionConfig.Data data, Path base, int size, HeldOut held, double validationShare) throws IOException {
        if (data.path() == null) return new ShapeScenes(size, held.shapes());
        var path = base.resolve(data.path());
        if (data.layers() != null) return new LayeredPictures(path, base.resolve(data.parts()), data.layers(), data.style(), size, held.layered());
        return new PictureFolder(path, new PictureFolder.Settings(data.only(), data.without(), data.style(), Boolean.TRUE.equals(data.flip())), size, held.files(), validationShare);
    }

    public double weight() { return sources.stream().mapToDouble(Weighted::weight).sum(); }

    Captioned draw(RandomGenerator random) {
        double at = random.nextDouble() * weight();
        for (var weighted : sources) {
            at -= weighted.weight;
            if (at < 0) return weighted.source.draw(random);
        }
        return sources.getLast().source.draw(random);
    }

    /** Of each source its share of {@code count} pictures that are not learned. */
    public List<Captioned> validation(int count) {
        var pictures = new ArrayList<Captioned>();
        for (var weighted : sources) pictures.addAll(weighted.source.validation((int) Math.round(count * weighted.weight / weight())));
        return pictures;
    }
}
