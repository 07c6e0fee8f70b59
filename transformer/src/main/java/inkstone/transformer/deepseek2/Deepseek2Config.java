package inkstone.transformer.deepseek2;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.ModelConfig;
import inkstone.transformer.RopeScaling;
import inkstone.transformer.layers.Experts;

/**
 * The numbers of a DeepSeek 2 or 3.
 *
 * @param decoder     its head is the query head before it is brought to the latents; its key and value widths are not those of the cache
 * @param split       whether the file keeps the map from latents to keys apart from that to values, so that attention can be over latents
 * @param queryRank   rank of the queries' map, 0 where it is whole
 * @param latent      width of the latents
 * @param valueDim    width of a value head made of a latent
 * @param scoreScale  what scores are multiplied by
 * @param denseLayers how many first layers have no experts
 * @param shared      width of the experts that every row goes to, together; 0 for none
 */
public record Deepseek2Config(DecoderConfig decoder, boolean split, int queryRank, int latent, int valueDim, float scoreScale, int denseLayers, int shared,
                              Experts.Sizes experts) implements ModelConfig {
    public Deepseek2Config {
        if (queryRank < 0 || latent < 1 || valueDim < 1 || denseLayers < 0 || shared < 0 || decoder.rotaryDim() < 2 || decoder.rotaryDim() >= decoder.headDim()) {
            throw new ModelException("deepseek 2 needs latents of 1 or more, value heads of 1 or more and %d rotary dimensions below key heads of %d, got %d and %d"
                .formatted(decoder.rotaryDim(), decoder.headDim(), latent, valueDim));
        }
    }

    @Override public String architecture() { return decoder.architecture(); }
    @Override public int vocabularySize() { return decoder.vocabularySize(); }
    @Override public int dim() { return decoder.dim(); }
    @Override public int layers() { return decoder.layers(); }
    @Override public int contextLength() { return decoder.contextLength(); }

    /** Features of a head that do not turn. */
    int plain() { return decoder.headDim() - decoder.rotaryDim(); }

    @Override public AttentionShape attention() {
        if (!split) return new AttentionShape(decoder.heads(), decoder.heads(), decoder.headDim(), scoreScale).withValueHeadDim(valueDim);
        return new AttentionShape(decoder.heads(), 1, latent + decoder.rotaryDim(), scoreScale).withValueHeadDim(latent);
    }

    static Deepseek2Config fromGguf(Metadata file, int vocabularySize) {
        return DecoderConfig.named(file, () -> {
            boolean split = file.has("deepseek2.attention.key_length_mla");
            var suffix = split ? "_mla" : "";
            // what attention sees follows from the latents
            for (var key : new String[] {"key_length", "value_length", "head_count_kv"}) file.has("deepseek2.attention." + key);
            int headDim = file.integer("deepseek2.attention.key_length" + suffix), valueDim = file.integer("deepseek2.attention.value_length" + suffix), rotaryDim = file.integer("deepseek2.rope.dimension_count");
            var scaling = RopeScaling.fromGguf(file, "deepseek2");
            double magnitude = 1;
            if (scaling instanceof RopeScaling.Yarn yarn && file.has("deepseek2.rope.scaling.yarn_log_multiplier")) {
                // the turning part keeps its length, and all scores grow by what YaRN gives to queries and keys each (mscale = mscale_all_dim in the original)
                double paper = 1 + 0.1 * Math.log(yarn.factor());
                magnitude = 1 + file.floating("deepseek2.rope.scaling.yarn_log_multiplier") * Math.log(yarn.factor());
                scaling = new RopeScaling.Yarn(yarn.factor(), yarn.originalContext(), yarn.extrapolation(), (float) (1 / paper), yarn.betaFast(), yarn.betaSlow());
            }
            int heads = file.integer("deepseek2.attention.head_count");
            var decoder = new DecoderConfig("deepseek2", vocabularySize, file.integer("deepseek2.embedding_length"), file.integer("deepseek2.feed_forward_length"),
                file.integer("deepseek2.block_count") - file.integer("deepseek2.nextn_predict_layers", 0), heads, heads, headDim, file.floating("deepseek2.attention.layer_norm_rms_epsilon"),
                file.integer("deepseek2.context_length"), 0, file.floating("deepseek2.rope.freq_base", 10_000), rotaryDim, scaling, Rope.Pairs.INTERLEAVED);
            var experts = Experts.Sizes.fromGguf(file, "deepseek2", Experts.Sizes.routing(file, "deepseek2", Routing.Scoring.SOFTMAX, false));
            return new Deepseek2Config(decoder, split, file.integer("deepseek2.attention.q_lora_rank", 0), file.integer("deepseek2.attention.kv_lora_rank"),
                valueDim, (float) (magnitude * magnitude / Math.sqrt(headDim)),
                file.integer("deepseek2.leading_dense_block_count", 0), Math.multiplyExact(experts.hidden(), file.integer("deepseek2.expert_shared_count", 0)), experts);
        });
    }
}
