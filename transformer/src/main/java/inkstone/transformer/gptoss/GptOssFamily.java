package inkstone.transformer.gptoss;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.checkpoint.Arrangement;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.AdapterLayout;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceModel;
import inkstone.transformer.HuggingFaceNames;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.Windows;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** gpt-oss 20B and 120B. */
public final class GptOssFamily implements Family {
    private static final float LIMIT = 7;
    private static final HuggingFaceNames NAMES = HuggingFaceNames.LLAMA.with(Map.of("post_attention_layernorm", "post_attention_norm", "self_attn.sinks", "attn_sinks.weight",
        "mlp.router", "ffn_gate_inp", "mlp.experts.down_proj_bias", "ffn_down_exps.bias"));

    @Override public String architecture() { return "gpt-oss"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        var experts = Experts.Sizes.fromGguf(metadata, architecture(), Experts.Sizes.routing(metadata, architecture(), Routing.Scoring.SOFTMAX, true));
        int[] windows = Windows.of(metadata, architecture(), config.layers(), metadata.integer("gpt-oss.attention.sliding_window"), 2);
        return weights.build(w -> GptOss.of(config, experts, windows, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.of(NAMES); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("GptOssForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        if (config.floating("swiglu_limit", LIMIT) != LIMIT) throw new ModelException("%s: swiglu_limit is %s, expected %s".formatted(config.source(), config.floating("swiglu_limit"), LIMIT));
        var c = DecoderConfig.fromHuggingFace(config, architecture());
        int experts = config.integer("num_local_experts"), window = config.integer("sliding_window");
        var keys = new LinkedHashMap<>(c.toGguf());
        keys.putAll(Windows.toGguf(architecture(), Windows.ofHuggingFace(config, c.layers(), window, 2), window));
        keys.put("gpt-oss.expert_count", experts);
        keys.put("gpt-oss.expert_used_count", config.integer("num_experts_per_tok", config.integer("experts_per_token", 4)));
        keys.put("gpt-oss.expert_feed_forward_length", c.hidden());
        return HuggingFaceModel.of(NAMES::gguf, keys).arranged(to -> {
            for (int layer = 0; layer < c.layers(); layer++) {
                String from = "model.layers." + layer + ".mlp.experts.", block = "blk." + layer + ".ffn_";
                boolean packed = to.has(from + "gate_up_proj") && to.format(from + "gate_up_proj").isQuantized();
                // gate and up take turns; matrices of floats are [in, out], those of blocks [out, in]
                var both = packed ? Arrangement.of(from + "gate_up_proj", experts, c.hidden(), 2, c.dim())
                    : Arrangement.of(from + "gate_up_proj", experts, c.dim(), c.hidden(), 2).axes(0, 2, 3, 1);
                var bias = Arrangement.of(from + "gate_up_proj_bias", experts, c.hidden(), 2);
                to.put(block + "gate_exps.weight", both.at(2, 0));
                to.put(block + "up_exps.weight", both.at(2, 1));
                to.put(block + "gate_exps.bias", bias.at(2, 0));
                to.put(block + "up_exps.bias", bias.at(2, 1));
                to.put(block + "down_exps.weight", packed ? Arrangement.of(from + "down_proj", experts, c.dim(), c.hidden())
                    : Arrangement.of(from + "down_proj", experts, c.hidden(), c.dim()).axes(0, 2, 1));
            }
        });
    }
}
