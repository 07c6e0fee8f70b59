package inkstone.diffusion.stable;

import inkstone.diffusion.checkpoint.ChangedWeights;
import inkstone.diffusion.checkpoint.ImageCheckpoint;
import inkstone.diffusion.checkpoint.ImageLoras;
import inkstone.diffusion.text.ClipEncoder;
import inkstone.diffusion.unet.UNet;
import inkstone.tensor.Backend;
import inkstone.tensor.checkpoint.CheckpointWeights;
import java.util.ArrayList;
import java.util.List;

/** The networks that LoRAs may change, with certain LoRAs. What the changes took is given back by {@link #close}; the weights themselves belong to others. */
record Networks(List<ImageLoras.Source> sources, UNet unet, List<ClipEncoder> texts, List<ChangedWeights> changed) implements AutoCloseable {
    static Networks of(ImageCheckpoint model, List<ImageLoras.Source> sources, ImageLoras loras, CheckpointWeights unetWeights, List<CheckpointWeights> textWeights, Backend backend) {
        var changed = new ArrayList<ChangedWeights>();
        var ofUnet = new ChangedWeights(unetWeights, model.unet().checkpoint(), loras.unet(), backend);
        changed.add(ofUnet);
        var texts = new ArrayList<ClipEncoder>();
        for (int i = 0; i < textWeights.size(); i++) {
            var ofText = new ChangedWeights(textWeights.get(i), model.texts().get(i).checkpoint(), loras.texts().get(i), backend);
            changed.add(ofText);
            texts.add(ClipEncoder.of(model.textConfigs().get(i), ofText));
        }
        return new Networks(List.copyOf(sources), UNet.of(model.unetConfig(), ofUnet), List.copyOf(texts), List.copyOf(changed));
    }

    @Override public void close() { changed.forEach(ChangedWeights::close); }
}
