package inkstone.transformer.layers;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;

/** Models in which some layers see only the last tokens (Beltagy et al. 2020, arXiv:2004.05150). */
public final class Windows {
    private Windows() {}

    /**
     * The window of each layer, 0 where it sees all: of every {@code period} layers the last sees all. A GGUF file may give another period, or say of each layer
     * whether it has the window.
     */
    public static int[] of(Metadata file, String architecture, int layers, int window, int period) {
        var key = architecture + ".attention.sliding_window_pattern";
        var windows = new int[layers];
        var pattern = file.values().get(key);
        if (pattern instanceof boolean[] windowed && windowed.length < layers) {
            throw new ModelException("%s: %s speaks of %d layers, the model has %d".formatted(file.source(), key, windowed.length, layers));
        }
        int every = pattern instanceof boolean[] ? 0 : file.integer(key, period);
        for (int layer = 0; layer < layers; layer++) {
            boolean local = pattern instanceof boolean[] windowed ? windowed[layer] : every == 0 || layer % every < every - 1;
            windows[layer] = local ? window : 0;
        }
        return windows;
    }
}
