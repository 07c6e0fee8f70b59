package inkstone.tokenizer.template;

import java.util.List;

/** What stands between the bounds of a tag, parsed. */
sealed interface Expression {
    record Literal(Value value) implements Expression {}
    record Name(String name) implements Expression {}
    record ListLiteral(List<Expression> items) implements Expression {}
    record TupleLiteral(List<Expression> items) implements Expression {}
    record DictLiteral(List<Entry> entries) implements Expression {}
    record Entry(Expression key, Expression value) {}

    /** {@code object.name} */
    record Attribute(Expression object, Text name) implements Expression {}
    /** {@code object[key]} */
    record Item(Expression object, Expression key) implements Expression {}
    /** {@code object[start:stop:step]}; what is left out is None. */
    record Slice(Expression object, Expression start, Expression stop, Expression step) implements Expression {}

    record Call(Expression callee, List<Input> inputs) implements Expression {}
    record Filter(Expression subject, String name, List<Input> inputs) implements Expression {}
    record Test(Expression subject, String name, List<Input> inputs) implements Expression {}

    /** One argument of a call: {@code value}, {@code name=value}, {@code *value} or {@code **value}. */
    record Input(Kind kind, String name, Expression value) {
        enum Kind { POSITIONAL, NAMED, LIST, DICT }
    }

    record Arithmetic(String operator, Expression left, Expression right) implements Expression {}
    record Negate(Expression operand) implements Expression {}
    record Plus(Expression operand) implements Expression {}
    record Concat(List<Expression> parts) implements Expression {}
    /** {@code a < b <= c}: every neighbouring pair must hold. */
    record Comparison(Expression first, List<Step> steps) implements Expression {}
    record Step(String operator, Expression operand) {}
    record And(Expression left, Expression right) implements Expression {}
    record Or(Expression left, Expression right) implements Expression {}
    record Not(Expression operand) implements Expression {}
    record Conditional(Expression test, Expression then, Expression otherwise) implements Expression {}
}
