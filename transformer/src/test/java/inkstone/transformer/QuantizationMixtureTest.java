package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tensor.checkpoint.TensorInfo;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * quantization-mixtures.txt says which formats llama-quantize (llama.cpp commit d32676d77) wrote: a line is a model, a mixture and, for each kind of tensor, its
 * format, or its formats by layer. Models a to e were synthetic llama files in F16 of the shapes below, f a falcon one; "+importance" ones were quantized with an importance
 * matrix of equal numbers, and what follows a colon were options, with commas for spaces and dashes. The others are tiny models of the test data's golden-logits,
 * quantized with --allow-requantize.
 */
class QuantizationMixtureTest {
    private interface Synthetic {
        Metadata metadata();
        List<TensorInfo> tensors();
    }

    /** A llama file: feed-forward width {@code ffn}, {@code experts} of it or none, an output matrix of its own where it is not tied. */
    private record Llama(int layers, int dim, int heads, int kvHeads, int ffn, int experts, boolean tied) implements Synthetic {
        @Override public Metadata metadata() {
            return new Metadata("test", Map.of("general.architecture", "llama", "llama.block_count", (long) layers, "llama.attention.head_count", (long) heads,
                "llama.attention.head_count_kv", (long) kvHeads, "llama.expert_count", (long) experts));
        }

        @Override public List<TensorInfo> tensors() {
            var list = new ArrayList<TensorInfo>();
            int kvDim = dim / heads * kvHeads;
            add(list, "token_embd.weight", DType.F16, 32_000, dim);
            for (int i = 0; i < layers; i++) {
                var block = "blk." + i + ".";
                for (var norm : List.of("attn_norm", "ffn_norm")) add(list, block + norm + ".weight", DType.F32, dim);
                add(list, block + "attn_q.weight", DType.F16, dim, dim);
                add(list, block + "attn_k.weight", DType.F16, kvDim, dim);
                add(list, block + "attn_v.weight", DType.F16, kvDim, dim);
                add(list, block + "attn_output.weight", DType.F16, dim, dim);
                if (experts == 0) {
                    add(list, block + "ffn_gate.weight", DType.F16, ffn, dim);
                    add(list, block + "ffn_up.weight", DType.F16, ffn, dim);
                    add(list, block + "ffn_down.weight", DType.F16, dim, ffn);
                } else {
                    add(list, block + "ffn_gate_inp.weight", DType.F32, experts, dim);
                    add(list, block + "ffn_gate_exps.weight", DType.F16, experts, ffn, dim);
                    add(list, block + "ffn_up_exps.weight", DType.F16, experts, ffn, dim);
                    add(list, block + "ffn_down_exps.weight", DType.F16, experts, dim, ffn);
                }
            }
            add(list, "output_norm.weight", DType.F32, dim);
            if (!tied) add(list, "output.weight", DType.F16, 32_000, dim);
            return list;
        }

    }

    /** A falcon file whose query heads share one key head. */
    private record Falcon(int layers, int dim, int heads, int ffn) implements Synthetic {
        @Override public Metadata metadata() {
            return new Metadata("test", Map.of("general.architecture", "falcon", "falcon.block_count", (long) layers, "falcon.attention.head_count", (long) heads,
                "falcon.attention.head_count_kv", 1L));
        }

        @Override public List<TensorInfo> tensors() {
            var list = new ArrayList<TensorInfo>();
            add(list, "token_embd.weight", DType.F16, 32_000, dim);
            for (int i = 0; i < layers; i++) {
                var block = "blk." + i + ".";
                add(list, block + "attn_norm.weight", DType.F32, dim);
                add(list, block + "attn_qkv.weight", DType.F16, dim + 2 * dim / heads, dim);
                add(list, block + "attn_output.weight", DType.F16, dim, dim);
                add(list, block + "ffn_up.weight", DType.F16, ffn, dim);
                add(list, block + "ffn_down.weight", DType.F16, dim, ffn);
            }
            add(list, "output.weight", DType.F16, 32_000, dim);
            return list;
        }
    }

    private static void add(List<TensorInfo> list, String name, DType dtype, int... dims) { list.add(new TensorInfo(name, dtype, new Shape(dims))); }

    private static final Map<String, Synthetic> SYNTHETIC = Map.of(
        "a", new Llama(26, 256, 4, 4, 512, 0, true),
        "b", new Llama(17, 256, 8, 2, 768, 0, false),
        "c", new Llama(10, 288, 9, 3, 800, 0, true),
        "d", new Llama(16, 256, 4, 4, 256, 8, true),
        "e", new Llama(80, 256, 4, 2, 256, 0, true),
        "f", new Falcon(33, 256, 4, 1024));

    @TestFactory Stream<DynamicTest> everyTensorGetsWhatLlamaQuantizeGivesIt() throws IOException {
        return lines().map(line -> {
            var parts = line.split(" ", 3);
            var named = parts[0].split(":", 2);
            var model = named[0].replace("+importance", "");
            boolean importance = !model.equals(named[0]);
            var overrides = named.length == 1 ? MixtureOverrides.NONE : overrides(named[1].split(","));
            return DynamicTest.dynamicTest(parts[0] + " " + parts[1], () -> {
                var mixture = QuantizationMixture.valueOf(parts[1]);
                var synthetic = SYNTHETIC.get(model);
                var expected = parts.length == 3 ? parts[2] : "";
                if (synthetic != null) {
                    assertEquals(expected, summary(mixture.formats(synthetic.metadata(), synthetic.tensors(), overrides, importance)));
                    return;
                }
                var path = Path.of(System.getProperty("inkstone.data", "absent"), "golden-logits", model, "model.gguf");
                assumeTrue(Files.exists(path), "skipped: the tiny models of golden-logits are not in the test data");
                try (var file = Gguf.open(path)) {
                    assertEquals(expected, summary(mixture.formats(file.metadata(), file.tensors().values(), overrides, importance)));
                }
            });
        });
    }

    private static MixtureOverrides overrides(String... options) {
        boolean pure = false, keepOutput = false;
        DType embedding = null, output = null;
        var tensors = new LinkedHashMap<Pattern, DType>();
        for (int i = 0; i < options.length; i++) {
            switch (options[i]) {
                case "pure" -> pure = true;
                case "leave-output-tensor" -> keepOutput = true;
                case "token-embedding-type" -> embedding = DType.valueOf(options[++i].toUpperCase(Locale.ROOT));
                case "output-tensor-type" -> output = DType.valueOf(options[++i].toUpperCase(Locale.ROOT));
                default -> {
                    var rule = options[++i].split("=");
                    tensors.put(Pattern.compile(rule[0]), DType.valueOf(rule[1].toUpperCase(Locale.ROOT)));
                }
            }
        }
        return new MixtureOverrides(pure, keepOutput, embedding, output, tensors);
    }

    @Test void namesAreReadAsPeopleWriteThem() {
        assertEquals(Optional.of(QuantizationMixture.Q4_K_M), QuantizationMixture.named("q4_k"));
        assertEquals(Optional.of(QuantizationMixture.Q2_K), QuantizationMixture.named("Q2_K"));
        assertEquals(Optional.of(QuantizationMixture.IQ4_XS), QuantizationMixture.named("iq4_xs"));
        assertEquals(Optional.empty(), QuantizationMixture.named("Q4_K_X"));
    }

    @Test void anOverrideForNoTensorIsRefused() {
        var model = SYNTHETIC.get("a");
        var refusal = assertThrows(ModelException.class, () -> QuantizationMixture.Q4_0.formats(model.metadata(), model.tensors(), overrides("tensor-type", "atn_v=q8_0"), false));
        assertEquals("test has no tensor whose name contains atn_v", refusal.getMessage());
    }

    private static Stream<String> lines() throws IOException {
        try (var in = QuantizationMixtureTest.class.getResourceAsStream("quantization-mixtures.txt")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList().stream();
        }
    }

    /** Kinds of tensors by name, those that are all F32 left out: "attn_v.weight=Q6_K:0-2,Q4_K:3" or, where all layers agree, "attn_v.weight=Q4_K". */
    private static String summary(Map<String, DType> formats) {
        var kinds = new TreeMap<String, TreeMap<Integer, DType>>();
        formats.forEach((name, dtype) -> {
            var parts = name.split("\\.", 3);
            boolean layered = parts[0].equals("blk");
            kinds.computeIfAbsent(layered ? parts[2] : name, _ -> new TreeMap<>()).put(layered ? Integer.parseInt(parts[1]) : -1, dtype);
        });
        var words = new ArrayList<String>();
        kinds.forEach((kind, layers) -> {
            var distinct = new HashSet<>(layers.values());
            if (distinct.size() > 1) words.add(kind + "=" + runs(layers));
            else if (!distinct.contains(DType.F32)) words.add(kind + "=" + distinct.iterator().next());
        });
        return String.join(" ", words);
    }

    private static String runs(TreeMap<Integer, DType> layers) {
        var runs = new ArrayList<String>();
        for (var entry = layers.firstEntry(); entry != null; ) {
            int first = entry.getKey(), last = first;
            while (layers.get(last + 1) == entry.getValue()) last++;
            runs.add(entry.getValue() + ":" + (first == last ? "" + first : first + "-" + last));
            entry = layers.higherEntry(last);
        }
        return String.join(",", runs);
    }
}
