package inkstone.transformer;

import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * How the transformers library (5.0; RWKV-7: flash-linear-attention) names and lays out the parameters of each family, and what config.json says, turned back from a
 * GGUF file. From modeling_*.py and configuration_*.py of each model; the product's code is not asked.
 */
final class HuggingFaceLayouts {
    private static final String[] LLAMA = {"attn_norm", "input_layernorm", "ffn_norm", "post_attention_layernorm", "attn_v", "self_attn.v_proj", "attn_output", "self_attn.o_proj",
        "ffn_gate", "mlp.gate_proj", "ffn_up", "mlp.up_proj", "ffn_down", "mlp.down_proj"};
    private static final String LAYERS = "model.layers.";

    private HuggingFaceLayouts() {}

    /** Moves all tensors of the model and returns its config.json. */
    static String of(String name, HuggingFaceWriter w) {
        var config = switch (name) {
            case "llama-linear" -> llama(w, "LlamaForCausalLM", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}, \"tie_word_embeddings\": true, \"head_dim\": 32");
            case "llama3-rope" -> {
                w.take("rope_freqs.weight");
                yield llama(w, "LlamaForCausalLM", "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
                    + "\"original_max_position_embeddings\": 64}, \"tie_word_embeddings\": false");
            }
            case "mixtral" -> mixtral(w);
            case "qwen2" -> plain(w, "Qwen2ForCausalLM", "\"use_sliding_window\": false, \"tie_word_embeddings\": true");
            case "qwen3", "qwen3moe" -> qwen3(w);
            case "phi3", "phi3-longrope" -> phi3(w, name.equals("phi3-longrope"));
            case "gpt2" -> gpt2(w);
            case "gemma" -> gemma1(w);
            case "seed_oss" -> {
                w.moveLayers(LAYERS, "post_attention_norm", "post_attention_layernorm");
                yield plain(w, "SeedOssForCausalLM", "\"head_dim\": %d, \"attention_out_bias\": false, \"tie_word_embeddings\": true".formatted(w.headDim()))
                    .replace("\"attention_bias\": false", "\"attention_bias\": true");
            }
            case "arcee" -> llama(w, "ArceeForCausalLM", "\"head_dim\": %d, \"mlp_bias\": false, \"tie_word_embeddings\": true, \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, "
                .formatted(w.headDim()) + "\"original_max_position_embeddings\": 128}").replace("\"hidden_act\": \"silu\"", "\"hidden_act\": \"relu2\"");
            case "gemma2", "gemma3" -> gemma(w, name.equals("gemma3"));
            case "stablelm", "stablelm-12b" -> stablelm(w);
            case "phi2" -> phi2(w);
            case "falcon", "falcon-40b" -> falcon(w);
            case "granite", "granitemoe" -> granite(w);
            case "gptoss", "gptoss-mxfp4" -> gptoss(w, name.equals("gptoss-mxfp4"));
            case "olmo2", "olmo3" -> olmo(w, name.equals("olmo3"));
            case "smollm3" -> llama(w, "SmolLM3ForCausalLM", "\"no_rope_layers\": [1, 1, 1, 0, 1], \"use_sliding_window\": false, \"tie_word_embeddings\": true");
            case "gptneox-parallel", "gptneox-sequential" -> gptneox(w);
            case "command-r", "cohere2" -> cohere(w);
            case "deepseek2-lite", "deepseek3" -> deepseek(w);
            case "mamba" -> mamba(w);
            case "rwkv7" -> rwkv7(w);
            case "bert" -> bert(w);
            default -> throw new IllegalArgumentException(name);
        };
        return "{" + config + "}";
    }

    // ---- parts -----------------------------------------------------------------------------------------------------------------------------------------

    private static String numbers(HuggingFaceWriter w, String architecture) {
        var rms = "attention.layer_norm_rms_epsilon";
        return ("\"architectures\": [\"%s\"], \"vocab_size\": 512, \"num_hidden_layers\": %d, \"hidden_size\": %d, \"intermediate_size\": %d, \"num_attention_heads\": %d, "
            + "\"num_key_value_heads\": %d, \"max_position_embeddings\": %d, \"rope_theta\": %s, \"hidden_act\": \"silu\", \"attention_bias\": false%s").formatted(architecture, w.layers(),
            w.number("embedding_length"), w.number("feed_forward_length"), w.heads(), w.kvHeads(), w.number("context_length"), w.text("rope.freq_base"),
            w.architecture.matches("stablelm|phi2|falcon|gptneox|command-r|cohere2") ? "" : ", \"rms_norm_eps\": " + w.text(rms));
    }

    private static void outside(HuggingFaceWriter w) {
        w.move("token_embd", "model.embed_tokens");
        w.move("output_norm", "model.norm");
        w.move("output", "lm_head");
    }

    private static void keys(HuggingFaceWriter w) { w.moveLayers(LAYERS, "attn_q", "self_attn.q_proj", "attn_k", "self_attn.k_proj"); }

    /** GGUF's rows 2i and 2i + 1 of a head are rows i and i + half of it. */
    private static void turnBack(HuggingFaceWriter w, String gguf, String name, int heads) {
        var rows = w.take(gguf);
        int dim = rows.dims()[1];
        w.put(name, rows.reshape(heads, w.headDim() / 2, 2, dim).permute(0, 2, 1, 3).reshape(heads * w.headDim(), dim));
    }

    private static String plain(HuggingFaceWriter w, String architecture, String more) {
        outside(w);
        keys(w);
        w.moveLayers(LAYERS, LLAMA);
        return numbers(w, architecture) + ", " + more;
    }

    private static String llama(HuggingFaceWriter w, String architecture, String more) {
        outside(w);
        for (int i = 0; i < w.layers(); i++) {
            turnBack(w, "blk." + i + ".attn_q.weight", LAYERS + i + ".self_attn.q_proj.weight", w.heads());
            turnBack(w, "blk." + i + ".attn_k.weight", LAYERS + i + ".self_attn.k_proj.weight", w.kvHeads());
        }
        w.moveLayers(LAYERS, LLAMA);
        return numbers(w, architecture) + ", " + more;
    }

    /** One by one; a layer from which they were taken before has none. */
    private static void experts(HuggingFaceWriter w, String gguf, String name) {
        for (int i = 0; i < w.layers(); i++) {
            var tensor = "blk." + i + "." + gguf + ".weight";
            if (!w.has(tensor)) continue;
            var all = w.take(tensor);
            for (int e = 0; e < all.dims()[0]; e++) w.put(LAYERS + i + "." + name.formatted(e) + ".weight", all.row(e));
        }
    }

    // ---- families --------------------------------------------------------------------------------------------------------------------------------------

    private static String mixtral(HuggingFaceWriter w) {
        experts(w, "ffn_gate_exps", "block_sparse_moe.experts.%d.w1");
        experts(w, "ffn_up_exps", "block_sparse_moe.experts.%d.w3");
        experts(w, "ffn_down_exps", "block_sparse_moe.experts.%d.w2");
        w.moveLayers(LAYERS, "ffn_gate_inp", "block_sparse_moe.gate");
        return llama(w, "MixtralForCausalLM", "\"num_local_experts\": %d, \"num_experts_per_tok\": %d, \"sliding_window\": null, \"tie_word_embeddings\": false"
            .formatted(w.number("expert_count"), w.number("expert_used_count")));
    }

    private static String qwen3(HuggingFaceWriter w) {
        w.moveLayers(LAYERS, "attn_q_norm", "self_attn.q_norm", "attn_k_norm", "self_attn.k_norm");
        if (w.architecture.equals("qwen3")) return plain(w, "Qwen3ForCausalLM", "\"head_dim\": %d".formatted(w.headDim()));
        for (var part : new String[] {"gate", "up", "down"}) experts(w, "ffn_%s_exps".formatted(part), "mlp.experts.%%d.%s_proj".formatted(part));
        w.moveLayers(LAYERS, "ffn_gate_inp", "mlp.gate");
        return plain(w, "Qwen3MoeForCausalLM", ("\"head_dim\": %d, \"num_experts\": %d, \"num_experts_per_tok\": %d, \"moe_intermediate_size\": %d, \"norm_topk_prob\": true, "
            + "\"decoder_sparse_step\": 1, \"mlp_only_layers\": []").formatted(w.headDim(), w.number("expert_count"), w.number("expert_used_count"), w.number("expert_feed_forward_length")));
    }

    /** As configuration_phi3.py has it; the magnitude follows from the two context lengths there. */
    private static String phi3(HuggingFaceWriter w, boolean longrope) {
        w.moveLayers(LAYERS, "attn_qkv", "self_attn.qkv_proj", "ffn_up", "mlp.gate_up_proj");
        var scaling = "null";
        if (longrope) scaling = "{\"type\": \"longrope\", \"short_factor\": %s, \"long_factor\": %s}".formatted(list(w.take("rope_factors_short.weight")), list(w.take("rope_factors_long.weight")));
        return plain(w, "Phi3ForCausalLM", "\"sliding_window\": null, \"rope_scaling\": %s, \"original_max_position_embeddings\": 512".formatted(scaling));
    }

    private static String list(NdArray vector) {
        return IntStream.range(0, vector.values().length).mapToObj(i -> Float.toString(vector.values()[i])).collect(Collectors.joining(", ", "[", "]"));
    }

    /** Conv1D keeps [in, out]; early releases hold the causal mask. */
    private static String gpt2(HuggingFaceWriter w) {
        w.move("token_embd", "transformer.wte");
        w.move("position_embd", "transformer.wpe");
        w.move("output_norm", "transformer.ln_f");
        String[] names = {"attn_qkv", "attn.c_attn", "attn_output", "attn.c_proj", "ffn_up", "mlp.c_fc", "ffn_down", "mlp.c_proj"};
        for (int layer = 0; layer < w.layers(); layer++) {
            for (int i = 0; i < names.length; i += 2) w.put("transformer.h.%d.%s.weight".formatted(layer, names[i + 1]), w.take("blk.%d.%s.weight".formatted(layer, names[i])).permute(1, 0));
        }
        w.moveLayers("transformer.h.", names);
        w.moveLayers("transformer.h.", "attn_norm", "ln_1", "ffn_norm", "ln_2");
        w.put("transformer.h.0.attn.bias", new NdArray(new float[4], 1, 1, 2, 2));
        return ("\"architectures\": [\"GPT2LMHeadModel\"], \"vocab_size\": 512, \"n_embd\": %d, \"n_layer\": %d, \"n_head\": %d, \"n_inner\": %d, \"n_positions\": %d, \"layer_norm_epsilon\": %s, "
            + "\"activation_function\": \"gelu_new\"").formatted(w.number("embedding_length"), w.layers(), w.heads(), w.number("feed_forward_length"), w.number("context_length"),
            w.text("attention.layer_norm_epsilon"));
    }

    /** Norms multiply by 1 + weight. */
    private static String gemma1(HuggingFaceWriter w) {
        w.put("model.norm.weight", w.take("output_norm.weight").map(x -> x - 1));
        for (int layer = 0; layer < w.layers(); layer++) {
            w.put(LAYERS + layer + ".input_layernorm.weight", w.take("blk.%d.attn_norm.weight".formatted(layer)).map(x -> x - 1));
            w.put(LAYERS + layer + ".post_attention_layernorm.weight", w.take("blk.%d.ffn_norm.weight".formatted(layer)).map(x -> x - 1));
        }
        return plain(w, "GemmaForCausalLM", "\"head_dim\": %d".formatted(w.headDim())).replace("\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"");
    }

    /** The same, with norms behind each part. */
    private static String gemma(HuggingFaceWriter w, boolean three) {
        w.put("model.norm.weight", w.take("output_norm.weight").map(x -> x - 1));
        String[] norms = {"attn_norm", "input_layernorm", "post_attention_norm", "post_attention_layernorm", "ffn_norm", "pre_feedforward_layernorm", "post_ffw_norm",
            "post_feedforward_layernorm", "attn_q_norm", "self_attn.q_norm", "attn_k_norm", "self_attn.k_norm"};
        for (int layer = 0; layer < w.layers(); layer++) {
            for (int i = 0; i < norms.length; i += 2) {
                var gguf = "blk.%d.%s.weight".formatted(layer, norms[i]);
                if (w.has(gguf)) w.put(LAYERS + layer + "." + norms[i + 1] + ".weight", w.take(gguf).map(x -> x - 1));
            }
        }
        var more = "\"head_dim\": %d, \"sliding_window\": %d, \"query_pre_attn_scalar\": %d, \"hidden_activation\": \"gelu_pytorch_tanh\"".formatted(w.headDim(),
            w.number("attention.sliding_window"), w.headDim());
        if (!three) return plain(w, "Gemma2ForCausalLM", more + ", \"attn_logit_softcapping\": 2.0, \"final_logit_softcapping\": 4.0");
        return plain(w, "Gemma3ForCausalLM", more + ", \"rope_local_base_freq\": 300.0, \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8.0}, \"sliding_window_pattern\": 6");
    }

    private static String stablelm(HuggingFaceWriter w) {
        boolean parallel = !w.has("blk.0.ffn_norm.weight");
        for (int layer = 0; parallel && layer < w.layers(); layer++) {
            for (var which : new String[] {"q", "k"}) {
                var norms = w.take("blk.%d.attn_%s_norm.weight".formatted(layer, which));
                for (int head = 0; head < norms.dims()[0]; head++) w.put("model.layers.%d.self_attn.%s_layernorm.norms.%d.weight".formatted(layer, which, head), norms.row(head));
            }
        }
        return plain(w, "StableLmForCausalLM", "\"layer_norm_eps\": %s, \"partial_rotary_factor\": %s, \"use_parallel_residual\": %s, \"qk_layernorm\": %s, \"use_qkv_bias\": %s".formatted(
            w.text("attention.layer_norm_epsilon"), (double) w.number("rope.dimension_count") / w.headDim(), parallel, parallel, !parallel));
    }

    private static String phi2(HuggingFaceWriter w) {
        w.move("token_embd", "model.embed_tokens");
        w.move("output_norm", "model.final_layernorm");
        w.move("output", "lm_head");
        keys(w);
        w.moveLayers(LAYERS, "attn_norm", "input_layernorm", "attn_v", "self_attn.v_proj", "attn_output", "self_attn.dense", "ffn_up", "mlp.fc1", "ffn_down", "mlp.fc2");
        return numbers(w, "PhiForCausalLM").replace("silu", "gelu_new") + ", \"layer_norm_eps\": %s, \"partial_rotary_factor\": %s, \"qk_layernorm\": false".formatted(
            w.text("attention.layer_norm_epsilon"), (double) w.number("rope.dimension_count") / w.headDim());
    }

    /** FalconAttention._split_heads: groups of queries, a key and a value. */
    private static String falcon(HuggingFaceWriter w) {
        boolean grouped = w.kvHeads() > 1;
        int shared = w.heads() / w.kvHeads(), headDim = w.headDim(), dim = w.number("embedding_length");
        for (int layer = 0; layer < w.layers(); layer++) {
            var qkv = w.take("blk." + layer + ".attn_qkv.weight").reshape(w.heads() + 2 * w.kvHeads(), headDim, dim);
            var groups = new NdArray[3 * w.kvHeads()];
            for (int group = 0; group < w.kvHeads(); group++) {
                groups[3 * group] = qkv.rows(group * shared, (group + 1) * shared);
                groups[3 * group + 1] = qkv.rows(w.heads() + group, w.heads() + group + 1);
                groups[3 * group + 2] = qkv.rows(w.heads() + w.kvHeads() + group, w.heads() + w.kvHeads() + group + 1);
            }
            w.put("transformer.h." + layer + ".self_attention.query_key_value.weight", NdArray.concat(groups).reshape((w.heads() + 2 * w.kvHeads()) * headDim, dim));
        }
        w.move("token_embd", "transformer.word_embeddings");
        w.move("output_norm", "transformer.ln_f");
        w.move("output", "lm_head");
        w.moveLayers("transformer.h.", "attn_norm", grouped ? "ln_mlp" : "input_layernorm", "attn_norm_2", "ln_attn", "attn_output", "self_attention.dense",
            "ffn_up", "mlp.dense_h_to_4h", "ffn_down", "mlp.dense_4h_to_h");
        return ("\"architectures\": [\"FalconForCausalLM\"], \"vocab_size\": 512, \"hidden_size\": %d, \"num_hidden_layers\": %d, \"num_attention_heads\": %d, \"num_kv_heads\": %d, "
            + "\"layer_norm_epsilon\": %s, \"new_decoder_architecture\": %s, \"multi_query\": true, \"parallel_attn\": true, \"alibi\": false, \"bias\": false, \"rope_theta\": %s, "
            + "\"ffn_hidden_size\": %d, \"max_position_embeddings\": 512, \"activation\": \"gelu\"").formatted(dim, w.layers(), w.heads(), grouped ? w.kvHeads() : w.heads(),
            w.text("attention.layer_norm_epsilon"), grouped, w.text("rope.freq_base"), w.number("feed_forward_length"));
    }

    /** GraniteMoeParallelExperts: gate above up. */
    private static String granite(HuggingFaceWriter w) {
        var more = "\"embedding_multiplier\": %s, \"residual_multiplier\": %s, \"attention_multiplier\": %s, \"logits_scaling\": %s, \"tie_word_embeddings\": true".formatted(w.text("embedding_scale"),
            w.text("residual_scale"), w.text("attention.scale"), w.text("logit_scale"));
        if (w.architecture.equals("granite")) return llama(w, "GraniteForCausalLM", more);
        for (int i = 0; i < w.layers(); i++) {
            NdArray gate = w.take("blk." + i + ".ffn_gate_exps.weight"), up = w.take("blk." + i + ".ffn_up_exps.weight");
            int count = gate.dims()[0], hidden = gate.dims()[1], dim = gate.dims()[2];
            w.put(LAYERS + i + ".block_sparse_moe.input_linear.weight", NdArray.concat(gate.reshape(1, count, hidden, dim), up.reshape(1, count, hidden, dim)).permute(1, 0, 2, 3)
                .reshape(count, 2 * hidden, dim));
            w.put(LAYERS + i + ".shared_mlp.input_linear.weight", NdArray.concat(w.take("blk." + i + ".ffn_gate_shexp.weight"), w.take("blk." + i + ".ffn_up_shexp.weight")));
        }
        w.moveLayers(LAYERS, "ffn_gate_inp", "block_sparse_moe.router.layer", "ffn_down_exps", "block_sparse_moe.output_linear", "ffn_down_shexp", "shared_mlp.output_linear");
        return llama(w, "GraniteMoeSharedForCausalLM", more + ", \"num_local_experts\": %d, \"num_experts_per_tok\": %d, \"shared_intermediate_size\": %d".formatted(w.number("expert_count"),
            w.number("expert_used_count"), w.number("expert_shared_feed_forward_length")));
    }

    /** GptOssExperts: columns of gate and up take turns, [experts, in, out]; packed, rows of [experts, out, in / 32, 16 bytes]. */
    private static String gptoss(HuggingFaceWriter w, boolean packed) {
        for (int i = 0; i < w.layers(); i++) {
            String p = "blk." + i + ".ffn_", to = LAYERS + i + ".mlp.experts.";
            var gateBias = w.take(p + "gate_exps.bias");
            int count = gateBias.dims()[0], hidden = gateBias.dims()[1];
            w.put(to + "gate_up_proj_bias", NdArray.concat(gateBias.reshape(1, count, hidden), w.take(p + "up_exps.bias").reshape(1, count, hidden)).permute(1, 2, 0).reshape(count, 2 * hidden));
            w.put(to + "down_proj_bias", w.take(p + "down_exps.bias"));
            NdArray gate = w.take(p + "gate_exps.weight"), up = w.take(p + "up_exps.weight"), down = w.take(p + "down_exps.weight");
            int dim = gate.dims()[2];
            if (packed) {
                pack(w, to + "gate_up_proj", turns(w.bytes(p + "gate_exps.weight"), w.bytes(p + "up_exps.weight"), dim / 32 * 17), count, 2 * hidden, dim / 32);
                pack(w, to + "down_proj", w.bytes(p + "down_exps.weight"), count, dim, hidden / 32);
            } else {
                w.put(to + "gate_up_proj", NdArray.concat(gate.reshape(1, count, hidden, dim), up.reshape(1, count, hidden, dim)).permute(1, 3, 2, 0).reshape(count, dim, 2 * hidden));
                w.put(to + "down_proj", down.permute(0, 2, 1));
            }
            w.put(LAYERS + i + ".self_attn.sinks", w.take("blk." + i + ".attn_sinks.weight"));
        }
        w.moveLayers(LAYERS, "ffn_gate_inp", "mlp.router", "post_attention_norm", "post_attention_layernorm");
        return plain(w, "GptOssForCausalLM", ("\"head_dim\": %d, \"num_local_experts\": %d, \"num_experts_per_tok\": %d, \"sliding_window\": %d, \"swiglu_limit\": 7.0, "
            + "\"layer_types\": [\"sliding_attention\", \"full_attention\", \"sliding_attention\"], \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, "
            + "\"original_max_position_embeddings\": 1024, \"beta_fast\": 32.0, \"beta_slow\": 1.0, \"truncate\": true}%s").formatted(w.headDim(), w.number("expert_count"),
            w.number("expert_used_count"), w.number("attention.sliding_window"), packed ? ", \"quantization_config\": {\"quant_method\": \"mxfp4\"}" : ""));
    }

    private static byte[] turns(byte[] first, byte[] second, int row) {
        var both = new byte[2 * first.length];
        for (int at = 0; at < first.length; at += row) {
            System.arraycopy(first, at, both, 2 * at, row);
            System.arraycopy(second, at, both, 2 * at + row, row);
        }
        return both;
    }

    /** ggml's blocks of a scale and nibbles (j, j + 16) apart, as nibbles (2j, 2j + 1). */
    private static void pack(HuggingFaceWriter w, String name, byte[] blocks, int... dims) {
        byte[] scales = new byte[blocks.length / 17], packed = new byte[scales.length * 16];
        for (int block = 0; block < scales.length; block++) {
            scales[block] = blocks[17 * block];
            for (int element = 0; element < 32; element++) {
                int nibble = blocks[17 * block + 1 + element % 16] >> (element < 16 ? 0 : 4) & 15;
                packed[16 * block + element / 2] |= (byte) (nibble << (element % 2 * 4));
            }
        }
        w.put(name + "_blocks", "U8", packed, dims[0], dims[1], dims[2], 16);
        w.put(name + "_scales", "U8", scales, dims);
    }

    private static String olmo(HuggingFaceWriter w, boolean three) {
        w.moveLayers(LAYERS, "attn_q_norm", "self_attn.q_norm", "attn_k_norm", "self_attn.k_norm", "post_attention_norm", "post_attention_layernorm", "post_ffw_norm", "post_feedforward_layernorm");
        if (!three) return plain(w, "Olmo2ForCausalLM", "\"rope_scaling\": null");
        return plain(w, "Olmo3ForCausalLM", "\"sliding_window\": 6, \"layer_types\": [\"sliding_attention\", \"sliding_attention\", \"sliding_attention\", \"full_attention\", \"sliding_attention\"], "
            + "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 128}");
    }

    /** GPTNeoXAttention: view(.., heads, 3 * headDim), then in three. */
    private static String gptneox(HuggingFaceWriter w) {
        int dim = w.number("embedding_length"), heads = w.heads(), headDim = w.headDim();
        for (int i = 0; i < w.layers(); i++) {
            var to = "gpt_neox.layers." + i + ".attention.query_key_value.";
            w.put(to + "weight", w.take("blk." + i + ".attn_qkv.weight").reshape(3, heads, headDim, dim).permute(1, 0, 2, 3).reshape(3 * dim, dim));
            w.put(to + "bias", w.take("blk." + i + ".attn_qkv.bias").reshape(3, heads, headDim).permute(1, 0, 2).reshape(3 * dim));
        }
        w.put("gpt_neox.layers.0.attention.bias", new NdArray(new float[4], 1, 1, 2, 2));
        w.put("gpt_neox.layers.0.attention.masked_bias", new NdArray(new float[1], 1));
        w.move("token_embd", "gpt_neox.embed_in");
        w.move("output_norm", "gpt_neox.final_layer_norm");
        w.move("output", "embed_out");
        w.moveLayers("gpt_neox.layers.", "attn_norm", "input_layernorm", "ffn_norm", "post_attention_layernorm", "attn_output", "attention.dense", "ffn_up", "mlp.dense_h_to_4h",
            "ffn_down", "mlp.dense_4h_to_h");
        return ("\"architectures\": [\"GPTNeoXForCausalLM\"], \"vocab_size\": 512, \"hidden_size\": %d, \"num_hidden_layers\": %d, \"num_attention_heads\": %d, \"intermediate_size\": %d, "
            + "\"layer_norm_eps\": %s, \"rotary_pct\": %s, \"rotary_emb_base\": %s, \"use_parallel_residual\": %s, \"max_position_embeddings\": 512, \"hidden_act\": \"gelu\", "
            + "\"tie_word_embeddings\": false").formatted(dim, w.layers(), heads, w.number("feed_forward_length"), w.text("attention.layer_norm_epsilon"),
            (double) w.number("rope.dimension_count") / headDim, w.text("rope.freq_base"), w.text("use_parallel_residual"));
    }

    private static String cohere(HuggingFaceWriter w) {
        var more = "\"layer_norm_eps\": %s, \"logit_scale\": %s, \"use_qk_norm\": false".formatted(w.text("attention.layer_norm_epsilon"), w.text("logit_scale"));
        if (w.architecture.equals("command-r")) return plain(w, "CohereForCausalLM", more);
        return plain(w, "Cohere2ForCausalLM", more + ", \"sliding_window\": 6, \"sliding_window_pattern\": 4, \"head_dim\": 16");
    }

    private static String deepseek(HuggingFaceWriter w) {
        int heads = w.heads(), turning = w.number("rope.dimension_count"), plain = w.number("attention.key_length_mla") - turning, value = w.number("attention.value_length_mla");
        boolean three = w.number("expert_gating_func") == 2;
        for (int i = 0; i < w.layers(); i++) {
            NdArray keys = w.take("blk." + i + ".attn_k_b.weight").permute(0, 2, 1), values = w.take("blk." + i + ".attn_v_b.weight");
            var both = new NdArray[2 * heads];
            for (int head = 0; head < heads; head++) {
                both[2 * head] = keys.row(head);
                both[2 * head + 1] = values.row(head);
            }
            w.put(LAYERS + i + ".self_attn.kv_b_proj.weight", NdArray.concat(both));
            if (w.has("blk." + i + ".exp_probs_b.bias")) w.put(LAYERS + i + ".mlp.gate.e_score_correction_bias", w.take("blk." + i + ".exp_probs_b.bias"));
        }
        for (var part : new String[] {"gate", "up", "down"}) experts(w, "ffn_%s_exps".formatted(part), "mlp.experts.%%d.%s_proj".formatted(part));
        w.put(LAYERS + w.layers() + ".eh_proj.weight", new NdArray(new float[2], 1, 2));                 // the layer that predicts ahead
        w.moveLayers(LAYERS, "attn_q", "self_attn.q_proj", "attn_q_a", "self_attn.q_a_proj", "attn_q_a_norm", "self_attn.q_a_layernorm", "attn_q_b", "self_attn.q_b_proj",
            "attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa", "attn_kv_a_norm", "self_attn.kv_a_layernorm", "ffn_gate_inp", "mlp.gate", "ffn_gate_shexp", "mlp.shared_experts.gate_proj",
            "ffn_up_shexp", "mlp.shared_experts.up_proj", "ffn_down_shexp", "mlp.shared_experts.down_proj");
        double scale = Double.parseDouble(w.text("rope.scaling.yarn_log_multiplier")) * 10;
        return plain(w, three ? "DeepseekV3ForCausalLM" : "DeepseekV2ForCausalLM", ("\"qk_nope_head_dim\": %d, \"qk_rope_head_dim\": %d, \"v_head_dim\": %d, \"kv_lora_rank\": %d, "
            + "\"q_lora_rank\": %s, \"n_routed_experts\": %d, \"num_experts_per_tok\": %d, \"moe_intermediate_size\": %d, \"n_shared_experts\": %d, \"first_k_dense_replace\": %d, "
            + "\"routed_scaling_factor\": %s, \"norm_topk_prob\": %s, \"topk_method\": \"%s\", \"scoring_func\": \"%s\", \"n_group\": %d, \"topk_group\": %d, "
            + "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, \"original_max_position_embeddings\": %d, \"beta_fast\": 32, \"beta_slow\": 1, \"mscale\": %s, \"mscale_all_dim\": %s}")
            .formatted(plain, turning, value, w.number("attention.kv_lora_rank"), w.number("attention.q_lora_rank", 0) == 0 ? "null" : w.text("attention.q_lora_rank"), w.number("expert_count"),
                w.number("expert_used_count"), w.number("expert_feed_forward_length"), w.number("expert_shared_count"), w.number("leading_dense_block_count"), w.text("expert_weights_scale"),
                w.text("expert_weights_norm"), three ? "noaux_tc" : "greedy", three ? "sigmoid" : "softmax", w.number("expert_group_count", 1), w.number("expert_group_used_count", 1),
                w.number("rope.scaling.original_context_length"), scale, scale));
    }

    /** MambaMixer: A_log, of which A is the negative exponential, and a convolution [inner, 1, kernel]. */
    private static String mamba(HuggingFaceWriter w) {
        int inner = w.number("ssm.inner_size"), kernel = w.number("ssm.conv_kernel");
        for (int i = 0; i < w.layers(); i++) {
            var to = "backbone.layers." + i + ".mixer.";
            w.put(to + "A_log", w.take("blk." + i + ".ssm_a").map(x -> Math.log(-x)));
            w.put(to + "D", w.take("blk." + i + ".ssm_d"));
            w.put(to + "conv1d.weight", w.take("blk." + i + ".ssm_conv1d.weight").reshape(inner, 1, kernel));
        }
        w.move("token_embd", "backbone.embeddings");
        w.move("output_norm", "backbone.norm_f");
        w.moveLayers("backbone.layers.", "attn_norm", "norm", "ssm_in", "mixer.in_proj", "ssm_conv1d", "mixer.conv1d", "ssm_x", "mixer.x_proj", "ssm_dt", "mixer.dt_proj", "ssm_out", "mixer.out_proj");
        return ("\"architectures\": [\"MambaForCausalLM\"], \"vocab_size\": 512, \"hidden_size\": %d, \"num_hidden_layers\": %d, \"intermediate_size\": %d, \"state_size\": %d, \"conv_kernel\": %d, "
            + "\"time_step_rank\": %d, \"layer_norm_epsilon\": %s, \"time_step_max\": Infinity, \"hidden_act\": \"silu\"").formatted(w.number("embedding_length"), w.layers(), inner,
            w.number("ssm.state_size"), kernel, w.number("ssm.time_step_rank"), w.text("attention.layer_norm_rms_epsilon"));
    }

    private static String rwkv7(HuggingFaceWriter w) {
        int dim = w.number("embedding_length"), headDim = w.number("wkv.head_size");
        for (int i = 0; i < w.layers(); i++) {
            String p = "blk." + i + ".", to = LAYERS + i + ".attn.";
            var blends = w.take(p + "time_mix_lerp_fused.weight");
            for (int b = 0; b < 6; b++) w.put(to + "x_" + "rwkvag".charAt(b), blends.row(b));
            w.put(LAYERS + i + ".ffn.x_k", w.take(p + "channel_mix_lerp_k.weight").reshape(dim));
            w.put(to + "r_k", w.take(p + "time_mix_r_k.weight").reshape(dim / headDim, headDim));
            for (var vector : new String[] {"k_k", "k_a"}) w.put(to + vector, w.take(p + "time_mix_" + vector + ".weight"));
            for (var map : new String[] {"w", "a", "v", "g"}) {
                if (i == 0 && map.equals("v")) {                                                             // the first layer has none
                    for (int part = 0; part <= 2; part++) w.take(p + "time_mix_v" + part + ".weight");
                    continue;
                }
                w.put(to + map + "_lora.lora.0.weight", w.take(p + "time_mix_" + map + "1.weight"));
                w.put(to + map + "_lora.lora.2.weight", w.take(p + "time_mix_" + map + "2.weight"));
                if (!map.equals("g")) w.put(to + map + "_lora.lora.2.bias", w.take(p + "time_mix_" + map + "0.weight"));
            }
        }
        w.moveLayers(LAYERS, "attn_norm", "attn_norm", "attn_norm_2", "ffn_norm", "time_mix_receptance", "attn.r_proj", "time_mix_key", "attn.k_proj", "time_mix_value", "attn.v_proj",
            "time_mix_output", "attn.o_proj", "time_mix_ln", "attn.g_norm", "channel_mix_key", "ffn.key", "channel_mix_value", "ffn.value");
        w.move("token_embd", "model.embeddings");
        w.move("token_embd_norm", LAYERS + "0.pre_norm");
        w.move("output_norm", "model.norm");
        w.move("output", "lm_head");
        return ("\"architectures\": [\"RWKV7ForCausalLM\"], \"vocab_size\": 512, \"hidden_size\": %d, \"num_hidden_layers\": %d, \"intermediate_size\": %d, \"head_dim\": %d, "
            + "\"decay_low_rank_dim\": %d, \"a_low_rank_dim\": %d, \"v_low_rank_dim\": %d, \"gate_low_rank_dim\": %d, \"norm_eps\": %s, \"hidden_act\": \"sqrelu\", \"tie_word_embeddings\": false, "
            + "\"attn\": null").formatted(dim, w.layers(), w.number("feed_forward_length"), headDim, w.number("attention.decay_lora_rank"), w.number("attention.iclr_lora_rank"),
            w.number("attention.value_residual_mix_lora_rank"), w.number("attention.gate_lora_rank"), w.text("attention.layer_norm_epsilon"));
    }

    private static String bert(HuggingFaceWriter w) {
        w.move("token_embd", "embeddings.word_embeddings");
        w.move("position_embd", "embeddings.position_embeddings");
        w.move("token_types", "embeddings.token_type_embeddings");
        w.move("token_embd_norm", "embeddings.LayerNorm");
        w.moveLayers("encoder.layer.", "attn_q", "attention.self.query", "attn_k", "attention.self.key", "attn_v", "attention.self.value", "attn_output", "attention.output.dense",
            "attn_output_norm", "attention.output.LayerNorm", "ffn_up", "intermediate.dense", "ffn_down", "output.dense", "layer_output_norm", "output.LayerNorm");
        w.put("pooler.dense.weight", new NdArray(new float[4], 2, 2));
        return ("\"architectures\": [\"BertModel\"], \"vocab_size\": 512, \"hidden_size\": %d, \"num_hidden_layers\": %d, \"num_attention_heads\": %d, \"intermediate_size\": %d, "
            + "\"max_position_embeddings\": %d, \"layer_norm_eps\": %s, \"hidden_act\": \"gelu\", \"type_vocab_size\": 2").formatted(w.number("embedding_length"), w.layers(), w.heads(),
            w.number("feed_forward_length"), w.number("context_length"), w.text("attention.layer_norm_epsilon"));
    }
}
