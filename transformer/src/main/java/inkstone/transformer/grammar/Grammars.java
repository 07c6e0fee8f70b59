package inkstone.transformer.grammar;

import inkstone.tokenizer.Tokenizer;
import inkstone.transformer.Constraint;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import tools.jackson.databind.JsonNode;

/** The grammars that requests to one model asked for last, compiled; clients send the same schema with every request. Any thread. Holds no native memory. */
public final class Grammars {
    private static final int KEPT = 32;

    private final Vocabulary vocabulary;
    private final Map<Object, Grammar> compiled = new LinkedHashMap<>(16, 0.75f, true) {
        @Override protected boolean removeEldestEntry(Map.Entry<Object, Grammar> eldest) { return size() > KEPT; }
    };

    private record Gbnf(String text) {}
    private record Json() {}

    /** Reads the tokenizer's vocabulary, some 100 ms for 150,000 tokens. */
    public Grammars(Tokenizer tokenizer) { vocabulary = Vocabulary.of(tokenizer); }

    /** @see Grammar#gbnf */
    public Constraint gbnf(String text) { return constraint(new Gbnf(text), () -> Grammar.gbnf(text)); }

    /** @see Grammar#jsonSchema */
    public Constraint jsonSchema(JsonNode schema) { return constraint(schema.toString(), () -> Grammar.jsonSchema(schema)); }

    /** @see Grammar#json */
    public Constraint json() { return constraint(new Json(), Grammar::json); }

    private Constraint constraint(Object key, Supplier<Grammar> compile) {
        Grammar grammar;
        synchronized (compiled) { grammar = compiled.get(key); }
        if (grammar == null) {
            grammar = compile.get();                                                     // outside the lock: nobody waits for another's large schema
            synchronized (compiled) { compiled.put(key, grammar); }
        }
        return grammar.constraint(vocabulary);
    }
}
