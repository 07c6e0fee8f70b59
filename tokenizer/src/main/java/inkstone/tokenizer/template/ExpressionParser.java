package inkstone.tokenizer.template;

import inkstone.tensor.ModelException;
import inkstone.tokenizer.template.Expression.Input;
import inkstone.tokenizer.template.Token.Kind;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Parses what stands inside tags, with Jinja's precedence, which is not Python's everywhere: {@code ~} binds tighter than {@code +}, a
 * filter or test tighter than any operator, and {@code -x|abs} is the filter of {@code -x}. From loose to tight: conditional, or, and, not,
 * comparison, sum, {@code ~}, product, power, sign, filter and test, attribute and call.
 */
class ExpressionParser {
    /** Blocks and expressions inside one another; the deepest template known has 20. */
    private static final int MAX_NESTING = 150;
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

    /** Names that macro bodies may use without declaring them; the parser of macros asks whether they were seen. */
    final Set<String> namesSeen = new HashSet<>();
    private final List<Token> tokens;
    private int at;
    private int nesting;

    ExpressionParser(List<Token> tokens) { this.tokens = tokens; }

    final Token current() { return tokens.get(at); }

    final Token next() {
        var token = tokens.get(at);
        if (token.kind() != Kind.END) at++;
        return token;
    }

    private Token peek() { return tokens.get(Math.min(at + 1, tokens.size() - 1)); }

    final boolean skipOperator(String operator) {
        boolean found = current().isOperator(operator);
        if (found) next();
        return found;
    }

    final boolean skipName(String name) {
        boolean found = current().isName(name);
        if (found) next();
        return found;
    }

    final void expectOperator(String operator) {
        if (!skipOperator(operator)) throw expected("'" + operator + "'");
    }

    final Token expect(Kind kind, String what) {
        if (current().kind() != kind) throw expected(what);
        return next();
    }

    final ModelException expected(String what) { return error("expected %s but found %s".formatted(what, current().found())); }

    final ModelException error(String what) { return new ModelException("the chat template cannot be read: %s, line %d".formatted(what, current().line())); }

    final void enter() {
        if (++nesting > MAX_NESTING) throw error("expressions or blocks are nested deeper than %d levels".formatted(MAX_NESTING));
    }

    final void leave() { nesting--; }

    final Expression expression() {
        enter();
        var value = or();
        while (skipName("if")) {
            var test = or();
            value = new Expression.Conditional(test, value, skipName("else") ? expression() : new Expression.Literal(new Value.Undefined("an inline if has no else")));
        }
        leave();
        return value;
    }

    /** An expression, or a tuple of several without brackets; {@code conditional} says whether an inline if may follow. */
    final Expression tuple(boolean conditional) {
        var first = conditional ? expression() : or();
        if (!current().isOperator(",")) return first;
        var items = new ArrayList<>(List.of(first));
        while (skipOperator(",") && !endsTuple()) items.add(conditional ? expression() : or());
        return new Expression.TupleLiteral(items);
    }

    private boolean endsTuple() {
        var token = current();
        return token.kind() == Kind.OUTPUT_END || token.kind() == Kind.BLOCK_END || token.isOperator(")") || token.isOperator("=") || token.isName("recursive") || token.isName("if");
    }

    private Expression or() {
        var left = and();
        while (skipName("or")) left = new Expression.Or(left, and());
        return left;
    }

    private Expression and() {
        var left = not();
        while (skipName("and")) left = new Expression.And(left, not());
        return left;
    }

    private Expression not() {
        if (!skipName("not")) return comparison();
        enter();
        var operand = not();
        leave();
        return new Expression.Not(operand);
    }

    private Expression comparison() {
        var first = sum();
        var steps = new ArrayList<Expression.Step>();
        while (true) {
            if (current().kind() == Kind.OPERATOR && COMPARISONS.contains(current().text())) {
                steps.add(new Expression.Step(next().text(), sum()));
            } else if (skipName("in")) {
                steps.add(new Expression.Step("in", sum()));
            } else if (current().isName("not") && peek().isName("in")) {
                next();
                next();
                steps.add(new Expression.Step("not in", sum()));
            } else {
                return steps.isEmpty() ? first : new Expression.Comparison(first, steps);
            }
        }
    }

    private Expression sum() {
        var left = concat();
        while (current().isOperator("+") || current().isOperator("-")) left = new Expression.Arithmetic(next().text(), left, concat());
        return left;
    }

    private Expression concat() {
        var first = product();
        if (!current().isOperator("~")) return first;
        var parts = new ArrayList<>(List.of(first));
        while (skipOperator("~")) parts.add(product());
        return new Expression.Concat(parts);
    }

    private Expression product() {
        var left = power();
        while (current().isOperator("*") || current().isOperator("/") || current().isOperator("//") || current().isOperator("%")) {
            left = new Expression.Arithmetic(next().text(), left, power());
        }
        return left;
    }

    private Expression power() {
        var left = unary(true);
        while (current().isOperator("**")) left = new Expression.Arithmetic(next().text(), left, unary(true));
        return left;
    }

    private Expression unary(boolean filtered) {
        enter();
        Expression value;
        if (skipOperator("-")) {
            value = new Expression.Negate(unary(false));
        } else if (skipOperator("+")) {
            value = new Expression.Plus(unary(false));
        } else {
            value = primary();
        }
        value = postfix(value);
        if (filtered) value = filtersAndTests(value);
        leave();
        return value;
    }

    private Expression primary() {
        var token = next();
        return switch (token.kind()) {
            case NAME -> name(token.text());
            case STRING -> {
                var text = new StringBuilder(token.text());
                while (current().kind() == Kind.STRING) text.append(next().text());
                yield new Expression.Literal(Text.trusted(text.toString()));
            }
            case INTEGER -> new Expression.Literal(integer(token));
            case FLOAT -> new Expression.Literal(new Value.Real(Double.parseDouble(token.text())));
            default -> {
                if (token.isOperator("(")) yield parenthesis();
                if (token.isOperator("[")) yield new Expression.ListLiteral(items("]"));
                if (token.isOperator("{")) yield dict();
                if (token.kind() != Kind.END) at--;
                throw expected("an expression");
            }
        };
    }

    private Expression name(String name) {
        return switch (name) {
            case "true", "True" -> new Expression.Literal(Value.Bool.TRUE);
            case "false", "False" -> new Expression.Literal(Value.Bool.FALSE);
            case "none", "None" -> new Expression.Literal(Value.None.NONE);
            default -> {
                namesSeen.add(name);
                yield new Expression.Name(name);
            }
        };
    }

    private Value integer(Token token) {
        var digits = token.text().toLowerCase(Locale.ROOT);
        int radix = digits.startsWith("0x") ? 16 : digits.startsWith("0o") ? 8 : digits.startsWith("0b") ? 2 : 10;
        if (radix != 10) digits = digits.substring(2);
        if (digits.isEmpty()) throw error("expected digits after '%s'".formatted(token.text()));
        return new Value.Int(new BigInteger(digits, radix));
    }

    private Expression parenthesis() {
        if (skipOperator(")")) return new Expression.TupleLiteral(List.of());
        var inside = tuple(true);
        expectOperator(")");
        return inside;
    }

    private List<Expression> items(String close) {
        var items = new ArrayList<Expression>();
        while (!skipOperator(close)) {
            items.add(expression());
            if (!current().isOperator(close)) expectOperator(",");
        }
        return items;
    }

    private Expression dict() {
        var entries = new ArrayList<Expression.Entry>();
        while (!skipOperator("}")) {
            var key = expression();
            expectOperator(":");
            entries.add(new Expression.Entry(key, expression()));
            if (!current().isOperator("}")) expectOperator(",");
        }
        return new Expression.DictLiteral(entries);
    }

    private Expression postfix(Expression value) {
        while (true) {
            if (skipOperator(".")) {
                var token = next();
                value = switch (token.kind()) {
                    case NAME -> new Expression.Attribute(value, Text.trusted(token.text()));
                    case INTEGER -> new Expression.Item(value, new Expression.Literal(integer(token)));
                    default -> throw error("expected a name after '.' but found " + token.found());
                };
            } else if (skipOperator("[")) {
                value = subscript(value);
                expectOperator("]");
            } else if (current().isOperator("(")) {
                value = new Expression.Call(value, inputs());
            } else {
                return value;
            }
        }
    }

    private Expression subscript(Expression value) {
        var none = new Expression.Literal(Value.None.NONE);
        var start = current().isOperator(":") ? none : tuple(true);
        if (!skipOperator(":")) return new Expression.Item(value, start);
        var stop = current().isOperator(":") || current().isOperator("]") ? none : expression();
        var step = skipOperator(":") && !current().isOperator("]") ? expression() : none;
        return new Expression.Slice(value, start, stop, step);
    }

    /** Arguments with their brackets. */
    final List<Input> inputs() {
        var inputs = new ArrayList<Input>();
        expectOperator("(");
        boolean named = false;
        while (!skipOperator(")")) {
            if (skipOperator("**")) {
                inputs.add(new Input(Input.Kind.DICT, "", expression()));
                named = true;
            } else if (skipOperator("*")) {
                inputs.add(new Input(Input.Kind.LIST, "", expression()));
            } else if (current().kind() == Kind.NAME && peek().isOperator("=")) {
                var name = next().text();
                next();
                inputs.add(new Input(Input.Kind.NAMED, name, expression()));
                named = true;
            } else if (named) {
                throw error("an argument without a name follows one with a name");
            } else {
                inputs.add(new Input(Input.Kind.POSITIONAL, "", expression()));
            }
            if (!current().isOperator(")")) expectOperator(",");
        }
        return inputs;
    }

    private Expression filtersAndTests(Expression value) {
        while (true) {
            if (current().isOperator("|")) {
                value = filters(value);
            } else if (skipName("is")) {
                value = test(value);
            } else if (current().isOperator("(")) {
                value = new Expression.Call(value, inputs());
            } else {
                return value;
            }
        }
    }

    /** A chain of filters, each after its bar. */
    final Expression filters(Expression value) {
        while (skipOperator("|")) value = filter(value);
        return value;
    }

    /** One filter, from its name on. */
    final Expression filter(Expression value) {
        var name = dotted("the name of a filter");
        return new Expression.Filter(value, name, current().isOperator("(") ? inputs() : List.of());
    }

    private Expression test(Expression value) {
        boolean negated = skipName("not");
        var name = dotted("the name of a test");
        List<Input> inputs = List.of();
        var token = current();
        if (token.isOperator("(")) {
            inputs = inputs();
        } else if (switch (token.kind()) {
            case NAME -> !Set.of("else", "or", "and", "is").contains(token.text());
            case STRING, INTEGER, FLOAT -> true;
            default -> token.isOperator("[") || token.isOperator("{");
        }) {
            inputs = List.of(new Input(Input.Kind.POSITIONAL, "", postfix(primary())));
        } else if (token.isName("is")) {
            throw error("tests cannot be chained with 'is'");
        }
        var test = new Expression.Test(value, name, inputs);
        return negated ? new Expression.Not(test) : test;
    }

    private String dotted(String what) {
        var name = new StringBuilder(expect(Kind.NAME, what).text());
        while (skipOperator(".")) name.append('.').append(expect(Kind.NAME, what).text());
        return name.toString();
    }
}

