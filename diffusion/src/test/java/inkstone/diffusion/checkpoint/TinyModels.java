package inkstone.diffusion.checkpoint;

import inkstone.diffusion.RandomPictureWeights;
import inkstone.diffusion.text.ClipConfig;
import inkstone.diffusion.text.ClipEncoder;
import inkstone.diffusion.unet.UNet;
import inkstone.diffusion.unet.UNetConfig;
import inkstone.diffusion.vae.Autoencoder;
import inkstone.diffusion.vae.AutoencoderConfig;
import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Shape;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.SafetensorsWriter;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.checkpoint.TensorInfo;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/** Files of small models with the topology and the names of Stable Diffusion, and weights by the rule of {@link RandomPictureWeights}. */
public final class TinyModels {
    public static final UNetConfig UNET = new UNetConfig(4, 4, 32, List.of(1, 2, 4, 4), 2, List.of(1, 1, 1, 0), 1, 64, 8, 64, 0, 0);
    public static final UNetConfig UNET_XL = new UNetConfig(4, 4, 32, List.of(1, 2, 4), 2, List.of(0, 1, 2), 2, 128, 0, 64, 64 + 6 * 256, 0);
    public static final AutoencoderConfig AUTOENCODER = new AutoencoderConfig(3, 32, List.of(1, 2, 4, 4), 2, 4, 32, true, true, 0.18215f, 0);
    public static final ClipConfig TEXT = new ClipConfig(49408, 77, 64, 3, 1, 256, Elementwise.QUICK_GELU, 0, 49407);
    public static final ClipConfig TEXT_2 = new ClipConfig(49408, 77, 64, 3, 1, 256, Elementwise.GELU_ERF, 64, 0);

    private TinyModels() {}

    /** What a model asks for, optional biases of the original's. */
    public static Map<String, Shape> parameters(Function<Weights, ?> model) {
        var list = new ParameterList(name -> !name.matches(".*\\.to_[qkv]\\.bias|text_projection\\.bias"));
        model.apply(list);
        return list.shapes();
    }

    /** Adds a network's parameters in the files' order of axes. */
    public static SafetensorsWriter add(SafetensorsWriter writer, Map<String, Shape> shapes, UnaryOperator<String> names, boolean convolutional) {
        shapes.forEach((name, shape) -> {
            int[] dims = shape.toArray();
            boolean pixel = dims.length == 2 && (name.matches(".*(skip_connection|nin_shortcut|quant_conv|attn_1\\.(q|k|v|proj_out))\\.weight") || convolutional && name.matches(".*proj_(in|out)\\.weight")
                && !name.contains("attn"));
            int[] stored = dims.length == 4 ? new int[] {dims[0], dims[3], dims[1], dims[2]} : pixel ? new int[] {dims[0], dims[1], 1, 1} : dims;
            writer.tensor(new TensorInfo(names.apply(name), DType.F16, new Shape(stored)), data(RandomPictureWeights.parameter(name, stored)));
        });
        return writer;
    }

    public static TensorData data(float[] values) {
        return out -> {
            var bytes = MemorySegment.ofArray(new byte[2 * values.length]);
            Blocks.fromFloats(DType.F16, values, bytes, 0, values.length);
            out.write(bytes);
        };
    }

    /** Stable Diffusion 1 in one file. */
    public static Path stableDiffusion1(Path file, UNetConfig unet) throws IOException { return stableDiffusion1(file, unet, AUTOENCODER, TEXT); }

    static Path stableDiffusion1(Path file, UNetConfig unet, AutoencoderConfig autoencoder, ClipConfig text) throws IOException {
        var writer = new SafetensorsWriter();
        add(writer, parameters(w -> UNet.of(unet, w)), name -> "model.diffusion_model." + name, true);
        add(writer, parameters(w -> Autoencoder.of(autoencoder, w)), name -> "first_stage_model." + name, true);
        add(writer, parameters(w -> ClipEncoder.of(text, w)), name -> "cond_stage_model.transformer." + name, true);
        writer.write(file);
        return file;
    }

    /** Stable Diffusion XL in one file, its second encoder with OpenCLIP's names. */
    public static Path stableDiffusionXl(Path file) throws IOException {
        var writer = new SafetensorsWriter();
        add(writer, parameters(w -> UNet.of(UNET_XL, w)), name -> "model.diffusion_model." + name, false);
        add(writer, parameters(w -> Autoencoder.of(AUTOENCODER, w)), name -> "first_stage_model." + name, true);
        add(writer, parameters(w -> ClipEncoder.of(TEXT, w)), name -> "conditioner.embedders.0.transformer." + name, false);
        addOpenClip(writer, parameters(w -> ClipEncoder.of(TEXT_2, w)), "conditioner.embedders.1.model.");
        writer.write(file);
        return file;
    }

    private static void addOpenClip(SafetensorsWriter writer, Map<String, Shape> shapes, String prefix) {
        int width = TEXT_2.width();
        for (int i = 0; i < TEXT_2.layers(); i++) {
            String from = "text_model.encoder.layers." + i + ".", to = prefix + "transformer.resblocks." + i + ".";
            for (var part : new String[][] {{"layer_norm1", "ln_1"}, {"layer_norm2", "ln_2"}, {"mlp.fc1", "mlp.c_fc"}, {"mlp.fc2", "mlp.c_proj"}, {"self_attn.out_proj", "attn.out_proj"}}) {
                for (var kind : new String[] {".weight", ".bias"}) tensor(writer, from + part[0] + kind, to + part[1] + kind, shapes.get(from + part[0] + kind).toArray());
            }
            float[] weight = new float[3 * width * width], bias = new float[3 * width];
            for (int part = 0; part < 3; part++) {
                var own = from + "self_attn." + "qkv".charAt(part) + "_proj.";
                System.arraycopy(RandomPictureWeights.parameter(own + "weight", width, width), 0, weight, part * width * width, width * width);
                System.arraycopy(RandomPictureWeights.parameter(own + "bias", width), 0, bias, part * width, width);
            }
            writer.tensor(new TensorInfo(to + "attn.in_proj_weight", DType.F16, new Shape(3 * width, width)), data(weight));
            writer.tensor(new TensorInfo(to + "attn.in_proj_bias", DType.F16, new Shape(3 * width)), data(bias));
        }
        tensor(writer, "text_model.embeddings.token_embedding.weight", prefix + "token_embedding.weight", 49408, width);
        tensor(writer, "text_model.embeddings.position_embedding.weight", prefix + "positional_embedding", 77, width);
        tensor(writer, "text_model.final_layer_norm.weight", prefix + "ln_final.weight", width);
        tensor(writer, "text_model.final_layer_norm.bias", prefix + "ln_final.bias", width);
        float[] projection = RandomPictureWeights.parameter("text_projection.weight", width, width), turned = new float[width * width];
        for (int i = 0; i < width; i++) for (int j = 0; j < width; j++) turned[j * width + i] = projection[i * width + j];
        writer.tensor(new TensorInfo(prefix + "text_projection", DType.F16, new Shape(width, width)), data(turned));
        writer.tensor(new TensorInfo(prefix + "logit_scale", DType.F16, new Shape(1)), data(new float[] {1}));
    }

    private static void tensor(SafetensorsWriter writer, String name, String stored, int... dims) {
        writer.tensor(new TensorInfo(stored, DType.F16, new Shape(dims)), data(RandomPictureWeights.parameter(name, dims)));
    }
}
