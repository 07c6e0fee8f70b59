package inkstone.transformer.gptneox;

import inkstone.tensor.Backend;
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
import java.util.Map;
import java.util.Set;

/** GPT-NeoX 20B, Pythia and models of their shape. */
public final class GptNeoxFamily implements Family {
    private static final HuggingFaceNames NAMES = HuggingFaceNames.of("gpt_neox\\.layers",
        Map.of("gpt_neox.embed_in.weight", "token_embd.weight", "gpt_neox.final_layer_norm.weight", "output_norm.weight", "gpt_neox.final_layer_norm.bias", "output_norm.bias",
            "embed_out.weight", "output.weight"),
        Map.of("input_layernorm", "attn_norm", "post_attention_layernorm", "ffn_norm", "attention.query_key_value", "attn_qkv", "attention.dense", "attn_output",
            "mlp.dense_h_to_4h", "ffn_up", "mlp.dense_4h_to_h", "ffn_down"));

    @Override public String architecture() { return "gptneox"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        boolean parallel = file.metadata().bool("gptneox.use_parallel_residual", true);
        return weights.build(w -> GptNeox.of(config, parallel, w, backend));
    }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("GPTNeoXForCausalLM"); }

    /** Queries, keys and values of each head lie together there: [heads, 3, headDim, dim]. */
    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh");
        var renamed = DecoderConfig.renamed(config, "rotary_emb_base", "rope_theta", "rotary_pct", "partial_rotary_factor", "layer_norm_eps", "rms_norm_eps");
        var c = DecoderConfig.fromHuggingFace(renamed, architecture());
        return HuggingFaceModel.of(NAMES::gguf, c.toGgufWithLayerNorm()).with("gptneox.use_parallel_residual", config.bool("use_parallel_residual", true)).arranged(to -> {
            for (int layer = 0; layer < c.layers(); layer++) {
                String qkv = "blk." + layer + ".attn_qkv", weight = qkv + ".weight", bias = qkv + ".bias";
                to.put(weight, Arrangement.of(weight, c.heads(), 3, c.headDim(), c.dim()).axes(1, 0, 2, 3).as(3 * c.queryDim(), c.dim()));
                to.put(bias, Arrangement.of(bias, c.heads(), 3, c.headDim()).axes(1, 0, 2).as(3 * c.queryDim()));
            }
        });
    }
}
