package inkstone.transformer.gpt2;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tensor.checkpoint.Stored;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceNames;
import inkstone.transformer.RopeScaling;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** GPT-2 and models of its shape. */
public final class Gpt2Family implements Family {
    @Override public String architecture() { return "gpt2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> Gpt2.of(config, w));
    }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("GPT2LMHeadModel"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "activation_function", "gelu_new", "gelu_pytorch_tanh");
        return new HuggingFaceGpt2(DecoderConfig.named(config, () -> {
            int dim = config.integer("n_embd"), heads = config.integer("n_head");
            if (heads < 1 || dim % heads != 0) throw new ModelException("n_embd %d is not divisible by n_head %d".formatted(dim, heads));
            return new DecoderConfig(architecture(), config.integer("vocab_size"), dim, config.integer("n_inner", 4 * dim), config.integer("n_layer"), heads, heads,
                dim / heads, config.floating("layer_norm_epsilon", 1e-5f), config.integer("n_positions"), 0, 10_000, 0, RopeScaling.NONE, Rope.Pairs.HALVES);
        }));
    }

    private record HuggingFaceGpt2(DecoderConfig config) implements HuggingFaceModel {
        private static final Pattern PREFIX = Pattern.compile("transformer\\.");
        private static final HuggingFaceNames NAMES = HuggingFaceNames.of("h",
            Map.of("wte.weight", "token_embd.weight", "wpe.weight", "position_embd.weight", "ln_f.weight", "output_norm.weight", "ln_f.bias", "output_norm.bias",
                "lm_head.weight", "output.weight"),
            Map.of("ln_1", "attn_norm", "attn.c_attn", "attn_qkv", "attn.c_proj", "attn_output", "ln_2", "ffn_norm", "mlp.c_fc", "ffn_up", "mlp.c_proj", "ffn_down"));
        /** The causal mask, which early releases stored in every layer. */
        private static final List<String> MASKS = List.of(".attn.bias", ".attn.masked_bias");
        private static final Pattern MATRIX = Pattern.compile("blk\\.\\d+\\.(attn_qkv|attn_output|ffn_up|ffn_down)\\.weight");

        @Override public String ggufName(String tensor) { return NAMES.gguf(PREFIX.matcher(tensor).replaceFirst("")); }
        @Override public Stored stored(String ggufName) { return MATRIX.matcher(ggufName).matches() ? Stored.TRANSPOSED : Stored.AS_ASKED; }

        @Override public CausalModel of(CheckpointWeights weights, Backend backend) {
            return weights.build(w -> {
                for (int layer = 0; layer < config.layers(); layer++) for (var mask : MASKS) w.has("h." + layer + mask);
                return Gpt2.of(config, w);
            });
        }

        @Override public boolean unused(String ggufName) { return MASKS.stream().anyMatch(ggufName::endsWith); }

        @Override public Map<String, Object> ggufMetadata() {
            return Map.of("gpt2.vocab_size", config.vocabularySize(), "gpt2.context_length", config.contextLength(), "gpt2.embedding_length", config.dim(),
                "gpt2.feed_forward_length", config.hidden(), "gpt2.block_count", config.layers(), "gpt2.attention.head_count", config.heads(),
                "gpt2.attention.layer_norm_epsilon", config.eps());
        }
    }
}
