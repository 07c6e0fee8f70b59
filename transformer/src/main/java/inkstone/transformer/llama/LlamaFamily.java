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
import inkstone.transformer.RopeScaling;
import inkstone.transformer.layers.Experts;
import java.util.Map;
import java.util.Set;
import java.util.function.IntUnaryOperator;
import java.util.regex.Pattern;

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
        private static final Pattern LAYER = Pattern.compile("model\\.layers\\.(\\d+)\\.(.+?)(\\.weight|\\.bias)?");
        private static final Map<String, String> OUTSIDE_LAYERS = Map.of(
            "model.embed_tokens.weight", "token_embd.weight", "model.norm.weight", "output_norm.weight", "lm_head.weight", "output.weight");
        private static final Map<String, String> IN_LAYER = Map.of(
            "input_layernorm", "attn_norm", "post_attention_layernorm", "ffn_norm",
            "self_attn.q_proj", "attn_q", "self_attn.k_proj", "attn_k", "self_attn.v_proj", "attn_v", "self_attn.o_proj", "attn_output",
            "mlp.gate_proj", "ffn_gate", "mlp.up_proj", "ffn_up", "mlp.down_proj", "ffn_down");
        /** A frequency table that early releases stored in every layer; the configuration says the same. */
        private static final String OLD_BUFFER = ".self_attn.rotary_emb.inv_freq";

        @Override public String ggufName(String tensor) {
            var match = LAYER.matcher(tensor);
            if (!match.matches() || !IN_LAYER.containsKey(match.group(2))) return OUTSIDE_LAYERS.getOrDefault(tensor, tensor);
            return "blk.%s.%s%s".formatted(match.group(1), IN_LAYER.get(match.group(2)), match.group(3) == null ? "" : match.group(3));
        }

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
