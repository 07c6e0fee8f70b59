package inkstone.transformer.adapters;

import inkstone.transformer.CausalModel;
import inkstone.transformer.LanguageModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The adapters that are loaded beside a model, and how much of each is wanted where nobody says otherwise. Any weights make a variant of the model on the same weights in
 * memory; the variants used last are kept, so that requests with the same weights run together and share what is cached. Any thread.
 */
public final class Adapters {
    /** Variants that are kept: each is some thousand small objects. */
    private static final int KEPT = 16;

    private final LanguageModel model;
    private final List<Adapter> adapters;
    /** Guarded by this object, as are the variants. */
    private float[] weights;
    private final Map<List<Float>, CausalModel> variants = new LinkedHashMap<>(KEPT, 0.75f, true) {
        @Override protected boolean removeEldestEntry(Map.Entry<List<Float>, CausalModel> eldest) { return size() > KEPT; }
    };

    public Adapters(LanguageModel model, List<Adapter.Use> uses) {
        this.model = model;
        this.adapters = uses.stream().map(Adapter.Use::adapter).toList();
        this.weights = new float[uses.size()];
        for (int i = 0; i < weights.length; i++) weights[i] = uses.get(i).weight();
        variants.put(key(new float[weights.length]), model.model());
    }

    /** In the order in which they were loaded: an adapter's number is its place here. */
    public List<Adapter> all() { return adapters; }

    /** Of each adapter, in that order. */
    public synchronized float[] weights() { return weights.clone(); }

    /** From now on, of what is asked without weights. */
    public synchronized void weights(float[] wanted) { weights = checked(wanted); }

    /** The model with the usual weights. */
    public CausalModel variant() { return variant(weights()); }

    /** The model with these weights, one for each adapter. */
    public synchronized CausalModel variant(float[] wanted) {
        var key = key(checked(wanted));
        var known = variants.get(key);
        if (known != null) return known;
        var uses = new ArrayList<Adapter.Use>();
        for (int i = 0; i < wanted.length; i++) uses.add(new Adapter.Use(adapters.get(i), wanted[i]));
        var variant = model.adapterBase().builder().apply(Adapter.together(uses, model.backend()));
        variants.put(key, variant);
        return variant;
    }

    private float[] checked(float[] wanted) {
        boolean fits = wanted.length == adapters.size();
        for (float weight : wanted) fits &= Float.isFinite(weight);
        if (!fits) throw new IllegalArgumentException("expected %d weights that are numbers, got %s".formatted(adapters.size(), Arrays.toString(wanted)));
        return wanted.clone();
    }

    private static List<Float> key(float[] weights) {
        var key = new ArrayList<Float>();
        for (float weight : weights) key.add(weight == 0 ? 0f : weight);
        return key;
    }
}
