package inkstone.diffusion.train;

import static inkstone.diffusion.train.JsonConfig.need;
import static inkstone.diffusion.train.JsonConfig.or;

import inkstone.diffusion.vae.AutoencoderConfig;
import inkstone.diffusion.vae.AutoencoderFile;
import inkstone.diffusion.vae.AutoencoderFile.Head;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * What an autoencoder is to be and to learn from, as {@code train vae} reads it from JSON. Paths are relative to the file. Everything has a usual value but the size of the model, the data and the
 * steps.
 *
 * @param edges   weight of the error of differences between neighbouring pixels, which keeps edges sharp
 * @param kl      weight of the latent's distance from the unit normal distribution, in nats a pixel (Rombach et al. 2021, arXiv:2112.10752, have 1e-6)
 * @param heldOut file of {@link HeldOut}, or null
 * @param out     folder of the run
 */
public record VaeConfig(String name, Model model, List<PictureData> data, String heldOut, Double validationShare, Double edges, Double kl, PictureTraining training, String out) {
    /**
     * @param size   pixels on a side of the pictures that are learned
     * @param head   what stands between encoder and decoder: plain, kl, vq or fsq
     * @param codes  of a learned book (vq)
     * @param levels of each channel of the latent (fsq)
     */
    public record Model(Integer size, String head, Integer channels, List<Integer> multipliers, Integer blocks, Integer latentChannels, Integer groups, Integer codes, List<Integer> levels) {}

    public static VaeConfig read(Path file) throws IOException { return JsonConfig.read(file, VaeConfig.class, VaeConfig::check); }

    private void check() {
        need(model != null && model.channels != null, "model: how large shall it be? {\"size\": 32, \"channels\": 32, \"multipliers\": [1, 2, 2], \"latentChannels\": 4}");
        var network = network();
        need(network.channels() >= 1 && network.blocks() >= 1 && network.latentChannels() >= 1 && !network.multipliers().isEmpty() && network.multipliers().stream().allMatch(factor -> factor >= 1),
            "model: expected channels, blocks, latentChannels and multipliers of 1 or more");
        need(network.groups() >= 1 && network.multipliers().stream().allMatch(factor -> network.channels() * factor % network.groups() == 0), "model: %d groups do not divide the channels of every level".formatted(network.groups()));
        need(size() % network.factor() == 0 && size() > network.factor(), "model: pictures of %d pixels cannot be halved %d times".formatted(size(), network.multipliers().size() - 1));
        need(edges() >= 0 && kl() >= 0, "edges and kl: expected 0 or more");
        need(validationShare() >= 0 && validationShare() <= 0.5, "validationShare: expected 0 to 0.5, got " + validationShare());
        PictureData.check(data);
        PictureTraining.check(training);
    }

    /** The network and what stands in its middle. */
    public AutoencoderFile.About about() {
        var head = Arrays.stream(Head.values()).filter(one -> one.name().equalsIgnoreCase(or(model.head, "kl"))).findFirst()
            .orElseThrow(() -> new IllegalArgumentException("model.head: expected plain, kl, vq or fsq, got " + model.head));
        List<Integer> levels = head == Head.FSQ ? or(model.levels, List.of(8, 5, 5, 5)) : List.of();
        var network = new AutoencoderConfig(3, model.channels, or(model.multipliers, List.of(1, 2, 2)), or(model.blocks, 1), head == Head.FSQ ? levels.size() : or(model.latentChannels, 4),
            or(model.groups, Math.min(8, model.channels)), head == Head.KL, true, 1, 0);
        return new AutoencoderFile.About(name(), head, network, head == Head.VQ ? or(model.codes, 1024) : 0, levels);
    }

    public AutoencoderConfig network() { return about().config(); }

    public int size() { return or(model.size, 32); }
    @Override public Double edges() { return or(edges, 0.5); }
    @Override public Double kl() { return or(kl, 1e-6); }
    @Override public Double validationShare() { return or(validationShare, 0.02); }
    @Override public String name() { return or(name, "vae"); }
}
