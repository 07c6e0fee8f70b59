package inkstone.transformer;

import static inkstone.transformer.RandomGguf.DIM;
import static inkstone.transformer.RandomGguf.HEADS;
import static inkstone.transformer.RandomGguf.HEAD_DIM;
import static inkstone.transformer.RandomGguf.HIDDEN;
import static inkstone.transformer.RandomGguf.KV_HEADS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Families, and kinds of them, beside the golden models: some logits of the last of 24 tokens, as llama.cpp computed them from the files that this test writes
 * (random-models.txt says how).
 */
class RandomModelsTest {
    static final int[] TOKENS = IntStream.range(0, 24).map(i -> 3 + i * 37 % 500).toArray();
    private static final int EVERY = 64;

    static RandomGguf model(String name) {
        return switch (name) {
            case "gemma3" -> {
                var m = new RandomGguf(name, 7, false).key("attention.sliding_window", 6).key("rope.scaling.type", "linear").key("rope.scaling.factor", 8f)
                    .key("rope.freq_base_swa", 300f).norms("", DIM, "output_norm");
                for (int i = 0; i < 7; i++) {
                    var p = "blk." + i + ".";
                    m.attention(p).gated(p, "", HIDDEN).norms(p, DIM, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm").norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm");
                }
                yield m;
            }
            case "olmo2", "olmo3" -> {
                var m = new RandomGguf("olmo2", 5, false).norms("", DIM, "output_norm").tensor("output.weight", 512, DIM);
                if (name.equals("olmo3")) {
                    m.key("attention.sliding_window", 6).key("rope.scaling.type", "yarn").key("rope.scaling.factor", 4f).key("rope.scaling.original_context_length", 128);
                }
                for (int i = 0; i < 5; i++) {
                    var p = "blk." + i + ".";
                    m.attention(p).gated(p, "", HIDDEN).norms(p, DIM, "post_attention_norm", "post_ffw_norm").norms(p, HEADS * HEAD_DIM, "attn_q_norm")
                        .norms(p, KV_HEADS * HEAD_DIM, "attn_k_norm");
                }
                yield m;
            }
            case "smollm3" -> {
                var m = new RandomGguf(name, 5, false).norms("", DIM, "output_norm");
                for (int i = 0; i < 5; i++) m.attention("blk." + i + ".").gated("blk." + i + ".", "", HIDDEN).norms("blk." + i + ".", DIM, "attn_norm", "ffn_norm");
                yield m;
            }
            case "gptneox-parallel", "gptneox-sequential" -> {
                var m = new RandomGguf("gptneox", 3, true).key("use_parallel_residual", name.endsWith("parallel")).key("rope.dimension_count", 4)
                    .key("attention.head_count_kv", HEADS).affine("output_norm", DIM).tensor("output.weight", 512, DIM);
                for (int i = 0; i < 3; i++) {
                    var p = "blk." + i + ".";
                    m.affine(p + "attn_norm", DIM).affine(p + "attn_qkv", 3 * DIM, DIM).affine(p + "attn_output", DIM, DIM).affine(p + "ffn_norm", DIM)
                        .affine(p + "ffn_up", HIDDEN, DIM).affine(p + "ffn_down", DIM, HIDDEN);
                }
                yield m;
            }
            case "command-r", "cohere2" -> {
                var m = new RandomGguf(name, 5, true).key("logit_scale", 0.3f).norms("", DIM, "output_norm");
                if (name.equals("cohere2")) m.key("attention.sliding_window", 6);
                for (int i = 0; i < 5; i++) m.attention("blk." + i + ".").gated("blk." + i + ".", "", HIDDEN).norms("blk." + i + ".", DIM, "attn_norm");
                yield m;
            }
            case "qwen3moe" -> {
                var m = new RandomGguf(name, 3, false).key("expert_count", 6).key("expert_used_count", 3).key("expert_feed_forward_length", 48).norms("", DIM, "output_norm");
                for (int i = 0; i < 3; i++) {
                    var p = "blk." + i + ".";
                    m.attention(p).experts(p, 6, 48).norms(p, DIM, "attn_norm", "ffn_norm").norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm");
                }
                yield m;
            }
            case "granitemoe" -> {
                var m = new RandomGguf(name, 3, false).key("expert_count", 6).key("expert_used_count", 3).key("expert_shared_feed_forward_length", 32)
                    .key("embedding_scale", 3f).key("residual_scale", 0.45f).key("attention.scale", 0.09f).key("logit_scale", 0.6f).norms("", DIM, "output_norm");
                for (int i = 0; i < 3; i++) m.attention("blk." + i + ".").experts("blk." + i + ".", 6, HIDDEN).gated("blk." + i + ".", "_shexp", 32).norms("blk." + i + ".", DIM, "attn_norm", "ffn_norm");
                yield m;
            }
            case "falcon-40b" -> {
                var m = new RandomGguf("falcon", 3, true).affine("output_norm", DIM).tensor("output.weight", 512, DIM);
                for (int i = 0; i < 3; i++) {
                    var p = "blk." + i + ".";
                    m.affine(p + "attn_norm", DIM).affine(p + "attn_norm_2", DIM).tensor(p + "attn_qkv.weight", (HEADS + 2 * KV_HEADS) * HEAD_DIM, DIM)
                        .tensor(p + "attn_output.weight", DIM, DIM).tensor(p + "ffn_up.weight", HIDDEN, DIM).tensor(p + "ffn_down.weight", DIM, HIDDEN);
                }
                yield m;
            }
            case "stablelm-12b" -> {
                var m = new RandomGguf("stablelm", 3, true).key("use_parallel_residual", true).key("rope.dimension_count", 4).affine("output_norm", DIM).tensor("output.weight", 512, DIM);
                for (int i = 0; i < 3; i++) {
                    var p = "blk." + i + ".";
                    m.affine(p + "attn_norm", DIM).attention(p).gated(p, "", HIDDEN).tensor(p + "attn_q_norm.weight", HEADS, HEAD_DIM).tensor(p + "attn_k_norm.weight", KV_HEADS, HEAD_DIM);
                }
                yield m;
            }
            case "phi3-longrope" -> {
                var m = new RandomGguf("phi3", 3, false).key("context_length", 4096).key("rope.scaling.original_context_length", 512).key("rope.scaling.attn_factor", 1.19f)
                    .norms("", DIM, "output_norm").tensor("rope_factors_short.weight", HEAD_DIM / 2).tensor("rope_factors_long.weight", HEAD_DIM / 2);
                for (int i = 0; i < 3; i++) {
                    var p = "blk." + i + ".";
                    m.norms(p, DIM, "attn_norm", "ffn_norm").tensor(p + "attn_qkv.weight", (HEADS + 2 * KV_HEADS) * HEAD_DIM, DIM).tensor(p + "attn_output.weight", DIM, DIM)
                        .tensor(p + "ffn_up.weight", 2 * HIDDEN, DIM).tensor(p + "ffn_down.weight", DIM, HIDDEN);
                }
                yield m;
            }
            case "deepseek3", "deepseek2-whole" -> deepseek(name.equals("deepseek3"));
            default -> RandomFamilies.of(name);
        };
    }

    /** Sigmoid scores, a bias for the choice and groups; or softmax scores and a whole map from latents. */
    private static RandomGguf deepseek(boolean three) {
        int plain = 8, turning = 8, value = 16, latent = 24, experts = 8;
        var m = new RandomGguf("deepseek2", 4, false).key("attention.head_count_kv", three ? 1 : HEADS).key("rope.dimension_count", turning)
            .key("attention.kv_lora_rank", latent).key("attention.q_lora_rank", 24).key("leading_dense_block_count", 1).key("attention.key_length", three ? latent + turning : plain + turning)
            .key("attention.value_length", three ? latent : value).key("expert_count", experts).key("expert_used_count", 3).key("expert_feed_forward_length", 32)
            .key("expert_shared_count", 1).key("expert_weights_scale", three ? 2.5f : 1f).key("expert_weights_norm", three).key("expert_gating_func", three ? 2 : 1)
            .key("rope.scaling.type", "yarn").key("rope.scaling.factor", 4f).key("rope.scaling.original_context_length", 128)
            .key("rope.scaling.yarn_log_multiplier", three ? 0.1f : 0.0707f).norms("", DIM, "output_norm").tensor("output.weight", 512, DIM);
        if (three) {
            m.key("attention.key_length_mla", plain + turning).key("attention.value_length_mla", value).key("expert_group_count", 4)
                .key("expert_group_used_count", 2);
        }
        for (int i = 0; i < 4; i++) {
            var p = "blk." + i + ".";
            m.norms(p, DIM, "attn_norm", "ffn_norm").tensor(p + "attn_kv_a_mqa.weight", latent + turning, DIM).norms(p, latent, "attn_kv_a_norm")
                .tensor(p + "attn_output.weight", DIM, HEADS * value).tensor(p + "attn_q_a.weight", 24, DIM).norms(p, 24, "attn_q_a_norm")
                .tensor(p + "attn_q_b.weight", HEADS * (plain + turning), 24);
            if (three) m.tensor(p + "attn_k_b.weight", HEADS, latent, plain).tensor(p + "attn_v_b.weight", HEADS, value, latent);
            else m.tensor(p + "attn_kv_b.weight", HEADS * (plain + value), latent);
            if (i == 0) m.gated(p, "", HIDDEN); else m.experts(p, experts, 32).gated(p, "_shexp", 32);
            if (i > 0 && three) m.tensor(p + "exp_probs_b.bias", experts);
        }
        return m;
    }

    /** GELU is the tanh form here; that engine reads it from a table of 16-bit floats, which costs it up to 5e-3. Without GELU it is within 5e-5 of exact. */
    private static double tolerance(String name) { return name.startsWith("gemma") || name.contains("starcoder") || name.equals("codeshell") || name.startsWith("gptneox") || name.startsWith("falcon-40b") ? 1e-2 : 5e-4; }

    @ParameterizedTest
    @ValueSource(strings = {"gemma3", "olmo2", "olmo3", "smollm3", "gptneox-parallel", "gptneox-sequential", "command-r", "cohere2", "qwen3moe", "granitemoe", "falcon-40b",
        "stablelm-12b", "phi3-longrope", "deepseek3", "deepseek2-whole",
        "llama-variants", "granite-unturned", "gemma", "qwen2moe", "olmoe", "internlm2", "starcoder2", "chatglm", "glm4", "exaone", "exaone4", "exaone4-windowed", "nemotron",
        "minicpm", "arcee", "seed_oss", "ernie4_5", "baichuan", "xverse", "deepseek", "dots1", "bailingmoe", "glm4moe", "ernie4_5-moe",
        "bailingmoe2", "apertus", "hunyuan-dense", "hunyuan-moe", "llama4", "mistral3", "plamo", "orion", "codeshell", "starcoder", "qwen2vl", "qwen3vl",
        "lfm2", "lfm2moe", "gemma4", "gemma4-sharing", "mamba2", "falcon-h1", "granitehybrid", "openelm", "deci",
        "qwen3next", "qwen35", "qwen35moe"})
    void logitsMatchLlamaCpp(String name, @TempDir Path temporary) throws IOException {
        var vocabulary = TestData.folder("golden-logits").resolve("qwen2").resolve("model.gguf");
        var kept = System.getProperty("inkstone.keep");
        var file = (kept == null ? temporary : Path.of(kept)).resolve(name + ".gguf");
        model(name).write(vocabulary, file);
        float[] expected = expected(name);
        for (var device : new String[] {"reference", "cpu"}) {
            try (var backend = TestData.backend(device); var model = Models.open(file, backend); var scope = Scope.inference(backend)) {
                var hidden = model.model().forward(scope.ints(TOKENS), Packed.of(scope, TOKENS.length));
                float[] logits = model.model().logits(hidden.rows(TOKENS.length - 1, TOKENS.length)).toFloats();
                for (int i = 0; i < expected.length; i++) assertEquals(expected[i], logits[EVERY * i], tolerance(name), "%s on %s, token %d".formatted(name, device, EVERY * i));
                if (device.equals("cpu")) logits = throughTheCache(model);
                for (int i = 0; i < expected.length; i++) assertEquals(expected[i], logits[EVERY * i], tolerance(name), "%s through the cache, token %d".formatted(name, EVERY * i));
            }
        }
    }

    /** The vector of {@link #TOKENS} by the mean, numbers 0, 8, 16, ... of 64; of a file with rotary positions, SwiGLU and other heads for keys than for queries. */
    @Test void nomicBertsVectorsMatchLlamaCpp(@TempDir Path temporary) throws IOException {
        var m = new RandomGguf("nomic-bert", 3, true).key("attention.causal", false).key("pooling_type", 1).plainKey("tokenizer.ggml.token_type_count", 2)
            .tensor("token_types.weight", 2, DIM).affine("token_embd_norm", DIM);
        for (int i = 0; i < 3; i++) {
            var p = "blk." + i + ".";
            m.tensor(p + "attn_qkv.weight", (HEADS + 2 * KV_HEADS) * HEAD_DIM, DIM).tensor(p + "attn_output.weight", DIM, DIM).affine(p + "attn_output_norm", DIM)
                .gated(p, "", HIDDEN).affine(p + "layer_output_norm", DIM);
        }
        var kept = System.getProperty("inkstone.keep");
        var file = (kept == null ? temporary : Path.of(kept)).resolve("nomic-bert.gguf");
        m.write(TestData.folder("golden-logits").resolve("qwen2").resolve("model.gguf"), file);
        float[] expected = expected("nomic-bert");
        for (var device : new String[] {"reference", "cpu"}) {
            try (var backend = TestData.backend(device); var model = Models.openEmbedder(file, backend); var scheduler = EmbeddingScheduler.start(model, 64, 1)) {
                float[] vector = scheduler.embed(List.of(TOKENS), model.pooling()).join().getFirst();
                for (int i = 0; i < expected.length; i++) assertEquals(expected[i], vector[8 * i], 1e-5, "%s, number %d".formatted(device, 8 * i));
            }
        }
    }

    /** The last logits, the tokens read a few at a time. */
    private static float[] throughTheCache(LanguageModel model) {
        try (var engine = new Engine(model, 64, 64, DType.F32)) {
            var sequence = engine.sequence(TOKENS.length);
            sequence.restart(TOKENS);
            assertTrue(sequence.reserve(TOKENS.length));
            float[] logits = null;
            while (sequence.pending() > 0) logits = engine.step(List.of(new Engine.Run(sequence, Math.min(sequence.pending(), 7), 1))).values();
            return logits;
        }
    }

    /** The logits of tokens 0, 64, 128, ... */
    private static float[] expected(String name) throws IOException {
        try (var text = RandomModelsTest.class.getResourceAsStream("random-models.txt")) {
            for (var line : new String(text.readAllBytes(), StandardCharsets.UTF_8).split("\n")) {
                if (!line.startsWith(name + " ")) continue;
                var numbers = line.substring(name.length()).strip().split(" +");
                var expected = new float[numbers.length];
                for (int i = 0; i < numbers.length; i++) expected[i] = Float.parseFloat(numbers[i]);
                return expected;
            }
        }
        throw new AssertionError("no numbers for " + name);
    }
}
