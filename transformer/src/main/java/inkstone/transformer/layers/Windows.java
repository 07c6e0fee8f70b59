package inkstone.transformer.layers;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import java.util.LinkedHashMap;
import java.util.Map;

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
        var pattern = file.has(key) ? file.values().get(key) : null;
        if (pattern instanceof long[] numbers) {
            var windowed = new boolean[numbers.length];
            for (int layer = 0; layer < numbers.length; layer++) windowed[layer] = numbers[layer] != 0;
            pattern = windowed;
        }
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

    /** The same from a config.json, which names the kind of each layer ({@code layer_types}), or gives another period ({@code sliding_window_pattern}). */
    public static int[] ofHuggingFace(Metadata config, int layers, int window, int period) {
        var windows = new int[layers];
        var types = config.has("layer_types") ? config.strings("layer_types") : null;
        if (types != null && types.size() != layers) {
            throw new ModelException("%s: layer_types speaks of %d layers, the model has %d".formatted(config.source(), types.size(), layers));
        }
        int every = config.integer("sliding_window_pattern", period);
        for (int layer = 0; layer < layers; layer++) {
            boolean local = types == null ? every == 0 || layer % every < every - 1 : types.get(layer).equals("sliding_attention");
            windows[layer] = local ? window : 0;
        }
        return windows;
    }

    /** The keys of a GGUF file; layers that follow no period are told one by one, which some readers of such files do not understand. */
    public static Map<String, Object> toGguf(String architecture, int[] windows, int window) {
        var keys = new LinkedHashMap<String, Object>();
        if (window == 0) return keys;
        keys.put(architecture + ".attention.sliding_window", window);
        int first = 0;
        while (first < windows.length && windows[first] > 0) first++;
        int period = first + 1;
        var local = new boolean[windows.length];
        boolean periodic = true;
        for (int layer = 0; layer < windows.length; layer++) {
            local[layer] = windows[layer] > 0;
            periodic &= local[layer] == layer % period < period - 1;
        }
        keys.put(architecture + ".attention.sliding_window_pattern", periodic ? period : local);
        return keys;
    }
}
