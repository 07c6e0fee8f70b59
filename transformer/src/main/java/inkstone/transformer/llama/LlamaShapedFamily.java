package inkstone.transformer.llama;

import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Rope;
import inkstone.tensor.checkpoint.Checkpoint;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.transformer.CausalModel;
import inkstone.transformer.DecoderConfig;
import inkstone.transformer.Family;

/**
 * Families whose block is Llama's under another name: InternLM 2 ("internlm2"; Cai et al. 2024, arXiv:2403.17297), EXAONE 3 ("exaone"; LG AI Research 2024,
 * arXiv:2408.03541), dense ERNIE 4.5 ("ernie4_5"), Baichuan 7B ("baichuan"; Yang et al. 2023, arXiv:2309.10305) and XVERSE ("xverse").
 *
 * @param pairs which dimensions of a head turn together in its files
 */
public record LlamaShapedFamily(String architecture, Rope.Pairs pairs) implements Family {
    /* Baichuan 13B, alone in having 40 layers, has linear biases in place of rotary positions; its files do not say so. */
    private static final int LAYERS_BAICHUAN_13B = 40;

    @Override public CausalModel fromGguf(Checkpoint file, CheckpointWeights weights, Backend backend) {
        var config = DecoderConfig.fromGguf(file, architecture, pairs);
        if (architecture.equals("baichuan") && config.layers() == LAYERS_BAICHUAN_13B) {
            throw new ModelException("%s: Baichuan 13B has linear position biases (ALiBi), which are not supported; Baichuan 7B is".formatted(file.metadata().source()));
        }
        return weights.build(w -> Llama.of(config, null, w, backend));
    }
}
