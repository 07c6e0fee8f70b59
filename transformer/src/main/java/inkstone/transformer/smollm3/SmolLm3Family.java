package inkstone.transformer.smollm3;

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
import java.util.stream.LongStream;

/** SmolLM 3. */
public final class SmolLm3Family implements Family {
    @Override public String architecture() { return "smollm3"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.INTERLEAVED);
        return weights.build(w -> SmolLm3.of(config, w, backend));
    }

    @Override public AdapterLayout adapterLayout() { return AdapterLayout.halved(HuggingFaceNames.LLAMA); }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("SmolLM3ForCausalLM"); }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        if (config.bool("use_sliding_window", false)) throw new ModelException("%s: use_sliding_window is not supported".formatted(config.source()));
        var c = DecoderConfig.fromHuggingFace(config, architecture());
        requireUsualLayers(config, c.layers());
        return HuggingFaceModel.of(HuggingFaceNames.LLAMA::gguf, c.toGguf()).halved(c);
    }

    /** Files of this family do not say which layers know positions. */
    private static void requireUsualLayers(Metadata config, int layers) {
        boolean usual = config.integer("no_rope_layer_interval", SmolLm3.UNTURNED_EVERY) == SmolLm3.UNTURNED_EVERY;
        if (config.has("no_rope_layers")) {
            var turned = LongStream.rangeClosed(1, layers).mapToObj(layer -> layer % SmolLm3.UNTURNED_EVERY == 0 ? 0L : 1L).toList();
            usual = config.values().get("no_rope_layers").equals(turned);
        }
        if (!usual) throw new ModelException("%s: no_rope_layers should leave out every %dth layer".formatted(config.source(), SmolLm3.UNTURNED_EVERY));
    }
}
