package inkstone.transformer.deepseekmoe;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;
import inkstone.transformer.layers.SharedExperts;
import inkstone.transformer.layers.SwiGlu;

/**
 * DeepSeekMoE ("deepseek"; Dai et al. 2024, arXiv:2401.06066) and families of its shape: Llama's block with many small experts and shared ones, the first layers dense;
 * some with norms of each head. dots.llm1 ("dots1"; Huo et al. 2025, arXiv:2506.05767), Ling 1 and 2 ("bailingmoe", "bailingmoe2"; Ling Team 2025, arXiv:2503.05139), GLM 4.5 ("glm4moe"; GLM-4.5
 * Team 2025, arXiv:2508.06471), ERNIE 4.5 with experts ("ernie4_5-moe"). Layers that guess tokens further ahead are passed over.
 *
 * @param pairs      which dimensions of a head turn together in its files
 * @param ffnNorm    the norm before the experts
 * @param scoring    and {@code normalised}: what holds of the choice where a file does not say
 */
public record DeepseekMoeFamily(String architecture, Rope.Pairs pairs, String ffnNorm, Routing.Scoring scoring, boolean normalised) implements Family {
    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture, pairs);
        var experts = Experts.Sizes.fromGguf(metadata, architecture, Experts.Sizes.routing(metadata, architecture, scoring, normalised));
        int shared = shared(metadata, experts), dense = metadata.integer(architecture + ".leading_dense_block_count", 0);
        if (metadata.integer(architecture + ".interleave_moe_layer_step", 1) != 1) {
            throw new ModelException("%s: interleave_moe_layer_step other than 1 is not supported".formatted(metadata.source()));
        }
        return weights.build(w -> {
            config.passOverFurtherLayers(file, w);
            return of(config, experts, shared, dense, w, backend);
        });
    }

    private int shared(Metadata file, Experts.Sizes experts) {
        int count = file.integer(architecture + ".expert_shared_count", 0);
        int width = file.integer(architecture + ".expert_shared_feed_forward_length", 0);
        if (count < 0 || width < 0 || count > 1 << 12) {
            throw new ModelException("%s: %d shared experts of %d features are none that a model has".formatted(file.source(), count, width));
        }
        if (width == 0) return Math.multiplyExact(experts.hidden(), count);
        return architecture.equals("bailingmoe2") ? Math.multiplyExact(width, count) : width;
    }

    private Decoder of(DecoderConfig c, Experts.Sizes experts, int shared, int dense, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> new Block.PreNorm(Norm.Rms.of(c, w, "attn_norm"), SelfAttention.of(c, layer, rope, w).withHeadNorms(c, w),
            Norm.Rms.of(c, w, ffnNorm), layer < dense ? SwiGlu.of(w, "", c.dim(), c.hidden()) : SharedExperts.of(w, c.dim(), experts, shared)));
    }
}
