package inkstone.transformer.rwkv7;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Arrangement;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
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

/** RWKV-7 "Goose". */
public final class Rwkv7Family implements Family {
    /** Tokens that a GGUF file allows a model without positions, as other converters write it. */
    private static final int UNBOUNDED = 1 << 20;
    /** What the row before is blended into, in the order of the fused tensor. */
    private static final String BLENDS = "rwkvag";
    private static final HuggingFaceNames NAMES = HuggingFaceNames.of("model\\.layers",
        Map.of("model.embeddings.weight", "token_embd.weight", "model.norm.weight", "output_norm.weight", "model.norm.bias", "output_norm.bias", "lm_head.weight", "output.weight",
            "model.layers.0.pre_norm.weight", "token_embd_norm.weight", "model.layers.0.pre_norm.bias", "token_embd_norm.bias"),
        Map.ofEntries(Map.entry("attn_norm", "attn_norm"), Map.entry("ffn_norm", "attn_norm_2"), Map.entry("attn.k_k", "time_mix_k_k.weight"), Map.entry("attn.k_a", "time_mix_k_a.weight"),
            Map.entry("attn.r_k", "time_mix_r_k.weight"), Map.entry("attn.r_proj", "time_mix_receptance"), Map.entry("attn.k_proj", "time_mix_key"),
            Map.entry("attn.v_proj", "time_mix_value"), Map.entry("attn.o_proj", "time_mix_output"), Map.entry("attn.g_norm", "time_mix_ln"),
            Map.entry("ffn.x_k", "channel_mix_lerp_k.weight"), Map.entry("ffn.key", "channel_mix_key"), Map.entry("ffn.value", "channel_mix_value")))
        .with(lowRank());

    private static final Pattern LOW_RANK_BIAS = Pattern.compile("blk\\.\\d+\\.time_mix_[wav]2\\.bias");

    /** w_lora and its like: lora.0 and lora.2 are the halves of a map, the bias of the second what is added. */
    private static Map<String, String> lowRank() {
        var names = new LinkedHashMap<String, String>();
        for (var map : new String[] {"w", "a", "v", "g"}) {
            names.put("attn.%s_lora.lora.0".formatted(map), "time_mix_%s1".formatted(map));
            names.put("attn.%s_lora.lora.2".formatted(map), "time_mix_%s2".formatted(map));
        }
        return names;
    }

    @Override public String architecture() { return "rwkv7"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var embedding = file.tensors().get("token_embd.weight");
        if (embedding == null) throw new ModelException("%s: tensor token_embd.weight is missing".formatted(file.metadata().source()));
        int shifts = file.metadata().integer("rwkv7.token_shift_count", 2);
        if (shifts != 2) throw new ModelException("%s: rwkv7.token_shift_count is %d, expected 2".formatted(file.metadata().source(), shifts));
        var config = Rwkv7Config.fromGguf(file.metadata(), embedding.shape().dim(0));
        return weights.build(w -> Rwkv7.of(config, w));
    }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("RWKV7ForCausalLM", "Rwkv7ForCausalLM"); }

    /** As the flash-linear-attention library stores it. */
    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "sqrelu");
        if (config.has("attn.layers")) throw new ModelException("%s: layers of attention in an RWKV-7 are not supported".formatted(config.source()));
        int dim = config.integer("hidden_size"), headDim = config.integer("head_dim", 64), layers = config.integer("num_hidden_layers");
        float eps = config.floating("norm_eps", 1e-5f);
        var keys = new LinkedHashMap<String, Object>();
        keys.put("rwkv7.vocab_size", config.integer("vocab_size"));
        keys.put("rwkv7.context_length", UNBOUNDED);
        keys.put("rwkv7.embedding_length", dim);
        keys.put("rwkv7.feed_forward_length", config.integer("intermediate_size", Math.ceilDiv((int) (dim * config.floating("hidden_ratio", 4)), 32) * 32));
        keys.put("rwkv7.block_count", layers);
        keys.put("rwkv7.attention.head_count", 0);
        keys.put("rwkv7.wkv.head_size", headDim);
        keys.put("rwkv7.attention.decay_lora_rank", config.integer("decay_low_rank_dim"));
        keys.put("rwkv7.attention.iclr_lora_rank", config.integer("a_low_rank_dim"));
        keys.put("rwkv7.attention.value_residual_mix_lora_rank", config.integer("v_low_rank_dim"));
        keys.put("rwkv7.attention.gate_lora_rank", config.integer("gate_low_rank_dim"));
        keys.put("rwkv7.attention.layer_norm_epsilon", eps);
        keys.put("rwkv7.attention.group_norm_epsilon", headDim * eps);
        keys.put("rwkv7.token_shift_count", 2);
        var model = HuggingFaceModel.of(Rwkv7Family::name, keys).arranged(to -> {
            for (int layer = 0; to.has("blk." + layer + ".attn_norm.weight"); layer++) arrange(to, layer, dim);
        });
        return headDim * eps == Rwkv7Config.HEAD_EPS ? model : model.untold("of norms of heads whose epsilon is %s".formatted(headDim * eps));
    }

    private static String name(String tensor) {
        var name = NAMES.gguf(tensor);
        return LOW_RANK_BIAS.matcher(name).matches() ? name.replaceFirst("2\\.bias$", "0.weight") : name;
    }

    private static void arrange(Arrangements to, int layer, int dim) {
        String block = "blk." + layer + ".", from = "model.layers." + layer + ".attn.", fused = block + "time_mix_lerp_fused.weight", channel = block + "channel_mix_lerp_k.weight";
        var blends = new Arrangement[BLENDS.length()];
        for (int i = 0; i < blends.length; i++) blends[i] = Arrangement.of(from + "x_" + BLENDS.charAt(i), 1, dim);
        to.put(fused, (to.has(from + "x_x") ? Arrangement.of(from + "x_x", blends.length, dim) : Arrangement.joined(blends)).as(blends.length, 1, 1, dim));
        to.put(channel, Arrangement.of(channel, 1, 1, dim));
        to.put(block + "time_mix_r_k.weight", Arrangement.of(block + "time_mix_r_k.weight", dim));
        // the first layer has no value before its own; other readers of GGUF files want that map all the same, and do not use it
        if (layer == 0) {
            for (int part = 0; part <= 2; part++) {
                String rate = "blk.0.time_mix_a%d.weight".formatted(part), share = "blk.0.time_mix_v%d.weight".formatted(part);
                if (!to.has(rate) || to.has(share)) continue;
                to.put(rate, Arrangement.of(rate, to.shape(rate)));
                to.put(share, Arrangement.of(rate, to.shape(rate)));
            }
        }
    }
}
