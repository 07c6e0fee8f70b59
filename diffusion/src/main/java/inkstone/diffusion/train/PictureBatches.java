package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import inkstone.diffusion.dit.Dit;
import inkstone.diffusion.dit.DitConfig;
import inkstone.diffusion.dit.DitModel;
import inkstone.diffusion.dit.WeighedTokens;
import inkstone.diffusion.sampling.Objective;
import inkstone.tensor.ModelException;
import inkstone.tokenizer.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;
import java.util.zip.CRC32C;

/** Batches without end from several sources: the i-th is a function of seed and i, whatever came before, so that a run can go on at any of them. One thread. */
final class PictureBatches {
    private final PictureSources sources;
    private final DitConfig config;
    private final Objective objective;
    private final Tokenizer tokenizer;
    private final int rows;
    private final double textDrop;
    private final long seed;
    private long next;

    PictureBatches(PictureSources sources, DitConfig config, Objective objective, Tokenizer tokenizer, int rows, double textDrop, long seed) {
        this.sources = sources;
        this.config = config;
        this.objective = objective;
        this.tokenizer = tokenizer;
        this.rows = rows;
        this.textDrop = textDrop;
        this.seed = seed;
    }

    PictureBatch next() {
        var random = random(seed, ++next);
        var pictures = new ArrayList<Captioned>();
        var noises = new double[rows];
        for (int i = 0; i < rows; i++) {
            var drawn = sources.draw(random);
            pictures.add(random.nextDouble() < textDrop ? new Captioned(drawn.picture(), "") : drawn);
            noises[i] = objective.draw(random);
        }
        return batch(pictures, noises, random);
    }

    /**
     * Random numbers of a batch that have nothing to do with those of another. All of SplittableRandom's sequences are parts of one, its seed the place: seeds that lie even steps apart could give
     * the same numbers a few places further, noise that a network learns by heart. So the place is hashed (the finalizer of MurmurHash3, a bijection).
     */
    static SplittableRandom random(long seed, long batch) {
        long z = seed * 0xD1342543DE82EF95L + batch;
        z = (z ^ z >>> 33) * 0xFF51AFD7ED558CCDL;
        z = (z ^ z >>> 33) * 0xC4CEB9FE1A85EC53L;
        return new SplittableRandom(z ^ z >>> 33);
    }

    /** These pictures at these levels of noise. */
    PictureBatch batch(List<Captioned> pictures, double[] noises, RandomGenerator random) {
        int numbers = config.size() * config.size() * config.channels(), count = pictures.size();
        float[] input = new float[count * numbers], target = new float[count * numbers];
        double[] times = new double[count], weights = new double[count];
        var prompts = new ArrayList<WeighedTokens>();
        for (int i = 0; i < count; i++) {
            float[] clean = values(pictures.get(i).picture());
            var preconditioning = objective.noise().preconditioning(noises[i]);
            double signal = objective.noise().signal(noises[i]);
            for (int j = 0; j < numbers; j++) {
                double x = signal * clean[j] + noises[i] * random.nextGaussian();
                input[i * numbers + j] = (float) (preconditioning.in() * x);
                target[i * numbers + j] = (float) -Objective.target(preconditioning, clean[j], x);
            }
            times[i] = objective.time(preconditioning);
            weights[i] = objective.weight(noises[i]);
            prompts.add(DitModel.caption(tokenizer, config.text().length(), pictures.get(i).caption()));
        }
        return new PictureBatch(prompts, times, Dit.toPatches(config, input), Dit.toPatches(config, target), weights);
    }

    private float[] values(Picture picture) {
        if (picture.width() != config.size() || picture.height() != config.size() || picture.channels() != config.channels()) {
            throw new IllegalArgumentException("a picture is %s, the network takes %d x %d x %d".formatted(picture, config.size(), config.size(), config.channels()));
        }
        return picture.toFloats();
    }

    String position() { return mark() + " " + next; }

    void seek(String position) {
        var parts = position.split(" ");
        if (parts.length != 2 || !parts[0].equals(mark()) || !parts[1].matches("\\d{1,18}")) {
            throw new ModelException("the run stood at \"%s\" in other data, or with another batch, seed or objective; go on with the same, or start anew".formatted(position));
        }
        next = Long.parseLong(parts[1]);
    }

    /** What the batches depend on. */
    private String mark() {
        var checksum = new CRC32C();
        checksum.update("%d %s %s %s".formatted(rows, textDrop, seed, objective).getBytes(StandardCharsets.UTF_8));
        for (var weighted : sources.sources()) checksum.update("%s %s".formatted(weighted.weight(), weighted.source().count()).getBytes(StandardCharsets.UTF_8));
        return "%08x".formatted(checksum.getValue());
    }
}
