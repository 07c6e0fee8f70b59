package inkstone.transformer.gptoss;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.Linear;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.layers.Experts;
import inkstone.transformer.layers.Head;
import inkstone.transformer.layers.Qkv;
import java.util.ArrayList;
import java.util.List;

/**
 * gpt-oss (OpenAI 2025, arXiv:2508.10925): attention sinks, every other layer windowed, biases, and experts with a clamped gate. Parameters have the names of GGUF
 * files; post_attention_norm stands before the experts.
 */
public record GptOss(DecoderConfig config, Tensor tokenEmbd, List<Block> blocks, Tensor outputNorm, Linear output) implements CausalModel {
    /** @param windows of each layer, 0 where it sees all */
    public static GptOss of(DecoderConfig c, Experts.Sizes experts, int[] windows, Weights w, Backend backend) {
        var tokenEmbd = w.tensor("token_embd.weight", c.vocabularySize(), c.dim());
        var rope = c.rope(w, backend);
        var blocks = new ArrayList<Block>();
        for (int layer = 0; layer < c.layers(); layer++) blocks.add(Block.of(c, experts, windows[layer], layer, rope, w.at("blk." + layer + ".")));
        return new GptOss(c, tokenEmbd, List.copyOf(blocks), w.tensor("output_norm.weight", c.dim()), Head.of(c, w, tokenEmbd));
    }

    @Override public Tensor forward(Tensor tokens, Context context) {
        var x = tokens.embedding(tokenEmbd);
        for (var block : blocks) x = x.local(input -> block.forward(input, context));
        return x.rmsNorm(outputNorm, config.eps());
    }

    @Override public Tensor logits(Tensor hidden) { return output.forward(hidden); }

    record Block(float eps, AttentionShape shape, int layer, Rope rope, Tensor attnNorm, Qkv qkv, Linear attnOutput, Tensor postAttentionNorm, ClampedExperts experts) {
        static Block of(DecoderConfig c, Experts.Sizes experts, int window, int layer, Rope rope, Weights w) {
            var shape = c.attention().withWindow(window).withSinks(w.tensor("attn_sinks.weight", c.heads()));
            return new Block(c.eps(), shape, layer, rope, w.tensor("attn_norm.weight", c.dim()), Qkv.of(c, w), w.linear("attn_output", c.queryDim(), c.dim()),
                w.tensor("post_attention_norm.weight", c.dim()), ClampedExperts.of(c, experts, w));
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x, Context context) {
            var h = x.add(attention(x.rmsNorm(attnNorm, eps), context));
            return h.add(experts.forward(h.rmsNorm(postAttentionNorm, eps)));
        }

        private Tensor attention(Tensor x, Context context) {
            var queries = qkv.queries().forward(x).rope(context.positions(), rope);
            var keys = qkv.keys().forward(x).rope(context.positions(), rope);
            return attnOutput.forward(context.attend(layer, queries, keys, qkv.values().forward(x), shape));
        }
    }

    /** Experts with biases, whose gate and up are clamped; see {@link Tensor#clampedSwiglu}. */
    record ClampedExperts(Linear router, Tensor gate, Tensor gateBias, Tensor up, Tensor upBias, Tensor down, Tensor downBias, Routing routing) {
        private static final float ALPHA = 1.702f, LIMIT = 7;

        static ClampedExperts of(DecoderConfig c, Experts.Sizes sizes, Weights w) {
            int count = sizes.count(), hidden = sizes.hidden(), dim = c.dim();
            return new ClampedExperts(w.linear("ffn_gate_inp", dim, count),
                w.tensor("ffn_gate_exps.weight", count, hidden, dim), w.floats("ffn_gate_exps.bias", count, hidden),
                w.tensor("ffn_up_exps.weight", count, hidden, dim), w.floats("ffn_up_exps.bias", count, hidden),
                w.tensor("ffn_down_exps.weight", count, dim, hidden), w.floats("ffn_down_exps.bias", count, dim), sizes.routing());
        }

        /** x [n, dim] -> [n, dim] */
        Tensor forward(Tensor x) {
            var choice = router.forward(x).route(null, routing);
            var experts = choice.experts();
            var inner = x.expertLinear(gate, gateBias, experts).clampedSwiglu(x.expertLinear(up, upBias, experts), ALPHA, LIMIT);
            return inner.expertLinear(down, downBias, experts).weightedSum(choice.weights());
        }
    }
}
