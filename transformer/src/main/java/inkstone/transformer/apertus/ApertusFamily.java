package inkstone.transformer.apertus;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;
import inkstone.transformer.layers.Block;
import inkstone.transformer.layers.Decoder;
import inkstone.transformer.layers.Mlp;
import inkstone.transformer.layers.Norm;
import inkstone.transformer.layers.SelfAttention;

/** Apertus (Swiss AI Initiative 2025, arXiv:2509.14233): Llama's block with norms of each head and, in place of the gate, xIELU with numbers of each layer. */
public final class ApertusFamily implements Family {
    @Override public String architecture() { return "apertus"; }

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var metadata = file.metadata();
        var config = DecoderConfig.fromGguf(file, architecture(), Rope.Pairs.HALVES);
        float[] alphaP = perLayer(metadata, "xielu.alpha_p", config), alphaN = perLayer(metadata, "xielu.alpha_n", config), beta = perLayer(metadata, "xielu.beta", config);
        return weights.build(w -> of(config, alphaP, alphaN, beta, w, backend));
    }

    private static Decoder of(DecoderConfig c, float[] alphaP, float[] alphaN, float[] beta, Weights weights, Backend backend) {
        var rope = c.rope(weights, backend);
        return Decoder.of(c, Norm.Rms::of, weights, (layer, w) -> {
            var activation = new Xielu((float) softplus(alphaP[layer]), (float) (beta[layer] + softplus(alphaN[layer])), beta[layer]);
            return new Block.PreNorm(Norm.Rms.of(c, w, "attn_norm"), SelfAttention.of(c, layer, rope, w).withHeadNorms(c, w),
                Norm.Rms.of(c, w, "ffn_norm"), Mlp.of(w, c.dim(), c.hidden(), activation::of));
        });
    }

    private static double softplus(double z) { return z > 20 ? z : Math.log1p(Math.exp(z)); }

    /** A number of each layer, or one of all. */
    private static float[] perLayer(Metadata file, String key, DecoderConfig c) {
        var numbers = new float[c.layers()];
        boolean each = file.has(key) && file.values().get(key) instanceof double[];
        double[] said = each ? file.floats(key) : new double[] {file.floating(key)};
        if (each && said.length < c.layers()) throw new ModelException("%s: %s speaks of %d layers, the model has %d".formatted(file.source(), key, said.length, c.layers()));
        for (int layer = 0; layer < numbers.length; layer++) numbers[layer] = (float) said[each ? layer : 0];
        return numbers;
    }
}
