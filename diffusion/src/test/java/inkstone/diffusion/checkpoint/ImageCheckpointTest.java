package inkstone.diffusion.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.ImagePipeline.Watcher;
import inkstone.diffusion.Picture;
import inkstone.diffusion.RandomPictureWeights;
import inkstone.diffusion.TestDevices;
import inkstone.diffusion.sampling.Parameterization;
import inkstone.diffusion.stable.StableDiffusion;
import inkstone.diffusion.text.ClipConfig;
import inkstone.diffusion.text.ClipEncoder;
import inkstone.diffusion.unet.UNet;
import inkstone.diffusion.unet.UNetConfig;
import inkstone.diffusion.vae.Autoencoder;
import inkstone.diffusion.vae.AutoencoderConfig;
import inkstone.tensor.Backend;
import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.Elementwise;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.Safetensors;
import inkstone.tensor.checkpoint.SafetensorsWriter;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.checkpoint.TensorInfo;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One small model in all the forms that files have, which must paint the same picture. */
class ImageCheckpointTest {
    private static final UNetConfig UNET = new UNetConfig(4, 4, 32, List.of(1, 2), 1, List.of(1, 0), 1, 32, 8, 64, 0, 0);
    private static final AutoencoderConfig AUTOENCODER = new AutoencoderConfig(3, 32, List.of(1, 2), 1, 4, 32, true, true, 0.18215f, 0);
    private static final ClipConfig TEXT = new ClipConfig(49408, 77, 32, 2, 1, 128, Elementwise.QUICK_GELU, 0, 49407);

    @TempDir static Path folder;
    private static Backend backend;
    private static Path single;
    private static Picture expected;

    @BeforeAll static void writeOneFile() throws IOException {
        backend = TestDevices.backend("cpu");
        single = TinyModels.stableDiffusion1(folder.resolve("single.safetensors"), UNET, AUTOENCODER, TEXT);
        expected = painted(single, Companions.NONE, List.of());
    }

    @AfterAll static void close() { backend.close(); }

    private static Picture painted(Path path, Companions companions, List<ImageLoras.Source> loras) throws IOException {
        try (var model = StableDiffusion.open(path, companions, loras, backend)) {
            var request = model.info().defaults().withPrompt("a cat").withSize(64, 64).withSteps(2).withSampler("euler", "normal").withSeed(1);
            return model.paint(request, Watcher.NOBODY).getFirst().picture();
        }
    }



    // ---- forms ---------------------------------------------------------------------------------------------------------------------------------------

    @Test void aFolderOfDiffusersPaintsTheSame() throws IOException {
        var root = diffusers(folder.resolve("diffusers"), "epsilon");
        try (var model = ImageCheckpoint.open(root, Companions.NONE)) {
            assertEquals(Family.STABLE_DIFFUSION_1, model.family());
            assertEquals(Parameterization.EPSILON, model.prediction());
            assertEquals(List.of(), model.unknown());
        }
        assertEquals(expected, painted(root, Companions.NONE, List.of()));
    }

    @Test void aFolderSaysWhatItsNetworkPredicts() throws IOException {
        try (var model = ImageCheckpoint.open(diffusers(folder.resolve("velocity"), "v_prediction"), Companions.NONE)) { assertEquals(Parameterization.VELOCITY, model.prediction()); }
    }

    private static Path diffusers(Path root, String prediction) throws IOException {
        var names = UNetNames.of(2, 1, level -> level == 1, true);
        for (var part : List.of("unet", "vae", "text_encoder", "scheduler")) Files.createDirectories(root.resolve(part));
        Files.writeString(root.resolve("model_index.json"), "{\"_class_name\": \"StableDiffusionPipeline\", \"unet\": [\"diffusers\", \"UNet2DConditionModel\"]}");
        Files.writeString(root.resolve("unet/config.json"), "{\"attention_head_dim\": 8}");
        Files.writeString(root.resolve("vae/config.json"), "{\"scaling_factor\": 0.18215}");
        Files.writeString(root.resolve("text_encoder/config.json"), "{\"hidden_act\": \"quick_gelu\", \"num_attention_heads\": 1}");
        Files.writeString(root.resolve("scheduler/scheduler_config.json"), "{\"_class_name\": \"PNDMScheduler\", \"prediction_type\": \"%s\"}".formatted(prediction));
        TinyModels.add(new SafetensorsWriter(), TinyModels.parameters(w -> UNet.of(UNET, w)), names::diffusers, true).write(root.resolve("unet/diffusion_pytorch_model.fp16.safetensors"));
        var autoencoder = new SafetensorsWriter();
        TinyModels.parameters(w -> Autoencoder.of(AUTOENCODER, w)).forEach((name, shape) -> {
            int[] dims = shape.toArray();
            boolean pixel = dims.length == 2 && !name.contains("attn_1");
            int[] stored = dims.length == 4 ? new int[] {dims[0], dims[3], dims[1], dims[2]} : pixel ? new int[] {dims[0], dims[1], 1, 1} : dims;
            autoencoder.tensor(new TensorInfo(diffusersAutoencoder(name), DType.F16, new Shape(stored)), TinyModels.data(RandomPictureWeights.parameter(name, stored)));
        });
        autoencoder.write(root.resolve("vae/diffusion_pytorch_model.safetensors"));
        TinyModels.add(new SafetensorsWriter(), TinyModels.parameters(w -> ClipEncoder.of(TEXT, w)), name -> name, false).write(root.resolve("text_encoder/model.safetensors"));
        return root;
    }

    /** Written from diffusers' code: two levels, of which the decoder's are counted from the deepest. */
    private static String diffusersAutoencoder(String name) {
        return name.replace("mid.block_1", "mid_block.resnets.0").replace("mid.block_2", "mid_block.resnets.1").replace("mid.attn_1.norm", "mid_block.attentions.0.group_norm")
            .replace("mid.attn_1.proj_out", "mid_block.attentions.0.to_out.0").replaceAll("mid\\.attn_1\\.([qkv])\\.", "mid_block.attentions.0.to_$1.").replace("norm_out", "conv_norm_out")
            .replace("nin_shortcut", "conv_shortcut").replaceAll("encoder\\.down\\.(\\d)\\.block\\.", "encoder.down_blocks.$1.resnets.").replace("down.0.downsample.", "down_blocks.0.downsamplers.0.")
            .replace("up.1.block.", "up_blocks.0.resnets.").replace("up.0.block.", "up_blocks.1.resnets.").replace("up.1.upsample.", "up_blocks.0.upsamplers.0.");
    }

    /** The network alone, in eight bits, with the rest beside it. */
    @Test void gguf() throws IOException {
        var writer = new GgufWriter().string("general.architecture", "sd1");
        TinyModels.parameters(w -> UNet.of(UNET, w)).forEach((name, shape) -> {
            int[] dims = shape.toArray();
            boolean matrix = dims.length == 2 && !name.matches(".*(skip_connection|proj_in|proj_out)\\.weight");
            int[] stored = dims.length == 4 ? new int[] {dims[0], dims[3], dims[1], dims[2]} : dims.length == 2 && !matrix ? new int[] {dims[0], dims[1], 1, 1} : dims;
            var format = matrix ? DType.Q8_0 : dims.length > 1 ? DType.F16 : DType.F32;
            float[] values = RandomPictureWeights.parameter(name, stored);
            TensorData data = out -> {
                var bytes = MemorySegment.ofArray(new byte[Math.toIntExact(format.bytes(values.length))]);
                Blocks.fromFloats(format, values, bytes, 0, values.length);
                out.write(bytes);
            };
            writer.tensor(new TensorInfo(name, format, new Shape(stored)), data);
        });
        var file = folder.resolve("unet-q8_0.gguf");
        writer.write(file);
        Path autoencoder = folder.resolve("vae.safetensors"), text = folder.resolve("clip.safetensors");
        TinyModels.add(new SafetensorsWriter(), TinyModels.parameters(w -> Autoencoder.of(AUTOENCODER, w)), name -> name, true).write(autoencoder);
        TinyModels.add(new SafetensorsWriter(), TinyModels.parameters(w -> ClipEncoder.of(TEXT, w)), name -> name, false).write(text);
        var companions = new Companions(autoencoder, List.of(text), null);
        double psnr = TestDevices.psnr(expected, painted(file, companions, List.of()));
        assertTrue(psnr > 30 && psnr < 80, psnr + " dB");
        var alone = assertThrows(ModelException.class, () -> ImageCheckpoint.open(file, Companions.NONE));
        assertTrue(alone.getMessage().contains("has no autoencoder"), alone.getMessage());

        /* A change that is added at run time is the one that is merged into floats, but for eight bits. */
        var loras = List.of(new ImageLoras.Source(lora("both.safetensors", true), 1, 1));
        Picture merged = painted(single, Companions.NONE, loras), beside = painted(file, companions, loras);
        assertTrue(TestDevices.psnr(merged, beside) > TestDevices.psnr(expected, merged) + 10, "%.1f dB, without the change %.1f".formatted(TestDevices.psnr(merged, beside), TestDevices.psnr(expected, merged)));
    }

    // ---- LoRA ----------------------------------------------------------------------------------------------------------------------------------------

    private static final int RANK = 4;
    private static final float ALPHA = 2;
    /** The same parts as kohya, PEFT and CompVis name them. */
    private static final String[][] CHANGED = {
        {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q"},
        {"lora_unet_down_blocks_0_attentions_0_proj_in", "unet.down_blocks.0.attentions.0.proj_in", "model.diffusion_model.input_blocks.1.1.proj_in"},
        {"lora_unet_up_blocks_1_resnets_0_conv1", "unet.up_blocks.1.resnets.0.conv1", "model.diffusion_model.output_blocks.2.0.in_layers.2"},
        {"lora_te_text_model_encoder_layers_0_mlp_fc1", "text_encoder.text_model.encoder.layers.0.mlp.fc1", "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1"}};
    private static final int[][] CHANGED_DIMS = {{32, 32}, {32, 32, 1, 1}, {32, 96, 3, 3}, {128, 32}};

    private static float[] down(int i) { return RandomPictureWeights.values("down" + i, RANK * columns(i), 0.3, 0); }
    private static float[] up(int i) { return RandomPictureWeights.values("up" + i, CHANGED_DIMS[i][0] * RANK, 0.3, 0); }

    private static int columns(int i) {
        int columns = 1;
        for (int axis = 1; axis < CHANGED_DIMS[i].length; axis++) columns *= CHANGED_DIMS[i][axis];
        return columns;
    }

    private static Path lora(String name, boolean kohya) throws IOException {
        var writer = new SafetensorsWriter();
        for (int i = 0; i < CHANGED.length; i++) {
            int[] dims = CHANGED_DIMS[i].clone(), upDims = dims.length == 4 ? new int[] {dims[0], RANK, 1, 1} : new int[] {dims[0], RANK};
            dims[0] = RANK;
            var key = CHANGED[i][kohya ? 0 : 1];
            writer.tensor(new TensorInfo(key + (kohya ? ".lora_down.weight" : ".lora_A.weight"), DType.F16, new Shape(dims)), TinyModels.data(down(i)));
            writer.tensor(new TensorInfo(key + (kohya ? ".lora_up.weight" : ".lora_B.weight"), DType.F16, new Shape(upDims)), TinyModels.data(up(i)));
            writer.tensor(new TensorInfo(key + ".alpha", DType.F16, new Shape(1)), TinyModels.data(new float[] {ALPHA}));
        }
        var file = folder.resolve(name);
        writer.write(file);
        return file;
    }

    /** Against a file whose weights were changed by hand. */
    @Test void changesOfBothFormsAreThoseMadeByHand() throws IOException {
        var byHand = new TreeMap<String, float[]>();
        for (int i = 0; i < CHANGED.length; i++) {
            float[] down = down(i), up = up(i), change = new float[CHANGED_DIMS[i][0] * columns(i)];
            for (int o = 0; o < CHANGED_DIMS[i][0]; o++) for (int r = 0; r < RANK; r++) for (int c = 0; c < columns(i); c++) {
                change[o * columns(i) + c] += 0.5f * ALPHA / RANK * up[o * RANK + r] * down[r * columns(i) + c];
            }
            byHand.put(CHANGED[i][2] + ".weight", change);
        }
        var changed = new SafetensorsWriter();
        try (var file = Safetensors.open(single)) {
            file.tensors().values().forEach(info -> {
                var values = new float[Math.toIntExact(info.shape().elements())];
                Blocks.toFloats(info.dtype(), file.data(info.name()), 0, values, values.length);
                var change = byHand.remove(info.name());
                for (int i = 0; change != null && i < values.length; i++) values[i] += change[i];
                changed.tensor(info, TinyModels.data(values));
            });
            changed.write(folder.resolve("by-hand.safetensors"));
        }
        assertTrue(byHand.isEmpty());
        var kohya = painted(single, Companions.NONE, List.of(new ImageLoras.Source(lora("kohya.safetensors", true), 0.5f, 0.5f)));
        assertEquals(kohya, painted(single, Companions.NONE, List.of(new ImageLoras.Source(lora("peft.safetensors", false), 0.5f, 0.5f))));
        var hand = painted(folder.resolve("by-hand.safetensors"), Companions.NONE, List.of());
        assertTrue(TestDevices.psnr(hand, kohya) > 50, TestDevices.psnr(hand, kohya) + " dB");
        assertTrue(TestDevices.psnr(expected, kohya) < 40, TestDevices.psnr(expected, kohya) + " dB");
    }

    @Test void aPromptNamesItsLoras() throws IOException {
        Files.createDirectories(folder.resolve("loras"));
        Files.move(lora("style.safetensors", true), folder.resolve("loras/style.safetensors"));
        try (var model = StableDiffusion.open(single, Companions.NONE, List.of(), backend)) {
            var request = model.info().defaults().withPrompt("a cat<lora:style:0.5>").withSize(64, 64).withSteps(2).withSampler("euler", "normal").withSeed(1);
            var changed = model.paint(request, Watcher.NOBODY).getFirst().picture();
            assertEquals(painted(single, Companions.NONE, List.of(new ImageLoras.Source(folder.resolve("loras/style.safetensors"), 0.5f, 0.5f))), changed);
            assertEquals(expected, model.paint(request.withPrompt("a cat"), Watcher.NOBODY).getFirst().picture(), "the next request is without it");
        }
    }

    @Test void aLoraOfAnotherFormIsRefused() {
        var file = TestDevices.data("weights-lora/lora_disney.safetensors");
        var message = assertThrows(ModelException.class, () -> painted(single, Companions.NONE, List.of(new ImageLoras.Source(file, 1, 1)))).getMessage();
        assertTrue(message.contains("numbers its tensors"), message);
    }

    // ---- what is not whole, or not known -------------------------------------------------------------------------------------------------------------

    @Test void allThatIsMissingIsToldAtOnceAndTheUnknownIsListed() throws IOException {
        var writer = new SafetensorsWriter();
        try (var file = Safetensors.open(single)) {
            file.tensors().values().forEach(info -> {
                if (!info.name().matches(".*(time_embed\\.2\\.bias|encoder\\.conv_in\\.weight|layers\\.1\\.mlp\\.fc2\\.weight)")) writer.tensor(info, TensorData.of(file.data(info.name())));
            });
            writer.write(folder.resolve("holes.safetensors"));
        }
        var message = assertThrows(ModelException.class, () -> ImageCheckpoint.open(folder.resolve("holes.safetensors"), Companions.NONE)).getMessage();
        for (var name : List.of("time_embed.2.bias", "encoder.conv_in.weight", "layers.1.mlp.fc2.weight")) assertTrue(message.contains(name), message);

        var more = new SafetensorsWriter();
        try (var file = Safetensors.open(single)) {
            file.tensors().values().forEach(info -> more.tensor(info, TensorData.of(file.data(info.name()))));
            for (var name : List.of("model_ema.decay", "alphas_cumprod", "model.diffusion_model.extra.weight", "something.else")) more.tensor(new TensorInfo(name, DType.F16, new Shape(1)), TinyModels.data(new float[1]));
            more.write(folder.resolve("more.safetensors"));
        }
        try (var model = ImageCheckpoint.open(folder.resolve("more.safetensors"), Companions.NONE)) {
            assertEquals(List.of("something.else", "model.diffusion_model.extra.weight"), model.unknown());
            assertTrue(model.summary().endsWith("not used: something.else, model.diffusion_model.extra.weight"), model.summary());
        }
    }

    @Test void otherModelsAreRefusedByName() throws IOException {
        assertRefused("Stable Diffusion 3", "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight");
        assertRefused("FLUX", "double_blocks.0.img_attn.qkv.weight");
        assertRefused("a LoRA", "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight");
        assertRefused("an autoencoder alone", "decoder.conv_in.weight");
        assertRefused("no model for pictures that is known here", "some.weight");
        var absent = assertThrows(ModelException.class, () -> ImageCheckpoint.open(folder.resolve("nowhere"), Companions.NONE)).getMessage();
        assertTrue(absent.contains("does not exist"), absent);
        Files.createDirectories(folder.resolve("flux"));
        Files.writeString(folder.resolve("flux/model_index.json"), "{\"_class_name\": \"FluxPipeline\"}");
        var flux = assertThrows(ModelException.class, () -> ImageCheckpoint.open(folder.resolve("flux"), Companions.NONE)).getMessage();
        assertTrue(flux.contains("is made for FluxPipeline"), flux);
    }

    private static void assertRefused(String expected, String tensor) throws IOException {
        var file = folder.resolve("other.safetensors");
        new SafetensorsWriter().tensor(new TensorInfo(tensor, DType.F16, new Shape(2)), TinyModels.data(new float[2])).write(file);
        var message = assertThrows(ModelException.class, () -> ImageCheckpoint.open(file, Companions.NONE)).getMessage();
        assertTrue(message.contains(expected), message);
    }

    @Test void namesTellOfDistillation() throws IOException {
        for (var name : List.of("sd_turbo", "dreamshaper-lcm", "welcmed")) {
            var file = folder.resolve(name + ".safetensors");
            Files.copy(single, file);
            try (var model = ImageCheckpoint.open(file, Companions.NONE)) {
                assertEquals(name.contains("turbo") ? Distillation.TURBO : name.contains("-lcm") ? Distillation.LCM : Distillation.NONE, model.distillation());
            }
        }
    }
}
