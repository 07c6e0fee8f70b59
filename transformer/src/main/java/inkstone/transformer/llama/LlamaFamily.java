package inkstone.transformer.llama;

import inkstone.tensor.Backend;
import inkstone.tensor.Rope;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.HuggingFaceNames;
import inkstone.transformer.RopeScaling;
import inkstone.transformer.layers.Experts;
import java.util.Map;
import java.util.Set;
import java.util.function.IntUnaryOperator;

/** Llama 1-3, Mistral, Mixtral, TinyLlama, SmolLM and other models of their shape, from GGUF files and from Hugging Face's. */
public final class LlamaFamily implements Family {
    @Override public String architecture() { return "llama"; }

    @Override public Set<String> huggingFaceArchitectures() { return Set.of("LlamaForCausalLM", "MistralForCausalLM"); }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.INTERLEAVED).withWindow(metadata.integer("llama.attention.sliding_window", 0));
        var experts = Experts.Sizes.orNull(metadata, architecture());
        return weights.build(w -> Llama.of(config, experts, w, backend));
    }

    @Override public HuggingFaceModel fromHuggingFace(Metadata config) {
        DecoderConfig.requireActivation(config, "hidden_act", "silu");
        return new HuggingFaceLlama(DecoderConfig.fromHuggingFace(config, architecture()).withWindow(config.integer("sliding_window", 0)));
    }

    private record HuggingFaceLlama(DecoderConfig config) implements HuggingFaceModel {
        /** A frequency table that early releases stored in every layer; the configuration says the same. */
        private static final String OLD_BUFFER = ".self_attn.rotary_emb.inv_freq";

        @Override public String ggufName(String tensor) { return HuggingFaceNames.LLAMA.gguf(tensor); }

        @Override public CausalModel of(CheckpointWeights weights, Backend backend) {
            return weights.build(w -> {
                passOverOldBuffers(w);
                return Llama.of(config, null, w, backend);
            });
        }

        private void passOverOldBuffers(Weights w) {
            for (int layer = 0; layer < config.layers(); layer++) w.has("model.layers." + layer + OLD_BUFFER);
        }

        @Override public Map<String, Object> ggufMetadata() { return config.toGguf(); }

        @Override public boolean unused(String ggufName) { return ggufName.endsWith(OLD_BUFFER); }

        /** Hugging Face turns dimension i with i + rotaryDim / 2, GGUF 2i with 2i + 1: rows of queries and keys change places within their head. */
        @Override public IntUnaryOperator sourceRow(String ggufName) {
            if (!ggufName.matches("blk\\.\\d+\\.attn_[qk]\\.(weight|bias)")) return IntUnaryOperator.identity();
            int headDim = config.headDim(), rotaryDim = config.rotaryDim();
            return row -> {
                int inHead = row % headDim;
                return inHead >= rotaryDim ? row : row - inHead + inHead / 2 + inHead % 2 * (rotaryDim / 2);
            };
        }

        @Override public Map<String, float[]> ggufVectors() {
            if (!(config.scaling() instanceof RopeScaling.Llama3 scaling)) return Map.of();
            float[] factors = RopeScaling.NONE.frequencies(config.ropeBase(), config.rotaryDim());
            float[] scaled = scaling.frequencies(config.ropeBase(), config.rotaryDim());
            for (int i = 0; i < factors.length; i++) factors[i] /= scaled[i];
            return Map.of("rope_freqs.weight", factors);
        }
    }
}
