package inkstone.diffusion.checkpoint;

import inkstone.tensor.checkpoint.Arrangement;
import inkstone.tensor.checkpoint.TensorInfo;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Names of the autoencoder and of text encoders in other layouts, as those that models here ask for. */
final class PartNames {
    private static final String FUSED = "self_attn.in_proj_", OPEN_PROJECTION = "open_clip.text_projection";
    private static final Pattern OPEN_LAYER = Pattern.compile("transformer\\.resblocks\\.(\\d+)\\.(.*)");
    private static final Pattern VAE_RESIDUAL = Pattern.compile("(encoder|decoder)\\.(down|up)_blocks\\.(\\d+)\\.resnets\\.(\\d+)\\.(.*)");
    private static final Pattern VAE_SAMPLER = Pattern.compile("(encoder|decoder)\\.(down|up)_blocks\\.(\\d+)\\.(?:down|up)samplers\\.0\\.conv\\.(.*)");

    private PartNames() {}

    // ---- the autoencoder: CompVis's names ------------------------------------------------------------------------------------------------------------

    /** @param levels of the network, since diffusers counts those of the decoder from the deepest */
    static String autoencoder(String diffusers, int levels) {
        Matcher matcher;
        if ((matcher = VAE_RESIDUAL.matcher(diffusers)).matches()) {
            return "%s.%s.%d.block.%s.%s".formatted(matcher.group(1), matcher.group(2), level(matcher, levels), matcher.group(4), matcher.group(5).replace("conv_shortcut", "nin_shortcut"));
        }
        if ((matcher = VAE_SAMPLER.matcher(diffusers)).matches()) {
            return "%s.%s.%d.%ssample.conv.%s".formatted(matcher.group(1), matcher.group(2), level(matcher, levels), matcher.group(2), matcher.group(4));
        }
        return diffusers.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2").replace("mid_block.attentions.0", "mid.attn_1")
            .replace("conv_norm_out", "norm_out").replace("attn_1.group_norm", "attn_1.norm").replaceAll("attn_1\\.(to_q|query)\\.", "attn_1.q.").replaceAll("attn_1\\.(to_k|key)\\.", "attn_1.k.")
            .replaceAll("attn_1\\.(to_v|value)\\.", "attn_1.v.").replaceAll("attn_1\\.(to_out\\.0|proj_attn)\\.", "attn_1.proj_out.");
    }

    private static int level(Matcher matcher, int levels) {
        int level = Integer.parseInt(matcher.group(3));
        return matcher.group(2).equals("up") ? levels - 1 - level : level;
    }

    // ---- text encoders: Hugging Face's names ---------------------------------------------------------------------------------------------------------

    /** Of OpenCLIP's names. */
    static String text(String openClip) {
        var layer = OPEN_LAYER.matcher(openClip);
        if (layer.matches()) {
            return "text_model.encoder.layers.%s.%s".formatted(layer.group(1), layer.group(2).replace("ln_1", "layer_norm1").replace("ln_2", "layer_norm2").replace("mlp.c_fc", "mlp.fc1")
                .replace("mlp.c_proj", "mlp.fc2").replace("attn.", "self_attn."));
        }
        return switch (openClip) {
            case "token_embedding.weight" -> "text_model.embeddings.token_embedding.weight";
            case "positional_embedding" -> "text_model.embeddings.position_embedding.weight";
            case "text_projection" -> OPEN_PROJECTION;
            default -> openClip.startsWith("ln_final.") ? openClip.replace("ln_final", "text_model.final_layer_norm") : openClip;
        };
    }

    /** Names that only stand for parts of something here. */
    static boolean isTakenApart(String name) { return name.contains(FUSED) || name.equals(OPEN_PROJECTION); }

    /** OpenCLIP keeps queries, keys and values of a layer in one matrix, and its projection for x · P where a linear map is x · Wᵀ. */
    static Map<String, Arrangement> apart(Map<String, TensorInfo> infos) {
        var arrangements = new HashMap<String, Arrangement>();
        infos.forEach((name, info) -> {
            int[] dims = info.shape().toArray();
            if (name.equals(OPEN_PROJECTION)) arrangements.put("text_projection.weight", Arrangement.of(name, dims).axes(1, 0));
            int fused = name.indexOf(FUSED);
            if (fused < 0 || dims[0] % 3 != 0) return;
            int width = dims[0] / 3;
            for (int part = 0; part < 3; part++) {
                var own = name.substring(0, fused) + "self_attn." + "qkv".charAt(part) + "_proj." + name.substring(fused + FUSED.length());
                arrangements.put(own, Arrangement.of(name, dims).slice(0, part * width, (part + 1) * width));
            }
        });
        return arrangements;
    }
}
