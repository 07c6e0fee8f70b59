package inkstone.transformer.mistral3;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.RopeScaling;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import inkstone.transformer.layers.SwiGlu;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;

/**
 * Ministral 3 (Mistral AI 2025, "Introducing Mistral 3"): Llama's block, also with experts, whose queries grow with the logarithm of how many times the original context
 * lies behind them (Nakanishi 2025, arXiv:2501.19399).
 */
public final class Mistral3Family implements Family {
    @Override public String architecture() { return "mistral3"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var plain = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.INTERLEAVED);
        var config = DecoderConfig.named(metadata, () -> plain.withScaling(scaling(metadata, plain.scaling())));
        var experts = Experts.Sizes.orNull(metadata, architecture());
        float[] temperatures = temperatures(metadata, config.contextLength());
        return weights.build(w -> of(config, experts, temperatures, w, backend));
    }

    /** YaRN's magnitude divided by that of another multiplier, where the file says so (mscale_all_dim in the original). */
    private static RopeScaling scaling(Metadata file, RopeScaling scaling) {
        float multiplier = file.floating("mistral3.rope.scaling.yarn_log_multiplier", 0);
        if (multiplier == 0 || !(scaling instanceof RopeScaling.Yarn yarn)) return scaling;
        float attention = (float) (yarn.attention() / (1 + 0.1 * multiplier * Math.log(yarn.factor())));
        return new RopeScaling.Yarn(yarn.factor(), yarn.originalContext(), yarn.extrapolation(), attention, yarn.betaFast(), yarn.betaSlow());
    }

    /** What queries at each position are multiplied by; null where it is 1 everywhere. */
    private static float[] temperatures(Metadata file, int contextLength) {
        float scale = file.floating("mistral3.attention.temperature_scale", 0);
        if (scale == 0) return null;
        int original = file.integer("mistral3.rope.scaling.original_context_length", contextLength);
        if (original < 1) throw new ModelException("%s: mistral3.rope.scaling.original_context_length must be 1 or more, got %d".formatted(file.source(), original));
        var temperatures = new float[contextLength];
        for (int position = 0; position < contextLength; position++) temperatures[position] = (float) (1 + scale * Math.log1p(position / original));
        return temperatures;
    }

    private static Decoder of(DecoderConfig c, Experts.Sizes experts, float[] temperatures, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        var table = temperatures == null ? null
            : Tensor.of(DType.F32, backend.resident(Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, temperatures)), temperatures.length, 1);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> new Block.PreNorm(Norm.Rms.of(c, w, "attn_norm"), SelfAttention.of(c, layer, rope, w).withTemperature(table),
            Norm.Rms.of(c, w, "ffn_norm"), experts == null ? SwiGlu.of(w, "", c.dim(), c.hidden()) : Experts.of(w, c.dim(), experts)));
    }
}
