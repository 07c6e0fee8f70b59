package inkstone.transformer.qwen2;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.AdapterLayout;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceModel;
import inkstone.transformer.HuggingFaceNames;
import java.util.Set;

/** Qwen 2 and 2.5. */
public final class Qwen2Family implements Family {
    @Override public String architecture() { return "qwen2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        return weights.build(w -> Qwen2.of(config, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.of(HuggingFaceNames.LLAMA); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("Qwen2ForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        if (config.bool("use_sliding_window", false)) throw new ModelException("%s: use_sliding_window is not supported".formatted(config.source()));
        return HuggingFaceModel.of(HuggingFaceNames.LLAMA::gguf, DecoderConfig.fromHuggingFace(config, architecture()).toGguf());
    }
}
