package inkstone.transformer;

import static inkstone.transformer.RandomGguf.DIM;
import static inkstone.transformer.RandomGguf.HEADS;
import static inkstone.transformer.RandomGguf.HEAD_DIM;
import static inkstone.transformer.RandomGguf.HIDDEN;
import static inkstone.transformer.RandomGguf.KV_HEADS;

import java.util.Arrays;

/** Tiny models of families that are Llama's block with something else in a place of it; see {@link RandomModelsTest}. */
final class RandomFamilies {
    private RandomFamilies() {}

    /** What stands in each layer, whose names begin with {@code p}. */
    private interface Layer {
        void of(RandomGguf m, String p, int layer);
    }

    static RandomGguf of(String name) {
        return switch (name) {
            // biases everywhere, tables of rotary factors, a window, the numbers of heads told for each layer, a linear factor without a kind
            case "llama-variants" -> decoder("llama", 3, false, (m, p, i) -> m.attention(p).gated(p, "", HIDDEN).norms(p, DIM, "attn_norm", "ffn_norm")
                .bias(p, HEADS * HEAD_DIM, "attn_q").bias(p, KV_HEADS * HEAD_DIM, "attn_k", "attn_v").bias(p, DIM, "attn_output", "ffn_down").bias(p, HIDDEN, "ffn_gate", "ffn_up"))
                .key("attention.head_count", each(3, HEADS)).key("attention.head_count_kv", each(3, KV_HEADS)).key("feed_forward_length", each(3, HIDDEN))
                .key("rope.scaling.factor", 4f).key("rope.scaling.attn_factor", 1.1f).tensor("rope_freqs.weight", HEAD_DIM / 2);
            case "granite-unturned" -> llama("granite", 3).key("logit_scale", 0.6f).key("rope.scaling.finetuned", false);
            case "gemma" -> decoder(name, 3, false, (m, p, i) -> m.attention(p).gated(p, "", HIDDEN).norms(p, DIM, "attn_norm", "ffn_norm"));
            case "qwen2moe" -> withExperts(decoder(name, 3, false, (m, p, i) -> biasedAttention(m, p).experts(p, 6, 48).gated(p, "_shexp", 40).norms(p, DIM, "attn_norm", "ffn_norm")
                .tensor(p + "ffn_gate_inp_shexp.weight", DIM)), 6, 48).key("expert_shared_feed_forward_length", 40).tensor("output.weight", 512, DIM);
            case "olmoe" -> withExperts(decoder(name, 3, false, (m, p, i) -> wideAttention(m, p).experts(p, 6, HIDDEN).norms(p, DIM, "attn_norm", "ffn_norm", "attn_q_norm", "attn_k_norm")), 6, 0)
                .key("attention.head_count_kv", HEADS).tensor("output.weight", 512, DIM);
            case "internlm2", "xverse" -> llama(name, 3).tensor("output.weight", 512, DIM);
            case "baichuan" -> decoder(name, 32, false, (m, p, i) -> wideAttention(m, p).gated(p, "", 32).norms(p, DIM, "attn_norm", "ffn_norm")).key("attention.head_count_kv", HEADS)
                .key("feed_forward_length", 32).tensor("output.weight", 512, DIM);
            case "ernie4_5" -> llama(name, 3);
            case "exaone" -> llama(name, 3).tensor("rope_freqs.weight", HEAD_DIM / 2);
            case "starcoder2" -> decoder(name, 3, true, (m, p, i) -> biasedAttention(m, p).bias(p, DIM, "attn_output").affine(p + "attn_norm", DIM).affine(p + "ffn_norm", DIM)
                .affine(p + "ffn_up", HIDDEN, DIM).affine(p + "ffn_down", DIM, HIDDEN)).bias("", DIM, "output_norm");
            case "chatglm" -> decoder(name, 3, false, (m, p, i) -> m.affine(p + "attn_qkv", (HEADS + 2 * KV_HEADS) * HEAD_DIM, DIM).tensor(p + "attn_output.weight", DIM, HEADS * HEAD_DIM)
                .tensor(p + "ffn_up.weight", 2 * HIDDEN, DIM).tensor(p + "ffn_down.weight", DIM, HIDDEN).norms(p, DIM, "attn_norm", "ffn_norm"))
                .key("rope.dimension_count", 8).tensor("output.weight", 512, DIM);
            // its last layer guesses a token further ahead
            case "glm4" -> decoder(name, 4, false, (m, p, i) -> {
                biasedAttention(m, p).tensor(p + "ffn_up.weight", 2 * HIDDEN, DIM).tensor(p + "ffn_down.weight", DIM, HIDDEN)
                    .norms(p, DIM, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm");
                if (i == 3) m.tensor(p + "nextn.eh_proj.weight", DIM, 2 * DIM).norms(p, DIM, "nextn.enorm", "nextn.hnorm", "nextn.shared_head_norm");
            }).key("rope.dimension_count", 8).key("nextn_predict_layers", 1).tensor("output.weight", 512, DIM);
            case "exaone4" -> exaone4(3, HIDDEN);
            case "exaone4-windowed" -> exaone4(64, 32).key("attention.sliding_window", 6).key("attention.sliding_window_pattern", 4);
            case "nemotron" -> decoder(name, 3, true, (m, p, i) -> m.attention(p).affine(p + "attn_norm", DIM).affine(p + "ffn_norm", DIM)
                .tensor(p + "ffn_up.weight", HIDDEN, DIM).tensor(p + "ffn_down.weight", DIM, HIDDEN)).bias("", DIM, "output_norm").key("rope.dimension_count", 8).tensor("output.weight", 512, DIM);
            case "minicpm" -> llama(name, 3).key("embedding_scale", 12f).key("residual_scale", 0.8f).key("logit_scale", 0.7f);
            case "arcee" -> decoder(name, 3, false, (m, p, i) -> m.attention(p).tensor(p + "ffn_up.weight", HIDDEN, DIM).tensor(p + "ffn_down.weight", DIM, HIDDEN)
                .norms(p, DIM, "attn_norm", "ffn_norm")).key("rope.scaling.type", "yarn").key("rope.scaling.factor", 4f).key("rope.scaling.original_context_length", 128);
            case "seed_oss" -> decoder(name, 3, false, (m, p, i) -> biasedAttention(m, p).gated(p, "", HIDDEN).norms(p, DIM, "attn_norm", "post_attention_norm"));
            case "deepseek" -> withExperts(decoder(name, 3, false, (m, p, i) -> mixture(wideAttention(m, p), p, i > 0).norms(p, DIM, "attn_norm", "ffn_norm")), 6, 48)
                .key("attention.head_count_kv", HEADS).key("leading_dense_block_count", 1).key("expert_shared_count", 2).key("expert_weights_scale", 1.5f);
            case "dots1" -> withExperts(decoder(name, 3, false, (m, p, i) -> mixture(wideAttention(m, p), p, i > 0).norms(p, DIM, "attn_norm", "ffn_norm")
                .norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm").bias(p, 6, i > 0 ? new String[] {"exp_probs_b"} : new String[0])), 6, 48)
                .key("attention.head_count_kv", HEADS).key("leading_dense_block_count", 1).key("expert_shared_count", 2).key("expert_weights_scale", 2.5f).key("expert_weights_norm", true)
                .key("expert_gating_func", 2).tensor("output.weight", 512, DIM);
            case "bailingmoe" -> withExperts(decoder(name, 3, false, (m, p, i) -> mixture(m.attention(p), p, true).norms(p, DIM, "attn_norm", "ffn_norm")), 6, 48)
                .key("expert_shared_count", 2).key("expert_weights_norm", true).tensor("output.weight", 512, DIM);
            // its last layer guesses a token further ahead
            case "glm4moe" -> withExperts(decoder(name, 4, false, (m, p, i) -> {
                mixture(biasedAttention(m, p), p, i > 0).norms(p, DIM, "attn_norm", "post_attention_norm").norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm");
                if (i > 0) m.bias(p, 6, "exp_probs_b");
                if (i == 3) m.tensor(p + "nextn.eh_proj.weight", DIM, 2 * DIM).norms(p, DIM, "nextn.enorm", "nextn.hnorm", "nextn.shared_head_norm");
            }), 6, 48).key("rope.dimension_count", 8).key("nextn_predict_layers", 1).key("leading_dense_block_count", 1).key("expert_shared_count", 2)
                .key("expert_weights_scale", 2.5f).key("expert_weights_norm", true).key("expert_gating_func", 2).tensor("output.weight", 512, DIM);
            case "ernie4_5-moe" -> withExperts(decoder(name, 3, false, (m, p, i) -> {
                mixture(m.attention(p), p, i > 0).norms(p, DIM, "attn_norm", "ffn_norm");
                if (i > 0) m.bias(p, 6, "exp_probs_b");
            }), 6, 48).key("leading_dense_block_count", 1).key("interleave_moe_layer_step", 1).key("expert_shared_count", 2).key("expert_shared_feed_forward_length", 96);
            case "bailingmoe2" -> withExperts(decoder(name, 3, false, (m, p, i) -> {
                m.tensor(p + "attn_qkv.weight", (HEADS + 2 * KV_HEADS) * HEAD_DIM, DIM).tensor(p + "attn_output.weight", DIM, HEADS * HEAD_DIM).norms(p, DIM, "attn_norm", "ffn_norm")
                    .norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm");
                mixture(m, p, i > 0);
                if (i > 0) m.bias(p, 6, "exp_probs_b");
            }), 6, 48).key("leading_dense_block_count", 1).key("expert_shared_count", 2).key("expert_shared_feed_forward_length", 48).key("expert_weights_norm", true)
                .key("expert_gating_func", 2).key("expert_group_count", 3).key("expert_group_used_count", 2).key("rope.dimension_count", 8).tensor("output.weight", 512, DIM);
            case "apertus" -> decoder(name, 3, false, (m, p, i) -> m.attention(p).tensor(p + "ffn_up.weight", HIDDEN, DIM).tensor(p + "ffn_down.weight", DIM, HIDDEN)
                .norms(p, DIM, "attn_norm", "ffn_norm").norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm")).plainKey("xielu.alpha_n", new float[] {0.6f, 0.8f, 1.1f})
                .plainKey("xielu.alpha_p", new float[] {0.7f, 0.9f, 0.4f}).plainKey("xielu.beta", new float[] {0.5f, 0.4f, 0.6f}).plainKey("xielu.eps", new float[] {-1e-6f, -1e-6f, -1e-6f})
                .tensor("output.weight", 512, DIM);
            case "hunyuan-dense" -> decoder(name, 3, false, (m, p, i) -> m.attention(p).gated(p, "", HIDDEN).norms(p, DIM, "attn_norm", "ffn_norm")
                .norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm")).key("rope.scaling.alpha", 50f);
            case "hunyuan-moe" -> withExperts(decoder(name, 3, false, (m, p, i) -> m.attention(p).experts(p, 6, HIDDEN).gated(p, "_shexp", 48).norms(p, DIM, "attn_norm", "ffn_norm")
                .norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm")), 6, HIDDEN).key("expert_shared_feed_forward_length", 48);
            case "llama4" -> withExperts(decoder(name, 5, false, (m, p, i) -> {
                m.attention(p).norms(p, DIM, "attn_norm", "ffn_norm");
                if (i % 2 == 1) m.experts(p, 6, 48).gated(p, "_shexp", 48); else m.gated(p, "", HIDDEN);
            }), 6, 48).key("expert_used_count", 1).key("interleave_moe_layer_step", 2).tensor("output.weight", 512, DIM);
            case "mistral3" -> llama(name, 3).key("rope.scaling.type", "yarn").key("rope.scaling.factor", 16f).key("rope.scaling.original_context_length", 8)
                .key("rope.scaling.yarn_log_multiplier", 0.7f).key("attention.temperature_scale", 0.3f).tensor("output.weight", 512, DIM);
            case "plamo" -> decoder(name, 3, false, (m, p, i) -> m.attention(p).gated(p, "", HIDDEN).norms(p, DIM, "attn_norm")).tensor("output.weight", 512, DIM);
            case "orion" -> decoder(name, 3, true, (m, p, i) -> m.attention(p).gated(p, "", HIDDEN).affine(p + "attn_norm", DIM).affine(p + "ffn_norm", DIM)).bias("", DIM, "output_norm")
                .tensor("output.weight", 512, DIM);
            case "codeshell", "starcoder" -> {
                int kvHeads = name.equals("codeshell") ? KV_HEADS : 1;
                var m = decoder(name, 3, true, (of, p, i) -> of.affine(p + "attn_qkv", (HEADS + 2 * kvHeads) * HEAD_DIM, DIM).affine(p + "attn_output", DIM, HEADS * HEAD_DIM)
                    .affine(p + "attn_norm", DIM).affine(p + "ffn_norm", DIM).affine(p + "ffn_up", HIDDEN, DIM).affine(p + "ffn_down", DIM, HIDDEN)).bias("", DIM, "output_norm")
                    .key("attention.head_count_kv", kvHeads).tensor("output.weight", 512, DIM);
                yield kvHeads == 1 ? m.tensor("position_embd.weight", 512, DIM) : m;
            }
            // that engine does not read the epsilon of this family
            case "qwen2vl" -> decoder(name, 3, false, (m, p, i) -> biasedAttention(m, p).gated(p, "", HIDDEN).norms(p, DIM, "attn_norm", "ffn_norm"))
                .key("rope.dimension_sections", new int[] {2, 3, 3, 0})
                .key("attention.layer_norm_rms_epsilon", 0f);
            case "qwen3vl" -> decoder(name, 3, false, (m, p, i) -> m.attention(p).gated(p, "", HIDDEN).norms(p, DIM, "attn_norm", "ffn_norm")
                .norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm")).key("rope.dimension_sections", new int[] {3, 3, 2, 0}).key("n_deepstack_layers", 0);
            case "lfm2", "lfm2moe" -> {
                boolean mixture = name.equals("lfm2moe");
                var m = decoder(name, 5, false, (of, p, i) -> {
                    of.norms(p, DIM, "attn_norm", "ffn_norm");
                    if (i % 3 == 1) of.attention(p).norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm");
                    else of.tensor(p + "shortconv.conv.weight", DIM, 3).tensor(p + "shortconv.in_proj.weight", 3 * DIM, DIM).tensor(p + "shortconv.out_proj.weight", DIM, DIM);
                    if (mixture && i > 1) of.experts(p, 6, 48).bias(p, 6, "exp_probs_b"); else of.gated(p, "", HIDDEN);
                }).without("output_norm.weight").norms("", DIM, "token_embd_norm").key("shortconv.l_cache", 3).key("attention.head_count_kv", new int[] {0, KV_HEADS, 0, 0, KV_HEADS});
                yield mixture ? withExperts(m, 6, 48).key("leading_dense_block_count", 2).key("expert_gating_func", 2) : m;
            }
            case "gemma4" -> gemma4(name, 6, 0, 0);
            case "gemma4-sharing" -> gemma4("gemma4", 6, 3, 8);
            case "mamba2" -> ssm(decoder(name, 3, false, (m, p, i) -> ssd(m, p, 2).norms(p, DIM, "attn_norm")), 2).key("attention.head_count", 0).key("attention.head_count_kv", 0)
                .key("feed_forward_length", 0).withoutKeys("rope.dimension_count", "rope.freq_base");
            case "falcon-h1" -> ssm(decoder(name, 3, false, (m, p, i) -> ssd(m.attention(p), p, 1).gated(p, "", HIDDEN).norms(p, DIM, "attn_norm").tensor(p + "ffn_norm", DIM)), 1);
            case "granitehybrid" -> ssm(decoder(name, 5, false, (m, p, i) -> {
                m.gated(p, "", HIDDEN).norms(p, DIM, "attn_norm", "ffn_norm");
                if (i % 3 == 1) m.attention(p); else ssd(m, p, 1);
            }), 1).key("attention.head_count_kv", new int[] {0, KV_HEADS, 0, 0, KV_HEADS}).key("embedding_scale", 3f).key("residual_scale", 0.45f).key("attention.scale", 0.09f)
                .key("logit_scale", 0.6f).key("rope.scaling.finetuned", false);
            case "openelm" -> {
                int[] heads = {4, 8, 8}, kvHeads = {1, 2, 4}, hiddens = {96, 64, 128};
                yield decoder(name, 3, false, (m, p, i) -> m.tensor(p + "attn_qkv.weight", (heads[i] + 2 * kvHeads[i]) * HEAD_DIM, DIM).tensor(p + "attn_output.weight", DIM, heads[i] * HEAD_DIM)
                    .gated(p, "", hiddens[i]).norms(p, DIM, "attn_norm", "ffn_norm").norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm")).key("attention.key_length", HEAD_DIM)
                    .key("attention.value_length", HEAD_DIM).key("attention.head_count", heads).key("attention.head_count_kv", kvHeads).key("feed_forward_length", hiddens);
            }
            // attention, a map in its place, and nothing at all
            case "deci" -> {
                int[] heads = {4, 4, 0, 4}, kvHeads = {2, 0, 0, 1}, hiddens = {96, 64, 0, 128};
                yield decoder(name, 4, false, (m, p, i) -> {
                    if (heads[i] > 0) m.norms(p, DIM, "attn_norm").tensor(p + "attn_output.weight", DIM, DIM);
                    if (kvHeads[i] > 0) m.tensor(p + "attn_q.weight", DIM, DIM).tensor(p + "attn_k.weight", kvHeads[i] * HEAD_DIM, DIM).tensor(p + "attn_v.weight", kvHeads[i] * HEAD_DIM, DIM);
                    if (hiddens[i] > 0) m.gated(p, "", hiddens[i]).norms(p, DIM, "ffn_norm");
                }).key("attention.head_count", heads).key("attention.head_count_kv", kvHeads).key("feed_forward_length", hiddens).tensor("output.weight", 512, DIM)
                    .tensor("rope_freqs.weight", HEAD_DIM / 2);
            }
            case "qwen3next" -> qwen3next(name, true, true);
            case "qwen35" -> qwen3next(name, false, false).key("rope.dimension_sections", new int[] {2, 1, 1, 0});
            case "qwen35moe" -> qwen3next(name, true, false).key("rope.dimension_sections", new int[] {2, 1, 1, 0});
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static RandomGguf decoder(String architecture, int layers, boolean layerNorm, Layer layer) {
        var m = new RandomGguf(architecture, layers, layerNorm).norms("", DIM, "output_norm");
        for (int i = 0; i < layers; i++) layer.of(m, "blk." + i + ".", i);
        return m;
    }

    private static RandomGguf llama(String architecture, int layers) {
        return decoder(architecture, layers, false, (m, p, i) -> m.attention(p).gated(p, "", HIDDEN).norms(p, DIM, "attn_norm", "ffn_norm"));
    }

    private static RandomGguf exaone4(int layers, int hidden) {
        return decoder("exaone4", layers, false, (m, p, i) -> m.attention(p).gated(p, "", hidden).norms(p, DIM, "post_attention_norm", "post_ffw_norm")
            .norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm")).key("feed_forward_length", hidden);
    }

    /** Two of three layers windowed, with heads half as wide and twice as many of keys; the last {@code sharing} read the keys of others. */
    private static RandomGguf gemma4(String architecture, int layers, int sharing, int perLayer) {
        var m = new RandomGguf(architecture, layers, false).norms("", DIM, "output_norm").tensor("rope_freqs.weight", HEAD_DIM);
        int[] kvHeads = new int[layers], hiddens = new int[layers], windowed = new int[layers];
        for (int i = 0; i < layers; i++) {
            var p = "blk." + i + ".";
            windowed[i] = i % 3 < 2 ? 1 : 0;
            int headDim = windowed[i] == 1 ? HEAD_DIM : 2 * HEAD_DIM;
            kvHeads[i] = windowed[i] == 1 ? 2 : 1;
            hiddens[i] = i % 2 == 0 ? HIDDEN : 48;
            m.tensor(p + "attn_q.weight", HEADS * headDim, DIM).tensor(p + "attn_output.weight", DIM, HEADS * headDim).norms(p, headDim, "attn_q_norm").gated(p, "", hiddens[i])
                .norms(p, DIM, "attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm").norms(p, 1, "layer_output_scale");
            if (i < layers - sharing) m.tensor(p + "attn_k.weight", kvHeads[i] * headDim, DIM).norms(p, headDim, "attn_k_norm");
            if (i < layers - sharing && (windowed[i] == 1 || perLayer > 0)) m.tensor(p + "attn_v.weight", kvHeads[i] * headDim, DIM);
            if (perLayer > 0) m.tensor(p + "inp_gate.weight", perLayer, DIM).tensor(p + "proj.weight", DIM, perLayer).norms(p, DIM, "post_norm");
        }
        if (perLayer > 0) {
            m.tensor("per_layer_token_embd.weight", 512, perLayer * layers).tensor("per_layer_model_proj.weight", perLayer * layers, DIM).norms("", perLayer, "per_layer_proj_norm");
        }
        return m.key("attention.key_length", 2 * HEAD_DIM).key("attention.value_length", 2 * HEAD_DIM).key("attention.key_length_swa", HEAD_DIM).key("attention.value_length_swa", HEAD_DIM)
            .key("rope.dimension_count", 2 * HEAD_DIM).key("rope.dimension_count_swa", HEAD_DIM).key("rope.freq_base_swa", 300f).key("attention.sliding_window", 6)
            .key("attention.sliding_window_pattern", windowed).key("attention.head_count_kv", kvHeads).key("feed_forward_length", hiddens).key("attention.shared_kv_layers", sharing)
            .key("embedding_length_per_layer_input", perLayer).key("final_logit_softcapping", 12f);
    }

    /** A Mamba-2 of 128 features in 8 heads with 16 states. */
    private static RandomGguf ssd(RandomGguf m, String p, int groups) {
        int convolved = 128 + 2 * groups * 16;
        return m.tensor(p + "ssm_in.weight", 128 + convolved + 8, DIM).affine(p + "ssm_conv1d", convolved, 4).bias(p, 8, "ssm_dt").tensor(p + "ssm_a", 8, 1).tensor(p + "ssm_d", 8, 1)
            .tensor(p + "ssm_norm.weight", groups, 128 / groups).tensor(p + "ssm_out.weight", DIM, 128);
    }

    private static RandomGguf ssm(RandomGguf m, int groups) {
        return m.key("ssm.conv_kernel", 4).key("ssm.inner_size", 128).key("ssm.state_size", 16).key("ssm.time_step_rank", 8).key("ssm.group_count", groups);
    }

    /** Gated delta nets of 4 heads, 2 of keys, each 16 wide, and every fourth layer attention. */
    private static RandomGguf qwen3next(String architecture, boolean mixture, boolean fused) {
        var m = decoder(architecture, 5, false, (of, p, i) -> {
            of.norms(p, DIM, "attn_norm", "post_attention_norm");
            if (mixture) of.experts(p, 6, 48).gated(p, "_shexp", 40).tensor(p + "ffn_gate_inp_shexp.weight", DIM); else of.gated(p, "", HIDDEN);
            if (i % 4 == 3) {
                of.tensor(p + "attn_q.weight", 2 * HEADS * HEAD_DIM, DIM).tensor(p + "attn_k.weight", KV_HEADS * HEAD_DIM, DIM).tensor(p + "attn_v.weight", KV_HEADS * HEAD_DIM, DIM)
                    .tensor(p + "attn_output.weight", DIM, HEADS * HEAD_DIM).norms(p, HEAD_DIM, "attn_q_norm", "attn_k_norm");
                return;
            }
            of.tensor(p + "ssm_conv1d.weight", 128, 4).bias(p, 4, "ssm_dt").tensor(p + "ssm_a", 4).norms(p, 16, "ssm_norm").tensor(p + "ssm_out.weight", DIM, 64);
            if (fused) of.tensor(p + "ssm_in.weight", 192, DIM).tensor(p + "ssm_ba.weight", 8, DIM);
            else of.tensor(p + "attn_qkv.weight", 128, DIM).tensor(p + "attn_gate.weight", 64, DIM).tensor(p + "ssm_beta.weight", 4, DIM).tensor(p + "ssm_alpha.weight", 4, DIM);
        }).key("ssm.conv_kernel", 4).key("ssm.inner_size", 64).key("ssm.state_size", 16).key("ssm.time_step_rank", 4).key("ssm.group_count", 2).key("rope.dimension_count", 8);
        return mixture ? withExperts(m, 6, 48).key("expert_shared_feed_forward_length", 40) : m;
    }

    private static RandomGguf biasedAttention(RandomGguf m, String p) {
        return m.attention(p).bias(p, HEADS * HEAD_DIM, "attn_q").bias(p, KV_HEADS * HEAD_DIM, "attn_k", "attn_v");
    }

    /** As many key-value heads as heads. */
    private static RandomGguf wideAttention(RandomGguf m, String p) {
        for (var name : new String[] {"attn_q", "attn_k", "attn_v", "attn_output"}) m.tensor(p + name + ".weight", HEADS * HEAD_DIM, DIM);
        return m;
    }

    /** Six experts of 48 features with shared ones of twice that, or a dense layer. */
    private static RandomGguf mixture(RandomGguf m, String p, boolean experts) { return experts ? m.experts(p, 6, 48).gated(p, "_shexp", 96) : m.gated(p, "", HIDDEN); }

    private static RandomGguf withExperts(RandomGguf m, int count, int hidden) {
        if (hidden > 0) m.key("expert_feed_forward_length", hidden);
        return m.key("expert_count", count).key("expert_used_count", 3);
    }

    private static int[] each(int layers, int number) {
        var numbers = new int[layers];
        Arrays.fill(numbers, number);
        return numbers;
    }
}
