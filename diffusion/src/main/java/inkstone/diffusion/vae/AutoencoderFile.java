package inkstone.diffusion.vae;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.Metadata;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;

/**
 * An autoencoder of our own that is open: a GGUF file of architecture "autoencoder". Owns the file and its weights.
 *
 * @param quantizer null where latents are not codes
 */
public record AutoencoderFile(Gguf file, CheckpointWeights weights, String name, Head head, Autoencoder autoencoder, Quantizer quantizer) implements AutoCloseable {
    private static final String ARCHITECTURE = "autoencoder", PREFIX = "autoencoder.";

    /** What stands between encoder and decoder. */
    public enum Head { PLAIN, KL, VQ, FSQ }

    /** What a file says beside its tensors; {@code codes} of a learned book, {@code levels} of finite scalars. */
    public record About(String name, Head head, AutoencoderConfig config, int codes, List<Integer> levels) {
        public About {
            if (head == Head.VQ && (codes < 2 || codes > 1 << 20)) throw new IllegalArgumentException("codes: expected 2 to 1048576, got " + codes);
            if (head == Head.FSQ) new Quantizer.Finite(levels);
            if (head == Head.FSQ && levels.size() != config.latentChannels()) throw new IllegalArgumentException("levels: expected one for each of %d channels of the latent, got %s".formatted(config.latentChannels(), levels));
            if ((head == Head.KL) != config.variational()) throw new IllegalArgumentException("an autoencoder is variational where its head is kl, and there alone");
        }

        Quantizer quantizer(Weights w) {
            return switch (head) {
                case PLAIN, KL -> null;
                case VQ -> Quantizer.Codebook.of(w, codes, config.latentChannels());
                case FSQ -> new Quantizer.Finite(levels);
            };
        }
    }

    /** The networks of a file with this description. */
    public static AutoencoderFile of(About about, Weights w) { return new AutoencoderFile(null, null, about.name, about.head, Autoencoder.of(about.config, w), about.quantizer(w)); }

    public static void put(GgufWriter writer, About about) {
        var c = about.config;
        writer.string("general.architecture", ARCHITECTURE).string("general.name", about.name).string(PREFIX + "head", about.head.name().toLowerCase(Locale.ROOT));
        writer.u32(PREFIX + "picture_channels", c.pictureChannels()).u32(PREFIX + "channels", c.channels()).u32(PREFIX + "blocks", c.blocks()).u32(PREFIX + "latent_channels", c.latentChannels());
        writer.u32(PREFIX + "groups", c.groups()).string(PREFIX + "multipliers", text(c.multipliers())).u32(PREFIX + "codes", about.codes).string(PREFIX + "levels", text(about.levels));
    }

    private static String text(List<Integer> numbers) { return String.join(" ", numbers.stream().map(String::valueOf).toList()); }

    /** @throws ModelException where it is no such file or is damaged */
    public static AutoencoderFile open(Path path, Backend backend, UnaryOperator<Weights> decorator) throws IOException {
        var file = Gguf.open(path);
        try {
            var metadata = file.metadata();
            if (!metadata.string("general.architecture", "").equals(ARCHITECTURE)) throw new ModelException("%s is no autoencoder: expected a GGUF file of architecture autoencoder".formatted(path));
            var about = about(path, metadata);
            var weights = new CheckpointWeights(file, backend, decorator);
            try {
                var parts = weights.build(w -> of(about, w));
                return new AutoencoderFile(file, weights, about.name, about.head, parts.autoencoder, parts.quantizer);
            } catch (RuntimeException e) {
                weights.close();
                throw e;
            }
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private static About about(Path path, Metadata m) {
        try {
            var head = Arrays.stream(Head.values()).filter(one -> one.name().equalsIgnoreCase(m.string(PREFIX + "head"))).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("the head \"%s\" is none of plain, kl, vq and fsq".formatted(m.string(PREFIX + "head"))));
            var config = new AutoencoderConfig(m.integer(PREFIX + "picture_channels"), m.integer(PREFIX + "channels"), numbers(m.string(PREFIX + "multipliers")), m.integer(PREFIX + "blocks"),
                m.integer(PREFIX + "latent_channels"), m.integer(PREFIX + "groups"), head == Head.KL, true, 1, 0);
            return new About(m.string("general.name", path.getFileName().toString()), head, config, m.integer(PREFIX + "codes", 0), numbers(m.string(PREFIX + "levels", "")));
        } catch (IllegalArgumentException e) {
            throw new ModelException("%s: %s".formatted(path, e.getMessage()), e);
        }
    }

    private static List<Integer> numbers(String text) { return text.isBlank() ? List.of() : Arrays.stream(text.strip().split(" ")).map(Integer::valueOf).toList(); }

    /** What the decoder gets of pictures [n, h, w, channels], without noise. */
    public Tensor encode(Tensor pictures) {
        var encoded = autoencoder.encoder().forward(pictures);
        return switch (head) {
            case PLAIN -> encoded;
            case KL -> Moments.of(encoded).mean();
            case VQ, FSQ -> quantizer.quantize(encoded).latents();
        };
    }

    public Tensor decode(Tensor latents) { return autoencoder.decoder().forward(latents); }

    /** Pictures from codes, one picture of [h, w] codes each. */
    public Tensor decode(Scope scope, int[] codes, int n, int h, int w) {
        if (quantizer == null) throw new IllegalStateException("an autoencoder of head %s has no codes".formatted(head));
        return decode(quantizer.latents(scope, codes).view(n, h, w, autoencoder.config().latentChannels()));
    }

    @Override public void close() {
        if (weights != null) weights.close();
        if (file != null) file.close();
    }
}
