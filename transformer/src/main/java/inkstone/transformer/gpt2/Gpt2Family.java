package inkstone.transformer.gpt2;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Arrangement;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.AdapterLayout;
import inkstone.transformer.Arrangements;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceModel;
import inkstone.transformer.HuggingFaceNames;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** GPT-2 and models of its shape. */
public final class Gpt2Family implements Family {
    private static final Pattern PREFIX = Pattern.compile("transformer\\.");
    private static final HuggingFaceNames NAMES = HuggingFaceNames.of("h",
        Map.of("wte.weight", "token_embd.weight", "wpe.weight", "position_embd.weight", "ln_f.weight", "output_norm.weight", "ln_f.bias", "output_norm.bias",
            "lm_head.weight", "output.weight"),
        Map.of("ln_1", "attn_norm", "attn.c_attn", "attn_qkv", "attn.c_proj", "attn_output", "ln_2", "ffn_norm", "mlp.c_fc", "ffn_up", "mlp.c_proj", "ffn_down"));
    private static final int MOST_LAYERS = 1 << 11;

    @Override public String architecture() { return "gpt2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> Gpt2.of(config, w));
    }

    @Override public AdapterLayout adapterLayout() { return new AdapterLayout(NAMES, "transformer.", false, true); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("GPT2LMHeadModel"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "activation_function", "gelu_new", "gelu_pytorch_tanh");
        int dim = config.integer("n_embd"), hidden = config.integer("n_inner", 4 * dim), layers = config.integer("n_layer");
        var keys = new LinkedHashMap<String, Object>();
        keys.put("gpt2.vocab_size", config.integer("vocab_size"));
        keys.put("gpt2.context_length", config.integer("n_positions"));
        keys.put("gpt2.embedding_length", dim);
        keys.put("gpt2.feed_forward_length", hidden);
        keys.put("gpt2.block_count", layers);
        keys.put("gpt2.attention.head_count", config.integer("n_head"));
        keys.put("gpt2.attention.layer_norm_epsilon", config.floating("layer_norm_epsilon", 1e-5f));
        return HuggingFaceModel.of(name -> NAMES.gguf(PREFIX.matcher(name).replaceFirst("")), keys).arranged(to -> {
            for (int layer = 0; layer < Math.min(layers, MOST_LAYERS); layer++) {
                var block = "blk." + layer + ".";
                transposed(to, block + "attn_qkv.weight", dim, 3 * dim);
                transposed(to, block + "attn_output.weight", dim, dim);
                transposed(to, block + "ffn_up.weight", dim, hidden);
                transposed(to, block + "ffn_down.weight", hidden, dim);
            }
        });
    }

    private static void transposed(Arrangements to, String name, int in, int out) { to.put(name, Arrangement.of(name, in, out).axes(1, 0)); }
}
