package inkstone.diffusion.checkpoint;

import inkstone.diffusion.checkpoint.LoraFile.Change;
import inkstone.tensor.ModelException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

/**
 * LoRAs for a checkpoint: which of its parameters they change.
 *
 * @param unet   changes by the parameter's name, without ".weight"
 * @param texts  the same of each text encoder
 * @param unused changes that fit nothing in the model, by their names in the files
 */
public record ImageLoras(Map<String, List<Change>> unet, List<Map<String, List<Change>>> texts, List<String> unused) {
    /** A LoRA's file, and how much of it changes the network and the text encoders: 1 as it was trained. */
    public record Source(Path path, float weight, float textWeight) {}

    /** No changes. */
    public static ImageLoras none(ImageCheckpoint model) { return new ImageLoras(Map.of(), model.texts().stream().map(_ -> Map.<String, List<Change>>of()).toList(), List.of()); }

    /** @throws ModelException where a file is of another kind, or nothing of it fits the model */
    public static ImageLoras open(List<Source> sources, ImageCheckpoint model) throws IOException {
        if (sources.isEmpty()) return none(model);
        var config = model.unetConfig();
        var names = UNetNames.of(config.levels(), config.blocks(), level -> config.depths().get(config.levels() - 1 - level) > 0, config.middleDepth() > 0);
        var targets = new HashMap<String, Target>();
        for (var name : model.unet().checkpoint().tensors().keySet()) {
            if (!name.endsWith(".weight")) continue;
            var own = name.substring(0, name.length() - ".weight".length());
            var target = new Target(-1, own);
            for (var path : List.of(own, names.diffusers(own))) {
                targets.put("lora_unet_" + path.replace('.', '_'), target);
                targets.put("unet." + path, target);
            }
            targets.put("diffusion_model." + own, target);
        }
        for (int i = 0; i < model.texts().size(); i++) {
            for (var name : model.texts().get(i).checkpoint().tensors().keySet()) {
                if (!name.endsWith(".weight")) continue;
                var own = name.substring(0, name.length() - ".weight".length());
                targets.put((model.texts().size() > 1 ? "lora_te%d_".formatted(i + 1) : "lora_te_") + own.replace('.', '_'), new Target(i, own));
                targets.put((i == 0 ? "text_encoder." : "text_encoder_2.") + own, new Target(i, own));
            }
        }
        var unet = new HashMap<String, List<Change>>();
        var texts = new ArrayList<Map<String, List<Change>>>();
        model.texts().forEach(_ -> texts.add(new HashMap<>()));
        var unused = new ArrayList<String>();
        for (var source : sources) {
            var file = LoraFile.read(source.path());
            var used = new HashSet<String>();
            file.changes().forEach((name, change) -> {
                var target = targets.get(name);
                if (target == null) {
                    unused.add(name);
                    return;
                }
                used.add(name);
                var weighed = new Change(change.down(), change.up(), change.rank(), change.in(), change.window(), change.out(), change.scale() * (target.text < 0 ? source.weight() : source.textWeight()));
                requireFits(source.path(), name, weighed, model, target);
                (target.text < 0 ? unet : texts.get(target.text)).computeIfAbsent(target.name, _ -> new ArrayList<>()).add(weighed);
            });
            if (used.isEmpty()) {
                throw new ModelException("%s changes nothing that %s has, such as %s; it is for another model".formatted(source.path(), model.family().label(),
                    file.changes().keySet().iterator().next()));
            }
        }
        return new ImageLoras(unet, texts, unused);
    }

    private record Target(int text, String name) {}

    private static void requireFits(Path path, String name, Change change, ImageCheckpoint model, Target target) {
        var file = target.text < 0 ? model.unet() : model.texts().get(target.text);
        int[] dims = file.checkpoint().tensors().get(target.name + ".weight").shape().toArray();
        int in = dims[dims.length - 1], window = dims.length == 4 ? dims[1] : 1;
        if (change.out() == dims[0] && change.in() == in && change.window() == window) return;
        throw new ModelException("%s: the change of %s is for %d inputs and %d outputs, the model has %d and %d; it is for another model".formatted(path, name, change.in(), change.out(), in, dims[0]));
    }

    public boolean isEmpty() { return unet.isEmpty() && texts.stream().allMatch(Map::isEmpty); }
}
