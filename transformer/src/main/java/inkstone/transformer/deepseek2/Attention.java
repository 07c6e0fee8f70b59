package inkstone.transformer.deepseek2;

import inkstone.tensor.Tensor;
import inkstone.transformer.Context;

/** Multi-head latent attention (DeepSeek-AI 2024, arXiv:2405.04434, section 2.1) in one of its two forms, which compute the same. */
sealed interface Attention permits LatentAttention, ExpandedAttention {
    /** x [n, dim] -> [n, dim] */
    Tensor forward(Tensor x, Heads.Rows heads, Context context);
}
