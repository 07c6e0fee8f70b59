package inkstone.transformer.grammar;

import inkstone.transformer.Constraint;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import tools.jackson.databind.JsonNode;

/**
 * A language that answers are held to, compiled once and used for any number of them; what was learned about tokens in one answer serves the next. Any thread.
 * Says nothing about the quality of an answer: a model that would rather write something else writes the nearest thing that fits.
 *
 * <p>Compiling costs milliseconds and is bounded, whoever wrote the text: {@link AutomatonBuilder#MOST_NODES} states, {@link Automaton#DEEPEST} calls within
 * calls. What is beyond that, malformed or not supported is an {@link IllegalArgumentException} that says what.
 */
public final class Grammar {
    private final Automaton automaton;
    private final Map<Vocabulary, TokenMasks> masks = new ConcurrentHashMap<>();

    private Grammar(Map<String, Expression> rules) { automaton = AutomatonBuilder.build(rules); }

    /** The rules of a text in llama.cpp's dialect of BNF ({@link Gbnf}); an answer is what rule {@code root} derives. */
    public static Grammar gbnf(String text) { return new Grammar(Gbnf.read(text)); }

    /** JSON texts that a schema (JSON Schema 2020-12; see {@link JsonSchema} for what of it) accepts. */
    public static Grammar jsonSchema(JsonNode schema) { return new Grammar(JsonSchema.read(schema)); }

    /** Any JSON object. */
    public static Grammar json() { return new Grammar(JsonRules.anyObject()); }

    /** For one answer in the tokens of one vocabulary. */
    public Constraint constraint(Vocabulary vocabulary) {
        return new GrammarConstraint(masks.computeIfAbsent(vocabulary, tokens -> new TokenMasks(automaton, tokens)));
    }

    /** Whether the whole of a text is in the language. */
    public boolean accepts(String text) {
        var pushdown = new Pushdown(automaton);
        var state = pushdown.start();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) state = pushdown.next(state, b & 0xFF);
        return state.ends;
    }
}
