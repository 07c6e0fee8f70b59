package inkstone.diffusion.checkpoint;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The two names that each part of a UNet has: CompVis's, which models here ask for ("input_blocks.1.0.in_layers.2"), and diffusers' ("down_blocks.0.resnets.0.conv1").
 *
 * @param blocks beginnings of names, CompVis's and diffusers', those of a residual block marked
 */
record UNetNames(List<Block> blocks) {
    record Block(String compVis, String diffusers, boolean residual) {}

    private static final List<Block> RESIDUAL = List.of(new Block("in_layers.0", "norm1", false), new Block("in_layers.2", "conv1", false), new Block("emb_layers.1", "time_emb_proj", false),
        new Block("out_layers.0", "norm2", false), new Block("out_layers.3", "conv2", false), new Block("skip_connection", "conv_shortcut", false));

    /**
     * @param levels     of the network
     * @param residuals  blocks of a level on the way down
     * @param attentions whether there is a transformer in level {@code i} of the way up, its first level being 0
     * @param middle     whether there is one where the picture is smallest
     */
    static UNetNames of(int levels, int residuals, IntPredicate attentions, boolean middle) {
        var blocks = new ArrayList<Block>(List.of(new Block("time_embed.0", "time_embedding.linear_1", false), new Block("time_embed.2", "time_embedding.linear_2", false),
            new Block("time_embed.cond_proj", "time_embedding.cond_proj", false), new Block("label_emb.0.0", "add_embedding.linear_1", false),
            new Block("label_emb.0.2", "add_embedding.linear_2", false), new Block("input_blocks.0.0", "conv_in", false), new Block("out.0", "conv_norm_out", false),
            new Block("out.2", "conv_out", false), new Block("middle_block.0", "mid_block.resnets.0", true)));
        if (middle) blocks.add(new Block("middle_block.1", "mid_block.attentions.0", false));
        blocks.add(new Block("middle_block." + (middle ? 2 : 1), "mid_block.resnets.1", true));
        for (int level = 0; level < levels; level++) {
            for (int i = 0; i < residuals; i++) {
                int index = 1 + level * (residuals + 1) + i;
                blocks.add(new Block("input_blocks.%d.0".formatted(index), "down_blocks.%d.resnets.%d".formatted(level, i), true));
                blocks.add(new Block("input_blocks.%d.1".formatted(index), "down_blocks.%d.attentions.%d".formatted(level, i), false));
            }
            if (level < levels - 1) blocks.add(new Block("input_blocks.%d.0.op".formatted((level + 1) * (residuals + 1)), "down_blocks.%d.downsamplers.0.conv".formatted(level), false));
            for (int i = 0; i <= residuals; i++) {
                int index = level * (residuals + 1) + i;
                blocks.add(new Block("output_blocks.%d.0".formatted(index), "up_blocks.%d.resnets.%d".formatted(level, i), true));
                if (attentions.test(level)) blocks.add(new Block("output_blocks.%d.1".formatted(index), "up_blocks.%d.attentions.%d".formatted(level, i), false));
                if (level < levels - 1 && i == residuals) {
                    blocks.add(new Block("output_blocks.%d.%d.conv".formatted(index, attentions.test(level) ? 2 : 1), "up_blocks.%d.upsamplers.0.conv".formatted(level), false));
                }
            }
        }
        return new UNetNames(List.copyOf(blocks));
    }

    /** For a network whose tensors have diffusers' names. */
    static UNetNames ofDiffusers(Collection<String> names) {
        return of(1 + largest(names, "down_blocks\\.(\\d+)\\..*"), 1 + largest(names, "down_blocks\\.0\\.resnets\\.(\\d+)\\..*"),
            level -> names.stream().anyMatch(name -> name.startsWith("up_blocks.%d.attentions.".formatted(level))), names.stream().anyMatch(name -> name.startsWith("mid_block.attentions.")));
    }

    private static int largest(Collection<String> names, String pattern) {
        var index = Pattern.compile(pattern);
        return names.stream().map(index::matcher).filter(Matcher::matches).mapToInt(matcher -> Integer.parseInt(matcher.group(1))).max().orElse(-1);
    }

    /** CompVis's name of a tensor or part that has diffusers' name; itself where there is no such part. */
    String compVis(String diffusers) {
        for (var block : blocks) {
            if (!isIn(diffusers, block.diffusers)) continue;
            var rest = diffusers.substring(block.diffusers.length());
            if (block.residual) for (var part : RESIDUAL) if (isIn(rest, "." + part.diffusers)) rest = "." + part.compVis + rest.substring(1 + part.diffusers.length());
            return block.compVis + rest;
        }
        return diffusers;
    }

    /** The other way round. */
    String diffusers(String compVis) {
        Block found = null;
        for (var block : blocks) if (isIn(compVis, block.compVis) && (found == null || block.compVis.length() > found.compVis.length())) found = block;
        if (found == null) return compVis;
        var rest = compVis.substring(found.compVis.length());
        if (found.residual) for (var part : RESIDUAL) if (isIn(rest, "." + part.compVis)) return found.diffusers + "." + part.diffusers + rest.substring(1 + part.compVis.length());
        return found.diffusers + rest;
    }

    private static boolean isIn(String name, String beginning) { return name.startsWith(beginning) && (name.length() == beginning.length() || name.charAt(beginning.length()) == '.'); }
}
