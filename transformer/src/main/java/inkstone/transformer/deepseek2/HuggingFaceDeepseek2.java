package inkstone.transformer.deepseek2;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Arrangement;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.Arrangements;
import inkstone.transformer.HuggingFaceModel;
import inkstone.transformer.HuggingFaceNames;
import inkstone.transformer.RopeScaling;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/** DeepSeek 2 and 3 as Hugging Face stores them: experts one by one, and the map from latents to keys with that to values. */
final class HuggingFaceDeepseek2 {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.ofEntries(Map.entry("self_attn.q_a_proj", "attn_q_a"),
        Map.entry("self_attn.q_a_layernorm", "attn_q_a_norm"), Map.entry("self_attn.q_b_proj", "attn_q_b"), Map.entry("self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa"),
        Map.entry("self_attn.kv_a_layernorm", "attn_kv_a_norm"), Map.entry("self_attn.kv_b_proj", "attn_kv_b"), Map.entry("mlp.gate", "ffn_gate_inp"),
        Map.entry("mlp.gate.e_score_correction_bias", "exp_probs_b.bias"), Map.entry("mlp.shared_experts.gate_proj", "ffn_gate_shexp"),
        Map.entry("mlp.shared_experts.up_proj", "ffn_up_shexp"), Map.entry("mlp.shared_experts.down_proj", "ffn_down_shexp")));
    private static final Pattern LAYER = Pattern.compile("(?:blk|model\\.layers)\\.(\\d{1,6})\\..*");

    private final Metadata config;
    private final int dim, layers, heads, plain, turning, value, latent, experts, expertHidden;

    HuggingFaceDeepseek2(Metadata config) {
        this.config = config;
        dim = config.integer("hidden_size");
        layers = config.integer("num_hidden_layers");
        heads = config.integer("num_attention_heads");
        plain = config.integer("qk_nope_head_dim");
        turning = config.integer("qk_rope_head_dim");
        value = config.integer("v_head_dim");
        latent = config.integer("kv_lora_rank");
        experts = config.integer("n_routed_experts");
        expertHidden = config.integer("moe_intermediate_size");
        for (int size : new int[] {dim, layers, heads, plain, turning, value, latent, experts, expertHidden}) {
            if (size < 1 || size > 1 << 20) throw wrong("a size is %d, expected 1 to %d".formatted(size, 1 << 20));
        }
        if (config.integer("moe_layer_freq", 1) != 1) throw wrong("moe_layer_freq should be 1");
        if (!config.bool("rope_interleave", true)) throw wrong("rope_interleave = false is not supported");
    }

    private ModelException wrong(String what) { return new ModelException("%s: %s".formatted(config.source(), what)); }

    HuggingFaceModel model() {
        var keys = new LinkedHashMap<String, Object>();
        keys.put("vocab_size", config.integer("vocab_size"));
        keys.put("context_length", config.integer("max_position_embeddings"));
        keys.put("embedding_length", dim);
        keys.put("block_count", layers);
        keys.put("feed_forward_length", config.integer("intermediate_size"));
        keys.put("attention.head_count", heads);
        keys.put("attention.head_count_kv", 1);
        keys.put("attention.layer_norm_rms_epsilon", config.floating("rms_norm_eps", 1e-6f));
        keys.put("attention.key_length", latent + turning);
        keys.put("attention.value_length", latent);
        keys.put("attention.key_length_mla", plain + turning);
        keys.put("attention.value_length_mla", value);
        keys.put("attention.kv_lora_rank", latent);
        if (config.integer("q_lora_rank", 0) > 0) keys.put("attention.q_lora_rank", config.integer("q_lora_rank"));
        keys.put("rope.dimension_count", turning);
        keys.put("rope.freq_base", config.floating("rope_theta", 10_000));
        keys.put("leading_dense_block_count", config.integer("first_k_dense_replace", 0));
        routing(keys);
        var all = new LinkedHashMap<String, Object>();
        keys.forEach((key, number) -> all.put("deepseek2." + key, number));
        all.putAll(scaling());
        return HuggingFaceModel.of(NAMES::gguf, all).arranged(this::arrange).without(this::predictsAhead);
    }

    private void routing(Map<String, Object> keys) {
        boolean three = config.strings("architectures").contains("DeepseekV3ForCausalLM");
        var scoring = config.string("scoring_func", three ? "sigmoid" : "softmax");
        if (!scoring.equals("sigmoid") && !scoring.equals("softmax")) throw wrong("scoring_func is \"%s\", expected softmax or sigmoid".formatted(scoring));
        var choice = config.string("topk_method", three ? "noaux_tc" : "greedy");
        int groups = choice.equals("greedy") ? 1 : config.integer("n_group", 1);
        if (groups > 1 && !choice.equals("noaux_tc")) throw wrong("topk_method is \"%s\", expected greedy or noaux_tc".formatted(choice));
        keys.put("expert_count", experts);
        keys.put("expert_used_count", config.integer("num_experts_per_tok"));
        keys.put("expert_feed_forward_length", expertHidden);
        keys.put("expert_shared_count", config.integer("n_shared_experts", 0));
        keys.put("expert_gating_func", scoring.equals("sigmoid") ? 2 : 1);
        keys.put("expert_weights_norm", config.bool("norm_topk_prob", three));
        keys.put("expert_weights_scale", config.floating("routed_scaling_factor", 1));
        if (groups > 1) {
            keys.put("expert_group_count", groups);
            keys.put("expert_group_used_count", config.integer("topk_group"));
        }
    }

    /** YaRN here scales all scores by the square of 1 + 0.1 mscale_all_dim ln(factor), and the part that turns by nothing, as its two scales are the same. */
    private Map<String, Object> scaling() {
        var scaling = RopeScaling.fromHuggingFace(config);
        var keys = new LinkedHashMap<>(scaling.toGguf("deepseek2"));
        if (!(scaling instanceof RopeScaling.Yarn)) return keys;
        float all = config.floating("rope_scaling.mscale_all_dim", 0);
        if (all == 0 || config.floating("rope_scaling.mscale", 1) != all || config.has("rope_scaling.attention_factor")) {
            throw wrong("yarn with mscale unlike mscale_all_dim, or with an attention_factor, is not supported");
        }
        keys.remove("deepseek2.rope.scaling.yarn_attn_factor");
        keys.put("deepseek2.rope.scaling.yarn_log_multiplier", 0.1f * all);
        return keys;
    }

    private void arrange(Arrangements to) {
        for (int layer = 0; layer < layers; layer++) {
            var block = "blk." + layer + ".";
            if (!to.has(block + "attn_norm.weight")) break;
            var keyAndValue = Arrangement.of(block + "attn_kv_b.weight", heads, plain + value, latent);
            to.put(block + "attn_k_b.weight", keyAndValue.slice(1, 0, plain).axes(0, 2, 1));
            to.put(block + "attn_v_b.weight", keyAndValue.slice(1, plain, plain + value));
            to.experts(layer, experts, "model.layers.%d.mlp.experts.".formatted(layer), ".gate_proj.weight", ".up_proj.weight", ".down_proj.weight", expertHidden, dim);
        }
    }

    /** Layers behind the last guess the tokens after the next (multi-token prediction); nothing here uses them. */
    private boolean predictsAhead(String name) {
        var layer = LAYER.matcher(name);
        return layer.matches() && Integer.parseInt(layer.group(1)) >= layers;
    }
}
