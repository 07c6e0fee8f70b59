package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Blocks;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.SafetensorsWriter;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.checkpoint.TensorInfo;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.tokenizer.Tokenizers;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The golden models as Hugging Face would store them: other names, GPT-2's matrices transposed, Gemma's norms less one, a config.json. The directory, and the file
 * that {@link Converter} makes of it, compute what the original file does.
 */
class HuggingFaceFamiliesTest {
    private static final Map<String, String> LLAMA = Map.ofEntries(Map.entry("token_embd", "model.embed_tokens"), Map.entry("output_norm", "model.norm"),
        Map.entry("output", "lm_head"), Map.entry("attn_norm", "input_layernorm"), Map.entry("ffn_norm", "post_attention_layernorm"),
        Map.entry("attn_q", "self_attn.q_proj"), Map.entry("attn_k", "self_attn.k_proj"), Map.entry("attn_v", "self_attn.v_proj"),
        Map.entry("attn_output", "self_attn.o_proj"), Map.entry("ffn_gate", "mlp.gate_proj"), Map.entry("ffn_up", "mlp.up_proj"), Map.entry("ffn_down", "mlp.down_proj"));
    private static final String COMMON = "\"num_hidden_layers\": %d, \"hidden_size\": %d, \"intermediate_size\": %d, \"num_attention_heads\": %d, "
        + "\"num_key_value_heads\": %d, \"vocab_size\": 512, \"max_position_embeddings\": 512, \"rms_norm_eps\": 0.002, \"rope_theta\": 5000.0, \"torch_dtype\": \"float32\"";

    /** @param names GGUF's name, without number and suffix, to Hugging Face's */
    private record Layout(Map<String, String> names, String layer, String config) {
        static Layout of(String family) {
            return switch (family) {
                case "qwen2" -> new Layout(LLAMA, "model.layers.", "\"architectures\": [\"Qwen2ForCausalLM\"], " + COMMON.formatted(3, 64, 128, 4, 2));
                case "qwen3" -> new Layout(with("attn_q_norm", "self_attn.q_norm", "attn_k_norm", "self_attn.k_norm"), "model.layers.",
                    "\"architectures\": [\"Qwen3ForCausalLM\"], \"head_dim\": 32, " + COMMON.formatted(3, 64, 112, 4, 2));
                case "phi3" -> new Layout(with("attn_qkv", "self_attn.qkv_proj", "ffn_up", "mlp.gate_up_proj"), "model.layers.",
                    "\"architectures\": [\"Phi3ForCausalLM\"], \"rope_scaling\": null, \"sliding_window\": null, " + COMMON.formatted(3, 96, 112, 6, 2));
                case "gemma2" -> new Layout(with("post_attention_norm", "post_attention_layernorm", "ffn_norm", "pre_feedforward_layernorm",
                    "post_ffw_norm", "post_feedforward_layernorm"), "model.layers.", "\"architectures\": [\"Gemma2ForCausalLM\"], \"head_dim\": 32, \"sliding_window\": 6, "
                    + "\"query_pre_attn_scalar\": 32, \"attn_logit_softcapping\": 2.0, \"final_logit_softcapping\": 4.0, " + COMMON.formatted(4, 64, 96, 4, 2));
                case "gpt2" -> new Layout(Map.ofEntries(Map.entry("token_embd", "wte"), Map.entry("position_embd", "wpe"), Map.entry("output_norm", "ln_f"),
                    Map.entry("attn_norm", "ln_1"), Map.entry("attn_qkv", "attn.c_attn"), Map.entry("attn_output", "attn.c_proj"), Map.entry("ffn_norm", "ln_2"),
                    Map.entry("ffn_up", "mlp.c_fc"), Map.entry("ffn_down", "mlp.c_proj")), "h.", "\"architectures\": [\"GPT2LMHeadModel\"], \"n_embd\": 64, \"n_layer\": 3, "
                    + "\"n_head\": 4, \"n_inner\": 160, \"n_positions\": 64, \"vocab_size\": 512, \"layer_norm_epsilon\": 0.002, \"activation_function\": \"gelu_new\"");
                default -> throw new IllegalArgumentException(family);
            };
        }

        private static Map<String, String> with(String... more) {
            var names = new HashMap<>(LLAMA);
            for (int i = 0; i < more.length; i += 2) names.put(more[i], more[i + 1]);
            return names;
        }

        String name(String gguf) {
            int suffix = gguf.lastIndexOf('.');
            var name = gguf.substring(0, suffix);
            if (!name.startsWith("blk.")) return names.get(name) + gguf.substring(suffix);
            int number = name.indexOf('.', 4);
            return layer + name.substring(4, number) + "." + names.get(name.substring(number + 1)) + gguf.substring(suffix);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"qwen2", "qwen3", "phi3", "gpt2", "gemma2"})
    void aDirectoryComputesWhatTheFileDoes(String family, @TempDir Path temporary) throws IOException {
        var golden = TestData.folder("golden-logits").resolve(family);
        int[] tokens = TestData.ints(golden.resolve("tokens.txt"));
        var directory = Files.createDirectory(temporary.resolve("model"));
        write(golden.resolve("model.gguf"), family, directory);
        float[] expected = logits(golden.resolve("model.gguf"), tokens);
        assertEquals(0, TestData.largestDifference(expected, logits(directory, tokens)), 1e-4, "norms less one round by one unit in the last place");
        var converted = temporary.resolve("converted.gguf");
        Converter.convert(directory, converted, DType.F32, 2, (name, written, all) -> { });
        assertEquals(0, TestData.largestDifference(expected, logits(converted, tokens)), 1e-4, "through the converter");
    }

    private static void write(Path file, String family, Path directory) throws IOException {
        var layout = Layout.of(family);
        var writer = new SafetensorsWriter();
        try (var gguf = Gguf.open(file); var arena = Arena.ofConfined()) {
            for (var info : gguf.tensors().values()) {
                var values = new float[Math.toIntExact(info.shape().elements())];
                Blocks.toFloats(info.dtype(), gguf.data(info.name()), 0, values, values.length);
                boolean transposed = family.equals("gpt2") && info.name().matches("blk.*(attn_qkv|attn_output|ffn_up|ffn_down)\\.weight");
                if (family.equals("gemma2") && info.name().endsWith("norm.weight")) for (int i = 0; i < values.length; i++) values[i] -= 1;
                var bytes = arena.allocate(DType.F32.bytes(values.length));
                Blocks.fromFloats(DType.F32, transposed ? transposed(values, info.shape()) : values, bytes, 0, values.length);
                var shape = transposed ? new Shape(info.shape().last(), info.shape().dim(0)) : info.shape();
                writer.tensor(new TensorInfo(layout.name(info.name()), DType.F32, shape), TensorData.of(bytes));
            }
            var mask = arena.allocate(16);
            if (family.equals("gpt2")) writer.tensor(new TensorInfo("h.0.attn.bias", DType.F32, new Shape(1, 1, 2, 2)), TensorData.of(mask));
            writer.write(directory.resolve("model.safetensors"));
            Files.writeString(directory.resolve("tokenizer.json"), Tokenizers.toJson(gguf.metadata()));
        }
        Files.writeString(directory.resolve("config.json"), "{" + layout.config() + "}");
    }

    private static float[] transposed(float[] values, Shape shape) {
        int rows = shape.dim(0), columns = shape.last();
        var transposed = new float[values.length];
        for (int r = 0; r < rows; r++) for (int c = 0; c < columns; c++) transposed[c * rows + r] = values[r * columns + c];
        return transposed;
    }

    private static float[] logits(Path file, int[] tokens) throws IOException {
        try (var backend = new ReferenceBackend(); var model = Models.open(file, backend); var scope = Scope.inference(backend)) {
            float[] logits = model.model().logits(model.model().forward(scope.ints(tokens), Packed.of(scope, tokens.length))).toFloats();
            assertTrue(Float.isFinite(logits[0]));
            return logits;
        }
    }
}
