package inkstone.tensor.checkpoint;

import inkstone.tensor.ModelException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Named values of a model file. Integers of every width are {@code Long}, floats {@code Double}; the other values are {@code Boolean}, {@code String} and
 * arrays ({@code long[]}, {@code double[]}, {@code boolean[]}, {@code List<String>}, {@code List<Object>} of arrays). Getters without a default throw
 * {@link ModelException} naming the file and the key where it is absent; every getter throws where the value has another type.
 *
 * @param source the file's name, for messages
 * @param asked  every key that anybody has asked for, so that what a reader has no use for can be told ({@link #unasked})
 */
public record Metadata(String source, Map<String, Object> values, Set<String> asked) {
    public Metadata(String source, Map<String, Object> values) { this(source, values, ConcurrentHashMap.newKeySet()); }

    public boolean has(String key) {
        asked.add(key);
        return values.containsKey(key);
    }

    /** The keys that begin with {@code prefix} and that nobody has asked for. */
    public SortedSet<String> unasked(String prefix) {
        var keys = new TreeSet<String>();
        for (var key : values.keySet()) if (key.startsWith(prefix) && !asked.contains(key)) keys.add(key);
        return keys;
    }

    public String string(String key) { return require(key, String.class, "a string"); }
    public String string(String key, String absent) { return has(key) ? string(key) : absent; }

    public boolean bool(String key) { return require(key, Boolean.class, "a boolean"); }
    public boolean bool(String key, boolean absent) { return has(key) ? bool(key) : absent; }

    /** An integer that fits an int. */
    public int integer(String key) {
        long value = require(key, Long.class, "an integer");
        if (value != (int) value) throw new ModelException("%s: %s is %d, which no reader expects".formatted(source, key, value));
        return (int) value;
    }
    public int integer(String key, int absent) { return has(key) ? integer(key) : absent; }

    /** A float, or an integer read as one. */
    public float floating(String key) { return has(key) && values.get(key) instanceof Long whole ? whole : (float) (double) require(key, Double.class, "a number"); }
    public float floating(String key, float absent) { return has(key) ? floating(key) : absent; }

    @SuppressWarnings("unchecked")
    public List<String> strings(String key) {
        var list = require(key, List.class, "an array of strings");
        if (!list.isEmpty() && !(list.getFirst() instanceof String)) throw new ModelException("%s: %s should be an array of strings".formatted(source, key));
        return list;
    }
    public long[] integers(String key) { return require(key, long[].class, "an array of integers"); }
    public double[] floats(String key) { return require(key, double[].class, "an array of floats"); }

    private <T> T require(String key, Class<T> type, String expected) {
        asked.add(key);
        Object value = values.get(key);
        if (value == null) throw new ModelException("%s: %s is missing (expected %s)".formatted(source, key, expected));
        if (!type.isInstance(value)) throw new ModelException("%s: %s should be %s, found %s".formatted(source, key, expected, kind(value)));
        return type.cast(value);
    }

    private static String kind(Object value) {
        return switch (value) {
            case Long _ -> "an integer";
            case Double _ -> "a float";
            case Boolean _ -> "a boolean";
            case String _ -> "a string";
            case long[] _ -> "an array of integers";
            case double[] _ -> "an array of floats";
            case boolean[] _ -> "an array of booleans";
            case List<?> list when !list.isEmpty() && list.getFirst() instanceof String -> "an array of strings";
            default -> "an array";
        };
    }
}
