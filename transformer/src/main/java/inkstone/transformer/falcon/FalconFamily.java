package inkstone.transformer.falcon;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Arrangement;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceModel;
import inkstone.transformer.HuggingFaceNames;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** Falcon 7B, 40B and 180B. */
public final class FalconFamily implements Family {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.of("transformer\\.h",
        Map.of("transformer.word_embeddings.weight", "token_embd.weight", "transformer.ln_f.weight", "output_norm.weight", "transformer.ln_f.bias", "output_norm.bias",
            "lm_head.weight", "output.weight"),
        Map.of("input_layernorm", "attn_norm", "ln_mlp", "attn_norm", "ln_attn", "attn_norm_2", "self_attention.query_key_value", "attn_qkv", "self_attention.dense", "attn_output",
            "mlp.dense_h_to_4h", "ffn_up", "mlp.dense_4h_to_h", "ffn_down"));

    @Override public String architecture() { return "falcon"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> Falcon.of(config, w, backend));
    }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("FalconForCausalLM", "RWForCausalLM"); }

    /** The queries that share a key and a value lie before them: [kvHeads, heads / kvHeads + 2, headDim, dim]. */
    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        if (config.bool("alibi", false) || !config.bool("parallel_attn", true)) {
            throw new ModelException("%s: Falcons with alibi, or without parallel_attn, are not supported".formatted(config.source()));
        }
        DecoderConfig.requireActivation(config, "activation", "gelu");
        int heads = config.integer("num_attention_heads", config.integer("n_head", 0)), groups = config.integer("num_kv_heads", config.integer("n_head_kv", heads));
        boolean grouped = config.bool("new_decoder_architecture", false);
        var values = new LinkedHashMap<>(config.values());
        values.putIfAbsent("max_position_embeddings", 2048L);
        values.putIfAbsent("intermediate_size", (long) config.integer("ffn_hidden_size", 4 * config.integer("hidden_size")));
        values.put("num_key_value_heads", grouped ? (long) groups : config.bool("multi_query", true) ? 1L : (long) heads);
        var renamed = DecoderConfig.renamed(new Metadata(config.source(), values), "n_head", "num_attention_heads", "n_layer", "num_hidden_layers", "layer_norm_epsilon", "rms_norm_eps");
        var c = DecoderConfig.fromHuggingFace(renamed, architecture());
        return HuggingFaceModel.of(NAMES::gguf, c.toGgufWithLayerNorm()).arranged(to -> {
            for (int layer = 0; layer < c.layers(); layer++) {
                String qkv = "blk." + layer + ".attn_qkv", weight = qkv + ".weight", bias = qkv + ".bias";
                int all = c.queryDim() + 2 * c.keyDim(), shared = c.heads() / c.kvHeads();
                to.put(weight, apart(Arrangement.of(weight, c.kvHeads(), shared + 2, c.headDim(), c.dim()), shared).as(all, c.dim()));
                to.put(bias, apart(Arrangement.of(bias, c.kvHeads(), shared + 2, c.headDim(), 1), shared).as(all));
            }
        });
    }

    /** All queries above all keys above all values: [heads + 2 kvHeads, headDim, ..]. */
    private static Arrangement apart(Arrangement groups, int shared) {
        int kvHeads = groups.shape().dim(0), headDim = groups.shape().dim(2), dim = groups.shape().dim(3);
        return Arrangement.joined(groups.slice(1, 0, shared).as(kvHeads * shared, headDim, dim), groups.at(1, shared), groups.at(1, shared + 1));
    }
}
