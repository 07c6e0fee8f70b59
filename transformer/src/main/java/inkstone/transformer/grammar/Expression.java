package inkstone.transformer.grammar;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Arrays;
import java.util.List;

/** The right-hand side of a rule, or a part of it: what {@link Gbnf}, {@link JsonSchema} and {@link RegularExpression} read and {@link AutomatonBuilder} compiles. */
sealed interface Expression {
    Expression EMPTY = new Sequence(List.of());

    /** One of these texts, in UTF-8. */
    record Words(List<byte[]> texts) implements Expression {}

    /** One code point. */
    record OneOf(CharacterSet set) implements Expression {}

    record Sequence(List<Expression> parts) implements Expression {}

    record Choice(List<Expression> alternatives) implements Expression {}

    /** {@code min} to {@code max} times. */
    record Repeat(Expression part, int min, int max) implements Expression {
        static final int UNBOUNDED = Integer.MAX_VALUE;
    }

    record Call(String rule) implements Expression {}

    static Expression text(String text) { return new Words(List.of(text.getBytes(UTF_8))); }
    static Expression words(List<String> texts) { return new Words(texts.stream().map(text -> text.getBytes(UTF_8)).toList()); }
    static Expression sequence(Expression... parts) { return new Sequence(Arrays.asList(parts)); }
    static Expression choice(Expression... alternatives) { return new Choice(Arrays.asList(alternatives)); }
    static Expression optional(Expression part) { return new Repeat(part, 0, 1); }
    static Expression any(Expression part) { return new Repeat(part, 0, Repeat.UNBOUNDED); }
    static Expression repeat(Expression part, int min, int max) { return new Repeat(part, min, max); }
    static Expression oneOf(String characters) { return new OneOf(CharacterSet.of(characters)); }
    static Expression range(int from, int to) { return new OneOf(CharacterSet.of(from, to)); }
}
