package inkstone.transformer.deepseek2;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceModel;
import java.util.Set;

/** DeepSeek 2 and 3. */
public final class Deepseek2Family implements Family {
    @Override public String architecture() { return "deepseek2"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var embedding = file.tensors().get("token_embd.weight");
        if (embedding == null) throw new ModelException("%s: tensor token_embd.weight is missing".formatted(file.metadata().source()));
        var config = Deepseek2Config.fromGguf(file.metadata(), embedding.shape().dim(0));
        return weights.build(w -> {
            config.decoder().passOverFurtherLayers(file, w);
            return Deepseek2.of(config, w, backend);
        });
    }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("DeepseekV2ForCausalLM", "DeepseekV3ForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        return new HuggingFaceDeepseek2(config).model();
    }
}
