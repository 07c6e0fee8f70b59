package inkstone.transformer.llama4;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.FeedForward;
import inkstone.transformer.layers.HeadNorm;
import inkstone.transformer.layers.InputWeighedExpert;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import inkstone.transformer.layers.SwiGlu;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Llama 4, text (Meta AI 2025, "The Llama 4 herd"): every fourth layer knows no positions, the others turn, norm their heads (but not in the model of 128 experts) and see
 * chunks of 8192 tokens; every or every other layer has experts, one of which each row goes to. Attention here knows no chunks, and layers without positions scale queries
 * from the second chunk on, so the context ends where the first chunk does.
 */
public final class Llama4Family implements Family {
    private static final int CHUNK = 8192, UNTURNED_EVERY = 4, EXPERTS_WITHOUT_NORMS = 128;

    @Override public String architecture() { return "llama4"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.INTERLEAVED);
        var experts = Experts.Sizes.fromGguf(metadata, architecture(), Experts.Sizes.routing(metadata, architecture(), Routing.Scoring.SIGMOID, false));
        if (experts.routing().used() != 1) throw new ModelException("%s: llama4.expert_used_count is %d, expected 1".formatted(metadata.source(), experts.routing().used()));
        int step = metadata.integer("llama4.interleave_moe_layer_step");
        if (step < 1) throw new ModelException("%s: llama4.interleave_moe_layer_step must be 1 or more, got %d".formatted(metadata.source(), step));
        // a window of 0, said and not left out, is a model whose layers all turn and see all
        boolean whole = metadata.integer("llama4.attention.sliding_window", CHUNK) == 0;
        var bounded = whole ? config : config.withContextLength(Math.min(config.contextLength(), CHUNK - 1));
        return weights.build(w -> of(bounded, experts, step, whole, w, backend));
    }

    private static Decoder of(DecoderConfig c, Experts.Sizes experts, int step, boolean whole, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        var ones = new float[c.headDim()];
        Arrays.fill(ones, 1);
        var plain = new HeadNorm.Rms(Tensor.of(DType.F32, backend.resident(Arena.ofAuto().allocateFrom(ValueLayout.JAVA_FLOAT, ones)), ones.length), c.eps());
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> {
            int every = whole ? c.layers() : UNTURNED_EVERY;
            boolean turns = (layer + 1) % every != 0;
            var attention = SelfAttention.of(c, layer, turns ? rope : null, w);
            // without weights of its own, a norm before the rotation is the one behind it
            if (turns && experts.count() != EXPERTS_WITHOUT_NORMS) attention = attention.withNorms(plain, plain);
            FeedForward feedForward = (layer + 1) % step == 0 ? InputWeighedExpert.of(w, c.dim(), experts) : SwiGlu.of(w, "", c.dim(), c.hidden());
            return new Block.PreNorm(Norm.Rms.of(c, w, "attn_norm"), attention, Norm.Rms.of(c, w, "ffn_norm"), feedForward);
        });
    }
}
