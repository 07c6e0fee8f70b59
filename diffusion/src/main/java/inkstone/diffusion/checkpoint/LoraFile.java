package inkstone.diffusion.checkpoint;

import inkstone.tensor.Blocks;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Safetensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Low-rank changes of a model (Hu et al. 2021, arXiv:2106.09685) by the names of what they change, in either of the two forms that people exchange: kohya's
 * ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight") and that of diffusers and PEFT ("unet.down_blocks.0.attentions.0.proj_in.lora_A.weight"). Those of kohya's names are kept as
 * they are; PEFT's lose what names no part of the model.
 */
record LoraFile(String source, Map<String, Change> changes) {
    private static final Map<String, String> OTHER_KINDS = new TreeMap<>(Map.of("hada_w1_a", "LoHa", "lokr_w", "LoKr", "dora_scale", "DoRA", "lora_mid", "a LoRA of three factors (LoCon with a core)",
        "oft_", "OFT", "diff_b", "a difference of whole weights"));
    private static final Pattern TENSOR = Pattern.compile("(?:base_model\\.model\\.|transformer\\.)?(.+?)\\.(lora_down|lora_up|lora_A|lora_B|lora\\.down|lora\\.up|lora_linear_layer\\.down"
        + "|lora_linear_layer\\.up|default_0\\.lora_A|default_0\\.lora_B)(?:\\.default)?\\.weight");
    private static final Pattern PROCESSOR = Pattern.compile("(.+?)\\.(?:processor\\.)?(to_[qkv]|to_out)_lora\\.(down|up)\\.weight");

    /**
     * weight + scale · up down: down [rank, in · window], in the files' order, up [out, rank].
     *
     * @param window height and width of a convolution's; 1 of a matrix
     */
    record Change(float[] down, float[] up, int rank, int in, int window, int out, float scale) {}

    /** What is known of one change while the file is read. */
    private static final class Half {
        float[] down, up;
        int[] downDims, upDims;
        float alpha = Float.NaN;
    }

    static LoraFile read(Path path) throws IOException {
        try (var file = Safetensors.open(path)) {
            var halves = new LinkedHashMap<String, Half>();
            for (var name : file.tensors().keySet()) {
                for (var kind : OTHER_KINDS.entrySet()) {
                    if (name.contains(kind.getKey())) throw new ModelException("%s is %s (%s), which is not supported; LoRA of kohya's and diffusers' form is".formatted(path, kind.getValue(), name));
                }
                if (name.matches("(text_encoder|unet):\\d+:(up|down)")) {
                    throw new ModelException("%s numbers its tensors (%s) as the first program for LoRA did (cloneofsimo/lora), which does not say what they change; convert it to kohya's or diffusers' form"
                        .formatted(path, name));
                }
                if (name.endsWith(".alpha")) {
                    halves.computeIfAbsent(name.substring(0, name.length() - ".alpha".length()), _ -> new Half()).alpha = floats(file, name)[0];
                    continue;
                }
                var matcher = TENSOR.matcher(name);
                var processor = PROCESSOR.matcher(name);
                String target, part;
                if (processor.matches()) {
                    target = processor.group(1) + "." + processor.group(2) + (processor.group(2).equals("to_out") ? ".0" : "");
                    part = processor.group(3);
                } else if (matcher.matches()) {
                    target = matcher.group(1);
                    part = matcher.group(2);
                } else continue;
                var half = halves.computeIfAbsent(target, _ -> new Half());
                int[] dims = file.tensors().get(name).shape().toArray();
                if (part.endsWith("down") || part.endsWith("A")) {
                    half.down = floats(file, name);
                    half.downDims = dims;
                } else {
                    half.up = floats(file, name);
                    half.upDims = dims;
                }
            }
            var changes = new LinkedHashMap<String, Change>();
            halves.forEach((target, half) -> changes.put(target, change(path, target, half)));
            if (changes.isEmpty()) throw new ModelException("%s is no LoRA of kohya's or diffusers' form; it has tensors such as %s".formatted(path, ImageCheckpoint.listed(file.tensors().keySet())));
            return new LoraFile(path.toString(), changes);
        }
    }

    private static Change change(Path path, String target, Half half) {
        if (half.down == null || half.up == null) throw new ModelException("%s: the change of %s has no %s".formatted(path, target, half.down == null ? "down" : "up"));
        int rank = half.downDims[0], window = half.downDims.length == 4 ? half.downDims[2] : 1;
        boolean fits = half.upDims.length >= 2 && half.upDims[1] == rank && half.up.length == half.upDims[0] * rank && (half.downDims.length == 2 || half.downDims.length == 4 && half.downDims[3] == window);
        if (!fits) throw new ModelException("%s: the two factors of %s do not fit each other".formatted(path, target));
        return new Change(half.down, half.up, rank, half.downDims[1], window, half.upDims[0], Float.isNaN(half.alpha) ? 1 : half.alpha / rank);
    }

    private static float[] floats(Safetensors file, String name) {
        var info = file.tensors().get(name);
        var values = new float[Math.toIntExact(info.shape().elements())];
        Blocks.toFloats(info.dtype(), file.data(name), 0, values, values.length);
        return values;
    }
}
