package inkstone.diffusion.checkpoint;

import inkstone.diffusion.sampling.Parameterization;
import inkstone.diffusion.text.ClipConfig;
import inkstone.diffusion.text.ClipTokenizer;
import inkstone.diffusion.unet.UNetConfig;
import inkstone.diffusion.vae.AutoencoderConfig;
import inkstone.tensor.Elementwise;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tensor.checkpoint.TensorInfo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Sizes of networks from the shapes of their tensors, under the names that models ask for.
 *
 * @param config of a folder of diffusers, keys beginning with the component's folder; empty of a single file
 */
record Recognition(Metadata config) {
    private static final int REFINER_LABELS = 2560, XL_LABELS = 2816;
    private static final int HEADS = 8, HEAD_DIM = 64, GROUPS = 32;

    /** @param convolutional whether transformers begin with a convolution rather than a matrix, as in version 1, whose attention has 8 heads; later ones have heads of 64 */
    UNetConfig unet(Map<String, TensorInfo> infos, boolean convolutional) {
        var in = infos.get("input_blocks.0.0.weight");
        var out = infos.get("out.2.weight");
        if (in == null || out == null || in.shape().rank() != 4 || out.shape().rank() != 4) {
            throw new ModelException("%s: the UNet lacks its first or its last convolution (input_blocks.0.0, out.2)".formatted(config.source()));
        }
        int channels = in.shape().dim(0), residuals = 0, level = 0, depth = 0;
        var multipliers = new ArrayList<Integer>();
        var depths = new ArrayList<Integer>();
        for (int i = 1; ; i++) {
            var block = "input_blocks." + i;
            boolean down = infos.containsKey(block + ".0.op.weight");
            var convolution = infos.get(block + ".0.in_layers.2.weight");
            if (!down && convolution == null) break;
            if (down) {
                level++;
                continue;
            }
            depth = count(infos, block + ".1.transformer_blocks.%d.norm1.weight");
            if (multipliers.size() == level) {
                multipliers.add(convolution.shape().dim(0) / channels);
                depths.add(depth);
            }
            if (level == 0) residuals++;
        }
        int middle = count(infos, "middle_block.1.transformer_blocks.%d.norm1.weight");
        int context = width(infos, "middle_block.1.transformer_blocks.0.attn2.to_k.weight"), labels = width(infos, "label_emb.0.0.weight");
        if (middle == 0 || context == 0) throw new ModelException("%s: the UNet reads no text; models of pictures alone are not known here".formatted(config.source()));
        int heads = convolutional ? HEADS : 0;
        if (config.values().get("unet.attention_head_dim") instanceof Long own) heads = (int) (long) own;
        return new UNetConfig(in.shape().last(), out.shape().dim(0), channels, List.copyOf(multipliers), residuals, List.copyOf(depths), middle, context, heads, HEAD_DIM, labels,
            width(infos, "time_embed.cond_proj.weight"));
    }

    static Family family(Path path, UNetConfig unet) {
        int in = unet.inChannels(), out = unet.outChannels();
        if (unet.labels() == REFINER_LABELS) throw new ModelException("%s is the refiner of Stable Diffusion XL, which is not supported; use the base model".formatted(path));
        if (in != out && in != 2 * out + 1) {
            throw new ModelException("%s is a model that sees %d channels%s; text to image (%d) and inpainting (%d) are supported".formatted(path, in,
                in == 2 * out ? " (instructed editing)" : "", out, 2 * out + 1));
        }
        if (unet.labels() > 0) return Family.STABLE_DIFFUSION_XL;
        return unet.heads() > 0 ? Family.STABLE_DIFFUSION_1 : Family.STABLE_DIFFUSION_2;
    }

    AutoencoderConfig autoencoder(Map<String, TensorInfo> infos, Family family) {
        var norm = infos.get("decoder.norm_out.weight");
        var in = infos.get("decoder.conv_in.weight");
        if (norm == null || in == null || in.shape().rank() != 4) {
            throw new ModelException("%s has no autoencoder (decoder.conv_in, decoder.norm_out); give one beside it".formatted(config.source()));
        }
        int channels = norm.shape().dim(0), latents = in.shape().last();
        var multipliers = new ArrayList<Integer>();
        for (int i = 0; infos.containsKey("decoder.up.%d.block.0.conv1.weight".formatted(i)); i++) {
            multipliers.add(infos.get("decoder.up.%d.block.0.conv1.weight".formatted(i)).shape().dim(0) / channels);
        }
        var last = infos.get("encoder.conv_out.weight");
        boolean variational = last == null || last.shape().dim(0) == 2 * latents;
        float scale = (family == Family.STABLE_DIFFUSION_XL ? AutoencoderConfig.STABLE_DIFFUSION_XL : AutoencoderConfig.STABLE_DIFFUSION).scale();
        return new AutoencoderConfig(3, channels, List.copyOf(multipliers), count(infos, "decoder.up.0.block.%d.conv1.weight") - 1, latents, GROUPS, variational,
            infos.containsKey("post_quant_conv.weight"), config.floating("vae.scaling_factor", scale), config.floating("vae.shift_factor", 0));
    }

    ClipConfig text(Map<String, TensorInfo> infos, int index) {
        var tokens = infos.get("text_model.embeddings.token_embedding.weight");
        var positions = infos.get("text_model.embeddings.position_embedding.weight");
        var up = infos.get("text_model.encoder.layers.0.mlp.fc1.weight");
        if (tokens == null || positions == null || up == null) throw new ModelException("%s: text encoder %d lacks its embeddings or layers".formatted(config.source(), index + 1));
        if (tokens.shape().dim(0) != ClipTokenizer.VOCABULARY) {
            throw new ModelException("%s: text encoder %d has %d tokens, those of CLIP have %d".formatted(config.source(), index + 1, tokens.shape().dim(0), ClipTokenizer.VOCABULARY));
        }
        var folder = index == 0 ? "text_encoder." : "text_encoder_2.";
        int width = tokens.shape().last(), projection = infos.containsKey("text_projection.weight") ? infos.get("text_projection.weight").shape().dim(0) : 0;
        boolean quick = config.string(folder + "hidden_act", index == 0 && width <= ClipConfig.VIT_L.width() ? "quick_gelu" : "gelu").equals("quick_gelu");
        return new ClipConfig(tokens.shape().dim(0), positions.shape().dim(0), width, count(infos, "text_model.encoder.layers.%d.mlp.fc1.weight"),
            config.integer(folder + "num_attention_heads", Math.max(1, width / HEAD_DIM)), up.shape().dim(0), quick ? Elementwise.QUICK_GELU : Elementwise.GELU_ERF, projection,
            quick ? ClipTokenizer.END : 0);
    }

    /**
     * What the network predicts. A folder says so; a file may have a mark ("v_pred"). Of the others only Stable Diffusion 2 comes in two kinds: that for 768 pixels, which predicts velocity, and
     * those for 512, which are known by their names (base, 512, turbo) or by what they see (inpainting).
     */
    Parameterization prediction(Path path, Family family, UNetConfig unet, Set<String> markers) {
        var said = config.string("scheduler.prediction_type", markers.contains("v_pred") ? "v_prediction" : "");
        var name = fileName(path);
        return switch (said) {
            case "epsilon" -> Parameterization.EPSILON;
            case "v_prediction" -> Parameterization.VELOCITY;
            case "sample" -> Parameterization.SAMPLE;
            case "" -> family == Family.STABLE_DIFFUSION_2 && unet.inChannels() == unet.outChannels() && !name.matches(".*(base|512|turbo).*") ? Parameterization.VELOCITY : Parameterization.EPSILON;
            default -> throw new ModelException("%s: the scheduler's prediction_type is %s; epsilon, v_prediction and sample are known".formatted(path, said));
        };
    }

    /** By the embedding of guidance or the scheduler, else by the name: nothing else in a file tells. */
    Distillation distillation(Path path, UNetConfig unet) {
        var name = fileName(path);
        if (unet.guidance() > 0 || config.string("scheduler._class_name", "").equals("LCMScheduler") || name.matches(".*(^|[^a-z])lcm([^a-z]|$).*")) return Distillation.LCM;
        return name.contains("turbo") || name.contains("lightning") || name.contains("hyper") ? Distillation.TURBO : Distillation.NONE;
    }

    private static String fileName(Path path) { return path.toAbsolutePath().getFileName().toString().toLowerCase(Locale.ROOT); }

    private static int count(Map<String, TensorInfo> infos, String pattern) {
        int count = 0;
        while (infos.containsKey(pattern.formatted(count))) count++;
        return count;
    }

    /** The length of a matrix's rows; 0 where it is not there. */
    private static int width(Map<String, TensorInfo> infos, String name) { return infos.containsKey(name) ? infos.get(name).shape().last() : 0; }
}
