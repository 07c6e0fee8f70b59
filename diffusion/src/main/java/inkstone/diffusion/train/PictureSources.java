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

    /**
     * Those of a configuration, without what is held out.
     *
     * @param size  pixels on a side
     * @param held  file of {@link HeldOut}, or null
     * @param share of the pictures of folders that are kept for validation
     * @param base  folder that paths are relative to
     */
    public static PictureSources of(List<PictureData> data, int size, String held, double share, Path base, Preparation preparation) throws IOException {
        var out = held == null ? HeldOut.NOTHING : HeldOut.read(base.resolve(held));
        var sources = new ArrayList<Weighted>();
        for (var one : data) {
            preparation.at("reading " + (one.path() == null ? "shapes" : one.path()), sources.size(), data.size());
            sources.add(new Weighted(source(one, base, size, out, share), one.weight() == null ? 1 : one.weight()));
        }
        return new PictureSources(List.copyOf(sources));
    }

    private static PictureSource source(PictureData data, Path base, int size, HeldOut held, double share) throws IOException {
        if (data.path() == null) return new ShapeScenes(size, held.shapes());
        var path = base.resolve(data.path());
        if (data.layers() != null) return new LayeredPictures(path, base.resolve(data.parts()), data.layers(), data.style(), size, held.layered());
        return new PictureFolder(path, new PictureFolder.Settings(data.only(), data.without(), data.style(), Boolean.TRUE.equals(data.flip()), data.shift() == null ? 0 : data.shift()), size, held.files(), share);
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

    /** The same, at most {@code batch} at a time. */
    List<List<Captioned>> validation(int count, int batch) {
        var pictures = validation(count);
        var parts = new ArrayList<List<Captioned>>();
        for (int from = 0; from < pictures.size(); from += batch) parts.add(List.copyOf(pictures.subList(from, Math.min(pictures.size(), from + batch))));
        return parts;
    }
}
