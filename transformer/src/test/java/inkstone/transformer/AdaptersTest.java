package inkstone.transformer;

import static inkstone.transformer.TestData.folder;
import static inkstone.transformer.TestData.largestDifference;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.Linear;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.Safetensors;
import inkstone.tensor.train.Parameters;
import inkstone.transformer.adapters.Adapter;
import inkstone.transformer.adapters.AdapterData;
import inkstone.transformer.adapters.AdapterFile;
import inkstone.transformer.adapters.GgufLora;
import inkstone.transformer.adapters.LowRank;
import inkstone.transformer.adapters.Merge;
import inkstone.transformer.adapters.PeftFolder;
import inkstone.transformer.adapters.TrainableAdapter;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** An adapter beside a model, in every form that its file and the model's may have, against the model with the adapter merged into its weights. */
class AdaptersTest {
    private static final int[] TOKENS = new Random(7).ints(24, 0, 512).toArray();
    /** Sums in another order; a row in the wrong place, or a wrong scale, moves logits by more than 1e-2. */
    private static final double TOLERANCE = 2e-4;

    private final Backend backend = TestData.backend("cpu");
    @TempDir Path temporary;

    @AfterEach void close() { backend.close(); }

    private static Path golden(String name) { return folder("golden-logits").resolve(name).resolve("model.gguf"); }

    private static float[] logits(LanguageModel model) {
        try (var scope = Scope.inference(model.backend())) {
            return model.model().logits(model.model().forward(scope.ints(TOKENS), Packed.of(scope, TOKENS.length))).toFloats();
        }
    }

    private float[] logits(Path file) throws IOException {
        try (var model = Models.open(file, backend)) { return logits(model); }
    }

    private float[] logits(Path file, AdapterFile... adapters) throws IOException {
        try (var model = Models.open(file, backend)) {
            var uses = new ArrayList<Adapter.Use>();
            for (var adapter : adapters) uses.add(new Adapter.Use(Adapter.open(adapter.path(), model), adapter.weight()));
            return logits(model.adapted(Adapter.together(uses, backend)));
        }
    }

    /** An adapter of every linear map of a model, the head included where it has its own. */
    static AdapterData random(LanguageModel model, int rank, long seed, boolean dora) {
        var random = new Random(seed);
        var changes = new ArrayList<LowRank>();
        model.adapterBase().builder().apply((name, base, in, out) -> {
            if (model.adapterBase().isTied(name)) return base;
            float[] a = normal(random, rank * in, 1 / Math.sqrt(in)), b = normal(random, out * rank, 0.5);
            changes.add(new LowRank(name, in, out, rank, a, b, 0.4f, dora ? normal(random, out, 1) : null));
            return base;
        });
        return new AdapterData("random-" + seed, changes);
    }

    private static float[] normal(Random random, int count, double deviation) {
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float) (deviation * random.nextGaussian());
        return values;
    }

    private interface Write { void to(AdapterData adapter, LanguageModel model) throws IOException; }

    private void write(Path model, int rank, long seed, boolean dora, Write write) throws IOException {
        try (var opened = Models.open(model, backend)) { write.to(random(opened, rank, seed, dora), opened); }
    }

    private Path gguf(Path model, int rank, long seed) throws IOException {
        var file = temporary.resolve("adapter-%d.gguf".formatted(seed));
        write(model, rank, seed, false, (adapter, opened) -> GgufLora.write(adapter, opened.adapterBase(), file));
        return file;
    }

    private Path peft(Path model, int rank, long seed, boolean dora) throws IOException {
        var folder = temporary.resolve("peft-" + seed);
        write(model, rank, seed, dora, (adapter, opened) -> PeftFolder.write(adapter, opened.adapterBase(), "someone/model", folder));
        return folder;
    }

    private Path merged(Path model, QuantizationMixture mixture, AdapterFile... adapters) throws IOException {
        var file = Files.createTempDirectory(temporary, "merged").resolve("merged.gguf");
        Merge.toGguf(model, List.of(adapters), file, mixture, 2, (tensor, written, all) -> { });
        return file;
    }

    private Path folderOf(String name) throws IOException {
        var writer = new HuggingFaceWriter(golden(name));
        var config = HuggingFaceLayouts.of(name, writer);
        return writer.write(temporary.resolve(name + "-folder"), config, 1);
    }

    // ---- what it computes ------------------------------------------------------------------------------------------------------------------------------

    @Test void anAdapterOfWeightZeroIsNoneBitForBit() throws IOException {
        var adapter = gguf(TestData.stories(), 4, 1);
        assertArrayEquals(logits(TestData.stories()), logits(TestData.stories(), new AdapterFile(adapter, 0)));
        assertTrue(largestDifference(logits(TestData.stories()), logits(TestData.stories(), new AdapterFile(adapter, 1))) > 0.5);
    }

    /** Four ways to the same: a PEFT folder and a GGUF file, each with the GGUF model, whose queries and keys have other rows, and with the folder. */
    @Test void eitherFileOfAnAdapterFitsEitherFileOfItsModel() throws IOException {
        var folder = TestData.storiesDirectory(Files.createDirectory(temporary.resolve("stories260K")));
        Path gguf = gguf(TestData.stories(), 4, 2), peft = peft(TestData.stories(), 4, 2, false);
        float[] expected = logits(merged(TestData.stories(), QuantizationMixture.F32, new AdapterFile(gguf, 1)));
        for (var model : List.of(TestData.stories(), folder)) {
            for (var adapter : List.of(gguf, peft)) {
                double difference = largestDifference(expected, logits(model, new AdapterFile(adapter, 1)));
                if (Boolean.getBoolean("inkstone.figures")) System.out.printf("%s with %s: %.1e%n", model.getFileName(), adapter.getFileName(), difference);
                assertTrue(difference < TOLERANCE, "%s with %s: off by %s".formatted(model, adapter, difference));
            }
        }
        assertTrue(largestDifference(expected, logits(merged(folder, QuantizationMixture.F32, new AdapterFile(peft, 1)))) < TOLERANCE);
        // written again from the folder's order of rows, both are what they were
        try (var opened = Models.open(folder, backend)) {
            GgufLora.write(AdapterData.read(peft, opened.adapterBase()), opened.adapterBase(), temporary.resolve("again.gguf"));
            PeftFolder.write(AdapterData.read(gguf, opened.adapterBase()), opened.adapterBase(), "someone/model", temporary.resolve("again"));
        }
        assertEquals(-1, Files.mismatch(peft.resolve("adapter_model.safetensors"), temporary.resolve("again").resolve("adapter_model.safetensors")));
        assertEquals(-1, Files.mismatch(peft.resolve("adapter_config.json"), temporary.resolve("again").resolve("adapter_config.json")));
        try (var once = Gguf.open(gguf); var twice = Gguf.open(temporary.resolve("again.gguf"))) {
            for (var name : once.tensors().keySet()) assertEquals(-1, once.data(name).mismatch(twice.data(name)), name);
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, names = {"Q8_0", "Q4_0"})
    void quantizedModelsTakeAdaptersInFullPrecision(DType type) throws IOException {
        var model = temporary.resolve(type + ".gguf");
        Converter.convert(TestData.stories(), model, type, 2, (tensor, written, all) -> { });
        Path gguf = gguf(TestData.stories(), 4, 3), peft = peft(TestData.stories(), 4, 3, false);
        float[] adapted = logits(model, new AdapterFile(gguf, 1));
        assertArrayEquals(adapted, logits(model, new AdapterFile(peft, 1)));
        // merged in F32 nothing is rounded again
        double difference = largestDifference(adapted, logits(merged(model, QuantizationMixture.F32, new AdapterFile(gguf, 1))));
        double error = TestData.normalisedError(adapted, logits(merged(model, null, new AdapterFile(gguf, 1))));
        if (Boolean.getBoolean("inkstone.figures")) System.out.printf("%s: merged in F32 %.1e, in its own format a normalised error of %.1e%n", type, difference, error);
        assertTrue(difference < TOLERANCE, type + ": off by " + difference);
        assertTrue(error > 0 && error < (type == DType.Q8_0 ? 1e-3 : 1e-1), type + ": " + error);
    }

    @Test void weightsScaleAndAddUp() throws IOException {
        AdapterFile one = new AdapterFile(gguf(TestData.stories(), 4, 4), 0.7f), two = new AdapterFile(peft(TestData.stories(), 8, 5, false), -0.4f);
        float[] both = logits(TestData.stories(), one, two);
        assertTrue(largestDifference(both, logits(merged(TestData.stories(), QuantizationMixture.F32, one, two))) < TOLERANCE);
        assertTrue(largestDifference(both, logits(merged(TestData.stories(), QuantizationMixture.F32, one), two)) < TOLERANCE, "one merged, one beside it");
        assertTrue(largestDifference(both, logits(TestData.stories(), one)) > 0.1);
    }

    @Test void variantsShareTheWeightsInMemory() throws IOException {
        var file = gguf(TestData.stories(), 4, 6);
        try (var model = Models.open(TestData.stories(), backend)) {
            float[] before = logits(model);
            var adapted = model.adapted(Adapter.together(List.of(new Adapter.Use(Adapter.open(file, model), 1)), backend));
            float[] after = logits(adapted);
            assertArrayEquals(before, logits(model), "the model itself is as it was");
            assertArrayEquals(after, logits(adapted));
            assertArrayEquals(before, logits(adapted.adapted((name, base, in, out) -> base)));
        }
    }

    @Test void doraBesideTheModelIsDoraInIt() throws IOException {
        AdapterFile dora = new AdapterFile(peft(TestData.stories(), 4, 7, true), 0.6f), plain = new AdapterFile(gguf(TestData.stories(), 4, 8), 0.5f);
        for (var adapters : new AdapterFile[][] {{new AdapterFile(dora.path(), 1)}, {dora, plain}}) {
            double difference = largestDifference(logits(TestData.stories(), adapters), logits(merged(TestData.stories(), QuantizationMixture.F32, adapters)));
            assertTrue(difference < TOLERANCE, "off by " + difference);
        }
        assertArrayEquals(logits(TestData.stories()), logits(TestData.stories(), new AdapterFile(dora.path(), 0)));
        try (var model = Models.open(TestData.stories(), backend)) {
            var refused = assertThrows(ModelException.class, () -> GgufLora.write(AdapterData.read(dora.path(), model.adapterBase()), model.adapterBase(), temporary.resolve("dora.gguf")));
            assertTrue(refused.getMessage().contains("DoRA"), refused.getMessage());
        }
    }

    // ---- families --------------------------------------------------------------------------------------------------------------------------------------

    /**
     * The adapter's tensors are called what the folder's are, which HuggingFaceLayouts has from the original's code; W + scale · b a in Hugging Face's order of rows is what
     * the merged folder holds; and that folder computes what the GGUF model does with the adapter beside it.
     */
    @ParameterizedTest
    @ValueSource(strings = {"llama3-rope", "mixtral", "qwen2", "qwen3", "phi3", "gpt2", "gemma2", "stablelm", "phi2", "granite"})
    void adaptersOfHuggingFaceChangeWhatTheyName(String name) throws IOException {
        var folder = folderOf(name);
        var peft = peft(golden(name), 4, 9, false);
        var merged = temporary.resolve(name + "-merged");
        Merge.toFolder(folder, List.of(new AdapterFile(peft, 1)), merged, null, (tensor, written, all) -> { });
        boolean transposed = name.equals("gpt2");
        try (var before = Safetensors.open(folder); var after = Safetensors.open(merged); var adapter = Safetensors.open(peft.resolve("adapter_model.safetensors"))) {
            int changed = 0;
            for (var info : adapter.tensors().values()) {
                if (!info.name().endsWith(".lora_A.weight")) continue;
                var module = info.name().replace("base_model.model.", "").replace(".lora_A.weight", "");
                float[] a = floats(adapter, info.name()), b = floats(adapter, info.name().replace("lora_A", "lora_B")), w = floats(before, module + ".weight"), found = floats(after, module + ".weight");
                int rank = 4, in = a.length / rank, out = b.length / rank;
                for (int o = 0; o < out; o++) {
                    for (int k = 0; k < in; k++) {
                        double sum = 0;
                        for (int r = 0; r < rank; r++) sum += (double) b[o * rank + r] * a[r * in + k];
                        int at = transposed ? k * out + o : o * in + k;
                        assertEquals(w[at] + 0.4 * sum, found[at], 1e-5, module);
                    }
                }
                changed++;
            }
            assertTrue(changed > 8, "only " + changed);
        }
        float[] expected = logits(merged);
        for (var model : List.of(golden(name), folder)) {
            double difference = largestDifference(expected, logits(model, new AdapterFile(peft, 1)));
            assertTrue(difference < 1e-3, "%s: off by %s".formatted(model, difference));
        }
        assertTrue(largestDifference(expected, logits(golden(name))) > 1e-2);
        var config = HuggingFaceJson.read(peft.resolve("adapter_config.json"));
        assertEquals(transposed, config.bool("fan_in_fan_out"));
        assertEquals(4, config.integer("r"));
    }

    private static float[] floats(Checkpoint file, String name) {
        var info = file.tensors().get(name);
        assertTrue(info != null, () -> "no tensor " + name);
        var values = new float[Math.toIntExact(info.shape().elements())];
        Blocks.toFloats(info.dtype(), file.data(name), 0, values, values.length);
        return values;
    }

    // ---- training --------------------------------------------------------------------------------------------------------------------------------------

    private Tensor parameter(float[] values, int... dims) {
        var memory = backend.allocate(4L * values.length);
        backend.upload(memory, MemorySegment.ofArray(values));
        return Tensor.of(DType.F32, memory, dims);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aNewAdapterChangesNothingAndAWrittenOneIsTheTrained(boolean dora) throws IOException {
        try (var model = Models.open(TestData.stories(), backend)) {
            var settings = new TrainableAdapter.Settings(4, 8, dora, TrainableAdapter.targets(List.of("q_proj", "attn_k", "mlp.down_proj"), model.adapterBase()), 11);
            var adapter = new TrainableAdapter(settings, backend, (name, values, dims) -> parameter(values, dims), Linear.Lora.WHOLE);
            var tuned = model.adapted(adapter);
            assertEquals(15 * (dora ? 3 : 2), adapter.parameters().size());
            float[] before = logits(model);
            assertTrue(largestDifference(before, logits(tuned)) < 1e-4);
            var random = new Random(3);
            adapter.parameters().forEach((name, parameter) -> {
                if (name.endsWith("lora_a")) return;
                var moved = normal(random, Math.toIntExact(parameter.shape().elements()), 0.5);
                backend.upload(parameter.data(), MemorySegment.ofArray(moved));
            });
            float[] after = logits(tuned);
            assertTrue(largestDifference(before, after) > 0.1);
            var data = adapter.data("tuned");
            PeftFolder.write(data, model.adapterBase(), "stories", temporary.resolve("tuned"));
            double difference = largestDifference(after, logits(TestData.stories(), new AdapterFile(temporary.resolve("tuned"), 1)));
            assertTrue(difference < TOLERANCE, "off by " + difference);
            var config = HuggingFaceJson.read(temporary.resolve("tuned").resolve("adapter_config.json"));
            assertEquals(List.of("down_proj", "k_proj", "q_proj"), config.strings("target_modules"));
            assertEquals(8, config.integer("lora_alpha"));
            var refused = assertThrows(IllegalArgumentException.class, () -> TrainableAdapter.targets(List.of("k_prog"), model.adapterBase()));
            assertTrue(refused.getMessage().endsWith("has no linear map k_prog; there are all, attn_k, attn_output, attn_q, attn_v, ffn_down, ffn_gate, ffn_up, output"), refused.getMessage());
        }
    }

    private static double loss(LanguageModel model, Scope scope, boolean backward) {
        var targets = Arrays.copyOfRange(TOKENS, 1, TOKENS.length + 1);
        targets[TOKENS.length - 1] = -1;
        var loss = model.model().logits(model.model().forward(scope.ints(TOKENS), Packed.of(scope, TOKENS.length))).crossEntropy(scope.ints(targets)).sum();
        if (backward) scope.backward(loss);
        return loss.toFloats()[0];
    }

    /**
     * Along random directions of what learns: the gradient against finite differences. Lengths of rows are constants to DoRA's gradient (section 4.3 of the paper), so there
     * the magnitudes alone are moved.
     */
    @ParameterizedTest
    @CsvSource({"F32, false", "Q8_0, false", "Q4_0, false", "F32, true", "Q8_0, true"})
    void gradientsOfAdaptersAreThoseOfTheLoss(DType type, boolean dora) throws IOException {
        var file = temporary.resolve("base.gguf");
        Converter.convert(TestData.stories(), file, type, 2, (tensor, written, all) -> { });
        try (var model = Models.open(file, backend); var parameters = new Parameters(backend)) {
            var settings = new TrainableAdapter.Settings(4, 8, dora, TrainableAdapter.targets(List.of("all"), model.adapterBase()), 11);
            var tuned = model.adapted(new TrainableAdapter(settings, backend, parameters::add, x -> x.dropout(0)));
            var random = new Random(5);
            parameters.tensors().forEach((name, tensor) -> { if (name.endsWith("lora_b")) move(tensor, normal(random, Math.toIntExact(tensor.shape().elements()), 0.05), 1); });
            try (var scope = Scope.training(backend)) { loss(tuned, scope, true); }
            double expected = 0, size = 0;
            float step = 2e-3f;
            var directions = new LinkedHashMap<Tensor, float[]>();
            for (var entry : parameters.tensors().entrySet()) {
                if (dora != entry.getKey().endsWith("lora_magnitude")) continue;
                var tensor = entry.getValue();
                float[] direction = normal(random, Math.toIntExact(tensor.shape().elements()), 1), gradient = new float[direction.length];
                backend.download(MemorySegment.ofArray(gradient), tensor.gradient().data());
                for (int i = 0; i < gradient.length; i++) {
                    expected += (double) gradient[i] * direction[i];
                    size += (double) gradient[i] * gradient[i];
                }
                directions.put(tensor, direction);
            }
            var losses = new double[2];
            for (int side = 0; side < 2; side++) {
                for (var entry : directions.entrySet()) move(entry.getKey(), entry.getValue(), side == 0 ? step : -2 * step);
                try (var scope = Scope.inference(backend)) { losses[side] = loss(tuned, scope, false); }
            }
            double found = (losses[0] - losses[1]) / (2 * step);
            if (Boolean.getBoolean("inkstone.figures")) System.out.printf("%s%s: gradient %.4f, differences %.4f, size %.4f%n", type, dora ? " DoRA" : "", expected, found, Math.sqrt(size));
            assertTrue(size > 0);
            assertEquals(expected, found, 0.02 * Math.sqrt(size), type + ", DoRA " + dora);
        }
    }

    private void move(Tensor tensor, float[] direction, float step) {
        var values = new float[direction.length];
        backend.download(MemorySegment.ofArray(values), tensor.data());
        for (int i = 0; i < values.length; i++) values[i] += step * direction[i];
        backend.upload(tensor.data(), MemorySegment.ofArray(values));
    }

    @Test void theSameSeedGivesTheSameAdapter() throws IOException {
        var first = new ArrayList<float[]>();
        for (int round = 0; round < 2; round++) {
            try (var model = Models.open(TestData.stories(), backend)) {
                var settings = new TrainableAdapter.Settings(2, 2, false, linear -> true, 5);
                var adapter = new TrainableAdapter(settings, backend, (name, values, dims) -> parameter(values, dims), Linear.Lora.WHOLE);
                model.adapted(adapter);
                var changes = adapter.data("new").changes();
                for (int i = 0; i < changes.size(); i++) {
                    float[] a = changes.get(i).a();
                    double bound = 1 / Math.sqrt(changes.get(i).in());
                    for (float value : a) assertTrue(Math.abs(value) <= bound);
                    if (round == 0) first.add(a);
                    else assertArrayEquals(first.get(i), a);
                }
            }
        }
    }

    // ---- files that do not fit -------------------------------------------------------------------------------------------------------------------------

    private String refusal(Path adapter, Path model) throws IOException {
        try (var opened = Models.open(model, backend)) {
            var message = assertThrows(ModelException.class, () -> Adapter.open(adapter, opened)).getMessage();
            assertEquals(1, message.lines().count());
            return message;
        }
    }

    @Test void adaptersOfOtherModelsAreRefusedInOneLine() throws IOException {
        Path gguf = gguf(TestData.stories(), 4, 12), peft = peft(TestData.stories(), 4, 12, false), other = golden("qwen2");
        assertTrue(refusal(gguf, other).contains("it is an adapter of a model of architecture \"llama\", "), refusal(gguf, other));
        assertTrue(refusal(gguf, golden("llama-linear")).contains("is it an adapter of another model?"));
        assertTrue(refusal(peft, other).contains("is it an adapter of another model?"));
        assertTrue(refusal(peft, golden("rwkv7")).contains("adapters of PEFT are not read for models of architecture \"rwkv7\""));
        assertTrue(refusal(TestData.stories(), TestData.stories()).contains("it is a model, expected an adapter (general.type)"));
        assertTrue(refusal(temporary, TestData.stories()).contains("has no adapter_config.json"));
        assertTrue(refusal(temporary.resolve("nothing.gguf"), TestData.stories()).contains("does not exist"));
    }

    private String refusal(Function<String, String> config) throws IOException {
        var peft = peft(TestData.stories(), 4, 13, false);
        var file = peft.resolve("adapter_config.json");
        Files.writeString(file, config.apply(Files.readString(file)));
        return refusal(peft, TestData.stories());
    }

    @Test void whatIsNotAppliedIsRefused() throws IOException {
        assertTrue(refusal(text -> text.replace("\"modules_to_save\" : null", "\"modules_to_save\": [\"lm_head\"]")).contains("modules_to_save is not supported"));
        assertTrue(refusal(text -> text.replace("\"bias\" : \"none\"", "\"bias\": \"all\"")).contains("trained biases (bias \"all\", lora_bias) are not supported"));
        assertTrue(refusal(text -> text.replace("\"LORA\"", "\"IA3\"")).contains("peft_type is \"IA3\", expected \"LORA\""));
        assertTrue(refusal(text -> text.replace("\"init_lora_weights\" : true", "\"init_lora_weights\": \"pissa\"")).contains("save the adapter converted to plain LoRA"));
        assertTrue(refusal(text -> text.replace("\"r\" : 4", "\"r\": 8")).contains("should be 8, its matrices have 4"));
        assertTrue(refusal(text -> text.replace("\"use_dora\" : false", "\"use_dora\": true")).contains("lora_magnitude_vector"));
    }

    @Test void rankAndAlphaMayDifferFromModuleToModule() throws IOException {
        var peft = temporary.resolve("mixed");
        float[] expected;
        try (var model = Models.open(TestData.stories(), backend)) {
            var changes = new ArrayList<LowRank>();
            for (var change : random(model, 4, 14, false).changes()) {
                boolean small = change.linear().contains("attn_k"), strong = change.linear().contains("ffn");
                int rank = small ? 2 : 4;
                changes.add(new LowRank(change.linear(), change.in(), change.out(), rank, Arrays.copyOf(change.a(), rank * change.in()), Arrays.copyOf(change.b(), change.out() * rank),
                    strong ? 1.5f : 0.25f, null));
            }
            var data = new AdapterData("mixed", changes);
            PeftFolder.write(data, model.adapterBase(), "stories", peft);
            GgufLora.write(data, model.adapterBase(), temporary.resolve("mixed.gguf"));
            expected = logits(model.adapted(Adapter.together(List.of(new Adapter.Use(Adapter.of(data, peft, model), 1)), backend)));
        }
        assertArrayEquals(expected, logits(TestData.stories(), new AdapterFile(peft, 1)));
        assertTrue(largestDifference(expected, logits(TestData.stories(), new AdapterFile(temporary.resolve("mixed.gguf"), 1))) < TOLERANCE, "one alpha for all");
        var file = peft.resolve("adapter_config.json");
        Files.writeString(file, Files.readString(file).replace("\"use_rslora\" : false", "\"use_rslora\": true"));
        assertTrue(largestDifference(expected, logits(TestData.stories(), new AdapterFile(peft, 1))) > 0.1, "alpha / sqrt(r)");
    }

    /** Damaged files, seeded: they are read or refused in one line, whatever the damage. */
    @Test void damagedAdaptersAreRefusedInOneLine() throws IOException {
        Path gguf = gguf(TestData.stories(), 4, 15), peft = peft(TestData.stories(), 4, 15, false);
        try (var model = Models.open(TestData.stories(), backend)) {
            int read = damaged(gguf, gguf, 20_000, 250, model) + damaged(peft.resolve("adapter_model.safetensors"), peft, 9_000, 250, model)
                + damaged(peft.resolve("adapter_config.json"), peft, Integer.MAX_VALUE, 250, model);
            assertTrue(read > 20 && read < 700, read + " were read");
        }
    }

    private static int damaged(Path file, Path adapter, int within, int mutants, LanguageModel model) throws IOException {
        byte[] whole = Files.readAllBytes(file);
        int read = 0;
        for (int i = 0; i < mutants; i++) {
            var random = new Random(i);
            var bytes = whole.clone();
            int at = random.nextInt(Math.min(within, bytes.length));
            switch (random.nextInt(4)) {
                case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
                case 1 -> bytes[at] = (byte) random.nextInt(256);
                case 2 -> bytes = Arrays.copyOf(bytes, at);
                default -> System.arraycopy("9e99\",{[]}:null0".getBytes(StandardCharsets.UTF_8), random.nextInt(8), bytes, Math.min(at, bytes.length - 8), 1 + random.nextInt(7));
            }
            Files.write(file, bytes);
            try {
                AdapterData.read(adapter, model.adapterBase());
                read++;
            } catch (ModelException refused) {
                assertEquals(1, refused.getMessage().lines().count(), refused.getMessage());
            } catch (RuntimeException e) {
                throw new AssertionError("%s, seed %d".formatted(file.getFileName(), i), e);
            }
        }
        Files.write(file, whole);
        return read;
    }
}
