package inkstone.diffusion.dit;

import inkstone.tensor.Linear;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads prompts for a {@link Dit} and learns with it: a small transformer in which every token of a prompt sees all of it. A prompt begins with a token that stands for the whole.
 *
 * @param tokens    [vocabulary, dim]
 * @param positions [length, dim]
 */
public record PromptEncoder(DitConfig.Text config, Tensor tokens, Tensor positions, List<Block> blocks, Norm norm) {
    private static final float EPS = 1e-5f;

    /** Layer norm with weight and bias. */
    record Norm(Tensor weight, Tensor bias) {
        static Norm of(Weights w, String name, int dim) { return new Norm(w.tensor(name + ".weight", dim), w.tensor(name + ".bias", dim)); }

        Tensor forward(Tensor x) { return x.layerNorm(weight, bias, EPS); }
    }

    record Block(DitConfig.Text config, Norm norm1, Linear q, Linear k, Linear v, Linear proj, Norm norm2, Linear fc1, Linear fc2) {
        static Block of(DitConfig.Text c, Weights w) {
            int dim = c.dim();
            return new Block(c, Norm.of(w, "norm1", dim), w.linear("attn.q", dim, dim), w.linear("attn.k", dim, dim), w.linear("attn.v", dim, dim), w.linear("attn.proj", dim, dim),
                Norm.of(w, "norm2", dim), w.linear("mlp.fc1", dim, c.hidden()), w.linear("mlp.fc2", c.hidden(), dim));
        }

        Tensor forward(Tensor x, Tensor lengths) {
            var h = norm1.forward(x);
            var y = x.add(proj.forward(q.forward(h).crossAttention(k.forward(h), v.forward(h), lengths.shape().dim(0), lengths, null, config.attention())));
            return y.add(fc2.forward(fc1.forward(norm2.forward(y)).gelu()));
        }
    }

    static PromptEncoder of(DitConfig.Text c, Weights w) {
        var blocks = new ArrayList<Block>();
        for (int i = 0; i < c.layers(); i++) blocks.add(Block.of(c, w.at("blocks." + i + ".")));
        return new PromptEncoder(c, w.tensor("token_embed.weight", c.vocabulary(), c.dim()), w.tensor("pos_embed.weight", c.length(), c.dim()), blocks, Norm.of(w, "norm", c.dim()));
    }

    /**
     * @param prompts   I32 [s · m], the tokens of s prompts, each filled up to m tokens with any
     * @param places    I32 [s · m], the places of tokens in their prompts, 0 .. m - 1
     * @param lengths   I32 [s], how many tokens of each prompt count, 1 or more
     * @return [s · m, dim]
     */
    public Tensor forward(Tensor prompts, Tensor places, Tensor lengths) {
        var x = prompts.embedding(tokens).add(places.embedding(positions));
        for (var block : blocks) x = x.local(rows -> block.forward(rows, lengths));
        return norm.forward(x);
    }
}
