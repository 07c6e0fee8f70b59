package inkstone.transformer;

import static inkstone.transformer.TestData.floats;
import static inkstone.transformer.TestData.folder;
import static inkstone.transformer.TestData.ints;
import static inkstone.transformer.TestData.largestDifference;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.reference.ReferenceBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every family as Hugging Face would store it ({@link HuggingFaceLayouts}): the folder, and the file that {@link Converter} makes of it, compute what llama.cpp does.
 * Folders, and the files that {@link Converter} makes of them, stay in the folder of -Dinkstone.keep, for other engines to read.
 */
class HuggingFaceFamiliesTest {
    /** Of the golden logits; see their SOURCE.txt. */
    private static final double TOLERANCE = 5e-4;
    /** Frequencies, norms less one and logarithms may round by one unit in the last place; a wrong row is off by 1e-2 at least. */
    private static final double ROUNDING = 2e-4;

    @TempDir Path temporary;

    private static Path golden(String name) { return folder("golden-logits").resolve(name).resolve("model.gguf"); }

    private Path home() { return System.getProperty("inkstone.keep") == null ? temporary : Path.of(System.getProperty("inkstone.keep")); }

    private Path random(String name) throws IOException {
        var file = temporary.resolve(name + "-original.gguf");
        RandomModelsTest.model(name).write(golden("qwen2"), file);
        return file;
    }

    private Path converted(String name, Path directory, DType type) throws IOException {
        var file = home().resolve(name + ".gguf");
        Converter.convert(directory, file, type, 2, (tensor, written, all) -> { });
        return file;
    }

    private static float[] logits(Path file, int[] tokens) throws IOException {
        try (var backend = TestData.backend("cpu"); var model = Models.open(file, backend); var scope = Scope.inference(backend)) {
            float[] logits = model.model().logits(model.model().forward(scope.ints(tokens), Packed.of(scope, tokens.length))).toFloats();
            for (float logit : logits) assertTrue(Float.isFinite(logit));
            return logits;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama-linear", "llama3-rope", "mixtral", "qwen2", "qwen3", "phi3", "gpt2", "gemma2", "stablelm", "phi2", "falcon", "granite", "gptoss", "gptoss-mxfp4",
        "deepseek2-lite", "mamba"})
    void aFolderOfAGoldenModelHasItsLogits(String name) throws IOException {
        int[] tokens = ints(golden(name).resolveSibling("tokens.txt"));
        float[] expected = floats(golden(name).resolveSibling("logits.f32"));
        var writer = new HuggingFaceWriter(golden(name));
        var config = HuggingFaceLayouts.of(name, writer);
        var directory = writer.write(home().resolve(name.replace("phi3", "phi-three") + "-folder"), config, 1);
        double read = largestDifference(expected, logits(directory, tokens)), through = largestDifference(expected, logits(converted(name, directory, DType.F32), tokens));
        if (Boolean.getBoolean("inkstone.figures")) System.out.printf("%-16s folder %.1e, converted %.1e%n", name, read, through);
        assertTrue(read < TOLERANCE && through < TOLERANCE, "%s: off by %s read, %s converted".formatted(name, read, through));
    }

    @ParameterizedTest
    @ValueSource(strings = {"gemma3", "olmo2", "olmo3", "smollm3", "gptneox-parallel", "gptneox-sequential", "command-r", "cohere2", "qwen3moe", "granitemoe", "falcon-40b",
        "stablelm-12b", "deepseek3", "gemma", "seed_oss", "arcee"})
    void aFolderComputesWhatTheFileDoes(String name) throws IOException {
        var original = random(name);
        var writer = new HuggingFaceWriter(original);
        var config = HuggingFaceLayouts.of(name, writer);
        var directory = writer.write(home().resolve(name.replace("phi3", "phi-three") + "-folder"), config, 2);
        float[] expected = logits(original, RandomModelsTest.TOKENS);
        double read = largestDifference(expected, logits(directory, RandomModelsTest.TOKENS));
        double through = largestDifference(expected, logits(converted(name, directory, DType.F32), RandomModelsTest.TOKENS));
        if (Boolean.getBoolean("inkstone.figures")) System.out.printf("%-18s folder %.1e, converted %.1e%n", name, read, through);
        assertTrue(read < ROUNDING && through < ROUNDING, "%s: off by %s read, %s converted".formatted(name, read, through));
    }

    /** Its magnitude is the root of 1 + ln(4096 / 512) / ln(512), which the original file rounds to 1.19. */
    @Test void longRopeFollowsFromTheContextLengths() throws IOException {
        var original = random("phi3-longrope");
        var writer = new HuggingFaceWriter(original);
        var directory = writer.write(home().resolve("longrope-folder"), HuggingFaceLayouts.of("phi3-longrope", writer), 1);
        float[] read = logits(directory, RandomModelsTest.TOKENS);
        assertEquals(0, largestDifference(read, logits(converted("phi3-longrope", directory, DType.F32), RandomModelsTest.TOKENS)), ROUNDING);
        assertTrue(TestData.normalisedError(logits(original, RandomModelsTest.TOKENS), read) < 0.05, "1.19 or " + Math.sqrt(1 + Math.log(8) / Math.log(512)));
    }

    /** Norms of heads have 64 times the epsilon of others in a folder; in a GGUF file always 64e-5, so that only those of 1e-5 are alike. */
    @Test void anRwkvFolderComputesWhatTheFileDoes() throws IOException {
        var original = temporary.resolve("rwkv7-original.gguf");
        try (var file = Gguf.open(golden("rwkv7"))) {
            var writer = new GgufWriter();
            for (var key : file.metadata().values().keySet()) {
                if (key.endsWith("layer_norm_epsilon")) writer.f32(key, 1e-5f); else writer.copy(file, key);
            }
            file.tensors().values().forEach(info -> writer.tensor(info, TensorData.of(file.data(info.name()))));
            writer.write(original);
        }
        int[] tokens = ints(golden("rwkv7").resolveSibling("tokens.txt"));
        var writer = new HuggingFaceWriter(original);
        var directory = writer.write(home().resolve("rwkv7-folder"), HuggingFaceLayouts.of("rwkv7", writer), 1);
        float[] expected = logits(original, tokens);
        assertEquals(0, largestDifference(expected, logits(directory, tokens)), ROUNDING);
        assertEquals(0, largestDifference(expected, logits(converted("rwkv7", directory, DType.F32), tokens)), ROUNDING);

        var config = directory.resolve("config.json");
        Files.writeString(config, Files.readString(config).replace("\"norm_eps\": 9.999999747378752E-6", "\"norm_eps\": 0.002"));
        assertTrue(largestDifference(expected, logits(directory, tokens)) > 1e-2);
        assertTrue(assertThrows(ModelException.class, () -> converted("rwkv7-eps", directory, DType.F32)).getMessage().contains("cannot tell of norms of heads"));
    }

    @Test void aFolderOfBertEmbedsAsTheFileDoes() throws IOException {
        var writer = new HuggingFaceWriter(golden("bert"));
        var directory = writer.write(home().resolve("bert-folder"), HuggingFaceLayouts.of("bert", writer), 1);
        int[] tokens = ints(golden("bert").resolveSibling("tokens.txt"));
        float[] expected = embedding(golden("bert"), tokens);
        assertEquals(0, largestDifference(expected, embedding(directory, tokens)), 1e-5);
        assertEquals(0, largestDifference(expected, embedding(converted("bert", directory, DType.F32), tokens)), 1e-5);
        var pooling = Files.createDirectory(directory.resolve("1_Pooling")).resolve("config.json");
        Files.writeString(pooling, "{\"word_embedding_dimension\": 64, \"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false}");
        float[] first = embedding(directory, tokens);
        assertTrue(largestDifference(expected, first) > 1e-2, "the first token's state is not the mean");
        try (var backend = new ReferenceBackend()) {
            assertTrue(assertThrows(ModelException.class, () -> Models.open(directory, backend).close()).getMessage().contains("makes vectors of texts and cannot write"));
        }
        assertArrayEquals(first, embedding(converted("bert-cls", directory, DType.F32), tokens));
        Files.writeString(pooling, "{\"pooling_mode_max_tokens\": true, \"pooling_mode_mean_tokens\": false}");
        assertThrows(ModelException.class, () -> embedding(directory, tokens));
    }

    /** Of length 1. */
    private static float[] embedding(Path file, int[] tokens) throws IOException {
        try (var backend = new ReferenceBackend(); var bert = Models.openAny(file, backend); var scheduler = EmbeddingScheduler.start(bert, bert.config().contextLength(), 1)) {
            return scheduler.embed(List.of(tokens), bert.pooling()).join().getFirst();
        }
    }

    /** Weights in 16 bits, and vectors with them; measured error 1e-6 to 4e-5. What kernels take as F32 alone is converted. */
    @ParameterizedTest
    @ValueSource(strings = {"mamba", "gptoss", "stablelm-12b", "rwkv7", "mixtral", "deepseek3"})
    void foldersHoldHalves(String name) throws IOException {
        var original = name.matches("stablelm-12b|deepseek3") ? random(name) : golden(name);
        var writer = new HuggingFaceWriter(original);
        writer.type = name.equals("mamba") ? "F16" : "BF16";
        var config = HuggingFaceLayouts.of(name, writer);
        if (name.equals("rwkv7")) config = config.replaceFirst("\"norm_eps\": [^,]*", "\"norm_eps\": 1e-5");
        var directory = writer.write(home().resolve(name + "-halves"), config, 3);
        float[] expected = logits(original, RandomModelsTest.TOKENS);
        double error = TestData.normalisedError(expected, logits(directory, RandomModelsTest.TOKENS));
        assertTrue(error > 0 && error < 2e-2, name + ": " + error);
        double quantized = TestData.normalisedError(expected, logits(converted(name + "-q8_0", directory, DType.Q8_0), RandomModelsTest.TOKENS));
        assertTrue(quantized < 5e-2, name + " in Q8_0: " + quantized);
    }

    /** Eight bits with a scale for each tile. Numbers that eight bits hold exactly, with powers of two as scales, give the same logits. */
    @Test void aFolderHoldsTilesOfEightBits() throws IOException {
        var rounded = rounded(random("deepseek3"));
        var writer = new HuggingFaceWriter(rounded);
        var config = HuggingFaceLayouts.of("deepseek3", writer);
        float[] expected = logits(rounded, RandomModelsTest.TOKENS);
        writer.eightBits(name -> name.matches(".*(_proj|_proj_with_mqa)\\.weight"), TILE);
        var directory = writer.write(home().resolve("fp8-folder"), config.substring(0, config.length() - 1)
            + ", \"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [%d, %d], \"fmt\": \"e4m3\"}}".formatted(TILE, TILE), 1);
        assertEquals(0, largestDifference(expected, logits(directory, RandomModelsTest.TOKENS)), ROUNDING);
        assertEquals(0, largestDifference(expected, logits(converted("deepseek3-fp8", directory, DType.BF16), RandomModelsTest.TOKENS)), ROUNDING);
    }

    private static final int TILE = 20;

    /** Every matrix in numbers of 3 binary digits behind the first, not far from each other: 2^-4 to 2. */
    private Path rounded(Path original) throws IOException {
        var file = temporary.resolve("rounded.gguf");
        try (var gguf = Gguf.open(original)) {
            var writer = new GgufWriter();
            gguf.metadata().values().keySet().forEach(key -> writer.copy(gguf, key));
            gguf.tensors().values().forEach(info -> {
                var bytes = gguf.data(info.name()).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
                var floats = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
                for (int i = 0; info.shape().rank() > 1 && i < floats.limit(); i++) floats.put(i, HuggingFaceWriter.roundedToEight(floats.get(i)));
                writer.tensor(info, TensorData.of(java.lang.foreign.MemorySegment.ofArray(bytes)));
            });
            writer.write(file);
        }
        return file;
    }

    /** A model that also sees, as transformers wrote it before 4.52 and after: what it sees with is passed over. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void theTextModelInsideAnotherIsRead(boolean old) throws IOException {
        var original = random("gemma3");
        var writer = new HuggingFaceWriter(original);
        var config = HuggingFaceLayouts.of("gemma3", writer).replace("\"architectures\": [\"Gemma3ForCausalLM\"]", "\"model_type\": \"gemma3_text\"").replace(", \"vocab_size\": 512", "");
        writer.rename(name -> old ? "language_model." + name : name.replaceFirst("^model\\.", "model.language_model."));
        writer.put("vision_tower.vision_model.post_layernorm.weight", new NdArray(new float[4], 4));
        writer.put((old ? "" : "model.") + "multi_modal_projector.mm_input_projection_weight", new NdArray(new float[4], 2, 2));
        var directory = writer.write(temporary.resolve("gemma3"), "{\"architectures\": [\"Gemma3ForConditionalGeneration\"], \"text_config\": " + config + ", \"vision_config\": {}}", 1);
        assertEquals(0, largestDifference(logits(original, RandomModelsTest.TOKENS), logits(directory, RandomModelsTest.TOKENS)), ROUNDING);
    }

    /** gpt-oss says truncate = false: the ends of YaRN's ramp are not rounded to whole pairs. A file made of the folder says so too. */
    @Test void aRampOfYarnMayHaveEndsBetweenPairs() throws IOException {
        int[] tokens = ints(golden("gptoss").resolveSibling("tokens.txt"));
        var writer = new HuggingFaceWriter(golden("gptoss"));
        var directory = writer.write(temporary.resolve("gptoss"), HuggingFaceLayouts.of("gptoss", writer).replace("\"truncate\": true", "\"truncate\": false"), 1);
        float[] read = logits(directory, tokens);
        assertTrue(largestDifference(floats(golden("gptoss").resolveSibling("logits.f32")), read) > 1e-3);
        assertArrayEquals(read, logits(converted("gptoss-truncate", directory, DType.F32), tokens));
    }

    /** transformers 5 tells the rotation in one place, and experts in memory as one tensor. */
    @Test void newerFoldersAreReadAsOlderOnes() throws IOException {
        var original = random("olmo3");
        var writer = new HuggingFaceWriter(original);
        var config = HuggingFaceLayouts.of("olmo3", writer);
        var directory = writer.write(temporary.resolve("olmo3"), config, 1);
        float[] expected = logits(directory, RandomModelsTest.TOKENS);
        var newer = config.replace("\"rope_scaling\": {\"rope_type\"", "\"rope_parameters\": {\"rope_theta\": 5000.0, \"rope_type\"").replace("\"rope_theta\": 5000.0, \"hidden_act\"", "\"hidden_act\"");
        assertFalse(newer.contains("rope_scaling"));
        Files.writeString(directory.resolve("config.json"), newer);
        assertArrayEquals(expected, logits(directory, RandomModelsTest.TOKENS));

        var moe = new HuggingFaceWriter(random("qwen3moe"));
        NdArray gate = moe.take("blk.1.ffn_gate_exps.weight"), up = moe.take("blk.1.ffn_up_exps.weight");
        int count = gate.dims()[0], hidden = gate.dims()[1], dim = gate.dims()[2];
        moe.put("model.layers.1.mlp.experts.gate_up_proj", NdArray.concat(gate.reshape(1, count, hidden, dim), up.reshape(1, count, hidden, dim)).permute(1, 0, 2, 3).reshape(count, 2 * hidden, dim));
        moe.put("model.layers.1.mlp.experts.down_proj", moe.take("blk.1.ffn_down_exps.weight"));
        var fused = moe.write(temporary.resolve("fused"), HuggingFaceLayouts.of("qwen3moe", moe), 1);
        assertArrayEquals(logits(temporary.resolve("qwen3moe-original.gguf"), RandomModelsTest.TOKENS), logits(fused, RandomModelsTest.TOKENS));
    }

    /** Any number of config.json replaced by another: the folder opens, or says in one message why not. */
    @ParameterizedTest
    @ValueSource(strings = {"gptneox-parallel", "falcon-40b", "granitemoe", "deepseek3", "mamba", "rwkv7", "gptoss", "gemma3", "stablelm-12b", "gpt2"})
    void damagedConfigurationsNeverDoAnythingElse(String name) throws IOException {
        var writer = new HuggingFaceWriter(name.matches("mamba|rwkv7|gptoss|gpt2") ? golden(name) : random(name));
        var config = HuggingFaceLayouts.of(name, writer);
        var directory = writer.write(temporary.resolve("damaged"), config, 1);
        var numbers = java.util.regex.Pattern.compile("(?<=: )-?[0-9][0-9.E-]*").matcher(config).results().toList();
        int refused = 0;
        try (var backend = new ReferenceBackend()) {
            for (var number : numbers) {
                for (var other : new String[] {"0", "-1", "3", "1073741824", "2147483648", "0.5", "\"x\"", "null", "[]"}) {
                    Files.writeString(directory.resolve("config.json"), config.substring(0, number.start()) + other + config.substring(number.end()));
                    try {
                        Models.open(directory, backend).close();
                    } catch (ModelException e) {
                        refused++;
                    } catch (RuntimeException e) {
                        throw new AssertionError(name + ": " + other + " for " + config.substring(Math.max(0, number.start() - 40), number.end()), e);
                    }
                }
            }
        }
        assertTrue(refused > 3 * numbers.size(), refused + " refused");
    }

    @Test void whatCannotBeReadSaysWhatToDo() throws IOException {
        var writer = new HuggingFaceWriter(golden("mixtral"));
        var config = HuggingFaceLayouts.of("mixtral", writer);
        var directory = writer.write(temporary.resolve("mixtral"), config, 1);
        for (var method : new String[] {"gptq", "awq", "bitsandbytes", "compressed-tensors", "fp8"}) {
            Files.writeString(directory.resolve("config.json"), config.replaceFirst("\\{", "{\"quantization_config\": {\"quant_method\": \"%s\", \"bits\": 4}, ".formatted(method)));
            refused(directory, "the weights are quantized with " + method, "use the folder of the same model in BF16 or F16, or a GGUF file");
        }
        Files.writeString(directory.resolve("config.json"), config.replace("\"num_local_experts\": 4", "\"num_local_experts\": 5"));
        refused(directory, "model.layers.0.block_sparse_moe.experts.4.w1.weight is missing, of which blk.0.ffn_gate_exps.weight is made");
        Files.writeString(directory.resolve("config.json"), config.replace("\"num_local_experts\": 4", "\"num_local_experts\": 3"));
        refused(directory, "the model has no use for model.layers.0.block_sparse_moe.experts.3.w1.weight");
        Files.writeString(directory.resolve("config.json"), config.replace("\"intermediate_size\": 96", "\"intermediate_size\": 97"));
        refused(directory, "model.layers.0.block_sparse_moe.experts.0.w1.weight should have 6208 elements, found [96, 64]");
        Files.writeString(directory.resolve("config.json"), config.replace("\"hidden_act\": \"silu\"", "\"hidden_act\": \"relu\""));
        refused(directory, "hidden_act is \"relu\"");
        Files.writeString(directory.resolve("config.json"), config);
        Files.delete(directory.resolve("model.safetensors"));
        Files.writeString(directory.resolve("pytorch_model.bin"), "x");
        refused(directory, "pytorch_model.bin is a Python pickle, which can run any program and is not read: download the safetensors or GGUF files");

        var headless = new HuggingFaceWriter(golden("qwen2"));
        refused(headless.write(temporary.resolve("qwen2"), HuggingFaceLayouts.of("qwen2", headless).replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"), 1),
            "the head is not the embeddings (tie_word_embeddings), but the folder has no tensor for it");
    }

    private static void refused(Path directory, String... reasons) {
        try (var backend = new ReferenceBackend()) {
            var message = assertThrows(ModelException.class, () -> Models.open(directory, backend).close()).getMessage();
            for (var reason : reasons) assertTrue(message.contains(reason), message);
            assertFalse(message.contains("\n"));
            assertThrows(ModelException.class, () -> Converter.convert(directory, directory.resolveSibling("refused.gguf"), DType.F16, 2, (tensor, written, all) -> { }));
            assertFalse(Files.exists(directory.resolveSibling("refused.gguf")), Arrays.toString(reasons));
        }
    }
}
