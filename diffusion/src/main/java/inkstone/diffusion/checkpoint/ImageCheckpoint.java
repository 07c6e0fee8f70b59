package inkstone.diffusion.checkpoint;

import inkstone.diffusion.sampling.Parameterization;
import inkstone.diffusion.text.ClipConfig;
import inkstone.diffusion.text.ClipEncoder;
import inkstone.diffusion.unet.UNet;
import inkstone.diffusion.unet.UNetConfig;
import inkstone.diffusion.vae.Autoencoder;
import inkstone.diffusion.vae.AutoencoderConfig;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.Weights;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * A checkpoint of Stable Diffusion, recognised by its tensors: one file (safetensors or GGUF) with CompVis's names, or a folder of diffusers. Everything is checked when it is opened: all that is
 * missing or does not fit is told in one message, what is not known to be of any use is listed in {@link #unknown}. Closing it closes the files.
 *
 * @param name         of the file or folder
 * @param zeroTerminal whether the last time of the noise schedule is noise alone
 * @param unet         with CompVis's names
 * @param autoencoder  with CompVis's names
 * @param texts        with Hugging Face's names
 * @param unknown      tensors that nothing here asks for, by their names in the file
 * @param parameters   of all networks
 */
public record ImageCheckpoint(String name, Family family, UNetConfig unetConfig, AutoencoderConfig autoencoderConfig, List<ClipConfig> textConfigs, Parameterization prediction,
                              boolean zeroTerminal, Distillation distillation, NetworkFile unet, NetworkFile autoencoder, List<NetworkFile> texts, List<String> unknown, long parameters)
    implements AutoCloseable {
    private static final int SHOWN = 8;

    /** @throws ModelException where the file is of a kind that is not known here, which it names, or is not whole */
    public static ImageCheckpoint open(Path path, Companions companions) throws IOException {
        var parts = Parts.find(path, companions);
        try {
            return recognised(path, parts);
        } catch (RuntimeException e) {
            parts.close();
            throw e;
        }
    }

    private static ImageCheckpoint recognised(Path path, Parts parts) {
        var shapes = new Recognition(parts.config());
        var unet = shapes.unet(parts.unet().checkpoint().tensors(), parts.convolutional());
        var family = Recognition.family(path, unet);
        var autoencoder = shapes.autoencoder(parts.autoencoder().checkpoint().tensors(), family);
        var texts = new ArrayList<ClipConfig>();
        for (int i = 0; i < parts.texts().size(); i++) texts.add(shapes.text(parts.texts().get(i).checkpoint().tensors(), i));
        int encoders = family == Family.STABLE_DIFFUSION_XL ? 2 : 1;
        if (texts.size() < encoders) {
            throw new ModelException("%s has %d of %d text encoders; give the other%s beside it".formatted(path, texts.size(), encoders, encoders - texts.size() > 1 ? "s" : ""));
        }
        var problems = new ArrayList<String>();
        var unknown = new ArrayList<>(parts.others());
        long parameters = 0;
        parameters += check(parts.unet(), w -> UNet.of(unet, w), problems, unknown);
        parameters += check(parts.autoencoder(), w -> Autoencoder.of(autoencoder, w), problems, unknown);
        for (int i = 0; i < encoders; i++) {
            var text = texts.get(i);
            parameters += check(parts.texts().get(i), w -> ClipEncoder.of(text, w), problems, unknown);
        }
        if (!problems.isEmpty()) {
            throw new ModelException("%s is not a whole %s: %s%s".formatted(path, family.label(), problems.stream().limit(SHOWN).collect(Collectors.joining("; ")),
                problems.size() > SHOWN ? " and %d more".formatted(problems.size() - SHOWN) : ""));
        }
        int width = texts.stream().limit(encoders).mapToInt(ClipConfig::width).sum();
        if (width != unet.context()) throw new ModelException("%s: the network reads text of width %d, the text encoders write %d".formatted(path, unet.context(), width));
        return new ImageCheckpoint(path.getFileName().toString().replaceAll("\\.(safetensors|gguf)$", ""), family, unet, autoencoder, List.copyOf(texts.subList(0, encoders)),
            shapes.prediction(path, family, unet, parts.markers()), parts.markers().contains("ztsnr"), shapes.distillation(path, unet), parts.unet(), parts.autoencoder(), parts.texts(),
            List.copyOf(unknown), parameters);
    }

    /** What a model asks for against what the file has. @return parameters of the model */
    private static long check(NetworkFile file, Function<Weights, ?> model, List<String> problems, List<String> unknown) {
        var checkpoint = file.checkpoint();
        var asked = new ParameterList(name -> checkpoint.tensors().containsKey(name));
        model.apply(asked);
        asked.shapes().forEach((name, shape) -> {
            var info = checkpoint.tensors().get(name);
            if (info != null && info.shape().equals(shape)) return;
            if (info != null) problems.add("tensor %s should be %s, found %s".formatted(checkpoint.origin(name), shape, info.shape()));
            else if (checkpoint.unsupported().containsKey(name)) problems.add("tensor %s is %s, which has no kernel here".formatted(checkpoint.origin(name), checkpoint.unsupported().get(name)));
            else problems.add("tensor %s %s is missing".formatted(name, shape));
        });
        for (var name : checkpoint.tensors().keySet()) if (!asked.shapes().containsKey(name) && !Parts.isUseless(name)) unknown.add(checkpoint.origin(name));
        return asked.shapes().values().stream().mapToLong(Shape::elements).sum();
    }

    /** Whether the network also sees what is to stay and where (9 channels). */
    public boolean inpaints() { return unetConfig.inChannels() == 2 * autoencoderConfig.latentChannels() + 1; }

    /** Bytes that loading takes beside the files' mappings. */
    public long turnedBytes() { return unet.turnedBytes() + autoencoder.turnedBytes() + texts.stream().mapToLong(NetworkFile::turnedBytes).sum(); }

    /** "Stable Diffusion XL (turbo), 3.47 billion parameters, predicts noise", and what was not used. */
    public String summary() {
        var kinds = new ArrayList<String>();
        if (inpaints()) kinds.add("inpainting");
        if (distillation != Distillation.NONE) kinds.add(distillation == Distillation.TURBO ? "turbo" : "latent consistency");
        if (zeroTerminal) kinds.add("zero terminal SNR");
        var text = "%s: %s%s, %s parameters, predicts %s".formatted(name, family.label(), kinds.isEmpty() ? "" : " (" + String.join(", ", kinds) + ")", count(parameters),
            prediction == Parameterization.VELOCITY ? "velocity" : "noise");
        return unknown.isEmpty() ? text : "%s; not used: %s".formatted(text, listed(unknown));
    }

    private static String count(long parameters) { return parameters < 1_000_000_000 ? "%.1f million".formatted(parameters / 1e6) : "%.2f billion".formatted(parameters / 1e9); }

    static String listed(Collection<String> names) {
        var shown = names.stream().limit(SHOWN).collect(Collectors.joining(", "));
        return names.size() > SHOWN ? "%s and %d more".formatted(shown, names.size() - SHOWN) : shown;
    }

    @Override public void close() {
        unet.close();
        autoencoder.close();
        texts.forEach(NetworkFile::close);
    }
}
