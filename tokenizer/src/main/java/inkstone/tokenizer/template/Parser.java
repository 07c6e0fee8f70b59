package inkstone.tokenizer.template;

import inkstone.tensor.ModelException;
import inkstone.tokenizer.template.Node.Target;
import inkstone.tokenizer.template.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** Parses a template's text and statements. Filters, tests and names are looked up when they are used: many templates hold branches that never run. */
final class Parser extends ExpressionParser {
    private static final Expression ALWAYS = new Expression.Literal(Value.Bool.TRUE);
    private static final String STATEMENTS = "if, for, set, macro, call, filter, with, generation, break and continue";
    /** Loops around the current place, inside the current macro: where break and continue may stand. */
    private int loops;

    private Parser(List<Token> tokens) { super(tokens); }

    /** @throws ModelException with the line, what was expected and what was found */
    static List<Node> parse(String source) {
        var parser = new Parser(Lexer.tokens(source));
        var nodes = parser.body(Set.of());
        if (parser.current().kind() != Kind.END) throw parser.error("%s closes no block".formatted(parser.current().found()));
        return nodes;
    }

    /** Nodes up to the block whose name is in {@code ends}; that name is the current token afterwards. */
    private List<Node> body(Set<String> ends) {
        enter();
        var nodes = new ArrayList<Node>();
        while (current().kind() != Kind.END) {
            var token = next();
            switch (token.kind()) {
                case DATA -> nodes.add(new Node.Data(token.line(), Text.trusted(token.text())));
                case OUTPUT_BEGIN -> {
                    nodes.add(new Node.Output(token.line(), tuple(true)));
                    expect(Kind.OUTPUT_END, "'}}'");
                }
                default -> {
                    if (current().kind() != Kind.NAME) throw expected("the name of a statement");
                    if (ends.contains(current().text()) || current().text().startsWith("end") || current().text().startsWith("el")) {
                        leave();
                        return nodes;
                    }
                    nodes.add(statement());
                }
            }
        }
        leave();
        return nodes;
    }

    /** The body up to {@code end}, with that block. */
    private List<Node> bodyUntil(String end) {
        var nodes = body(Set.of(end));
        if (!skipName(end)) throw expected("'{% " + end + " %}'");
        blockEnd();
        return nodes;
    }

    private void blockEnd() { expect(Kind.BLOCK_END, "'%}'"); }

    private Node statement() {
        var token = next();
        int line = token.line();
        return switch (token.text()) {
            case "if" -> ifStatement(line);
            case "for" -> forStatement(line);
            case "set" -> set(line);
            case "macro" -> {
                var name = expect(Kind.NAME, "the name of a macro").text();
                yield new Node.Macro(line, definition(name, "endmacro"));
            }
            case "call" -> callBlock(line);
            case "filter" -> {
                var value = filters(filter(new Expression.Name(Node.BODY)));
                blockEnd();
                yield new Node.FilterBlock(line, value, bodyUntil("endfilter"));
            }
            case "with" -> with(line);
            case "generation" -> {
                blockEnd();
                yield new Node.Generation(line, bodyUntil("endgeneration"));
            }
            case "break", "continue" -> {
                if (loops == 0) throw error("'%s' stands outside a loop".formatted(token.text()));
                blockEnd();
                yield token.text().equals("break") ? new Node.Break(line) : new Node.Continue(line);
            }
            default -> throw error("the statement '%s' is not known; there are %s".formatted(token.text(), STATEMENTS));
        };
    }

    private Node ifStatement(int line) {
        var branches = new ArrayList<Node.Branch>();
        int branchLine = line;
        while (true) {
            var test = tuple(false);
            blockEnd();
            branches.add(new Node.Branch(branchLine, test, body(Set.of("elif", "else", "endif"))));
            branchLine = current().line();
            if (skipName("elif")) continue;
            List<Node> otherwise = List.of();
            if (skipName("else")) {
                blockEnd();
                otherwise = body(Set.of("endif"));
            }
            if (!skipName("endif")) throw expected("'{% endif %}' of the if in line " + line);
            blockEnd();
            return new Node.If(line, branches, otherwise);
        }
    }

    private Node forStatement(int line) {
        var target = target(false);
        if (!skipName("in")) throw expected("'in'");
        var items = tuple(false);
        var condition = skipName("if") ? expression() : ALWAYS;
        boolean recursive = skipName("recursive");
        blockEnd();
        loops++;
        var body = body(Set.of("else", "endfor"));
        loops--;
        List<Node> otherwise = List.of();
        if (skipName("else")) {
            blockEnd();
            otherwise = body(Set.of("endfor"));
        }
        if (!skipName("endfor")) throw expected("'{% endfor %}' of the for in line " + line);
        blockEnd();
        return new Node.For(line, target, items, condition, recursive, body, otherwise);
    }

    private Node set(int line) {
        var target = target(true);
        if (skipOperator("=")) {
            var value = tuple(true);
            blockEnd();
            return new Node.Set(line, target, value);
        }
        var value = filters(new Expression.Name(Node.BODY));
        blockEnd();
        return new Node.SetBlock(line, target, value, bodyUntil("endset"));
    }

    private Node callBlock(int line) {
        var parameters = current().isOperator("(") ? parameters() : List.<Node.Parameter>of();
        if (!(expression() instanceof Expression.Call call)) throw error("expected a call of a macro in the block 'call'");
        blockEnd();
        int outer = loops;
        loops = 0;
        var definition = new Node.Definition("caller", parameters, false, false, bodyUntil("endcall"));
        loops = outer;
        return new Node.CallBlock(line, call, definition);
    }

    private Node with(int line) {
        var assignments = new ArrayList<Node.Set>();
        while (current().kind() != Kind.BLOCK_END) {
            if (!assignments.isEmpty()) expectOperator(",");
            var target = target(false);
            expectOperator("=");
            assignments.add(new Node.Set(line, target, expression()));
        }
        blockEnd();
        return new Node.With(line, assignments, bodyUntil("endwith"));
    }

    private Node.Definition definition(String name, String end) {
        var parameters = parameters();
        blockEnd();
        int outer = loops;
        loops = 0;
        var seenOutside = Set.copyOf(namesSeen);
        namesSeen.clear();
        var body = bodyUntil(end);
        var definition = new Node.Definition(name, parameters, namesSeen.contains("varargs"), namesSeen.contains("kwargs"), body);
        namesSeen.addAll(seenOutside);
        loops = outer;
        return definition;
    }

    private List<Node.Parameter> parameters() {
        var parameters = new ArrayList<Node.Parameter>();
        expectOperator("(");
        while (!skipOperator(")")) {
            var name = expect(Kind.NAME, "the name of a parameter").text();
            var missing = new Expression.Literal(new Value.Undefined("the parameter '" + name + "' was not given"));
            if (!skipOperator("=")) {
                if (!parameters.isEmpty() && !isMissing(parameters.getLast().defaultValue())) {
                    throw error("the parameter '%s' without default follows one with a default".formatted(name));
                }
                parameters.add(new Node.Parameter(name, missing));
            } else {
                parameters.add(new Node.Parameter(name, expression()));
            }
            if (!current().isOperator(")")) expectOperator(",");
        }
        return parameters;
    }

    private static boolean isMissing(Expression defaultValue) { return defaultValue instanceof Expression.Literal(Value.Undefined _); }

    /** The left side of an assignment: a name, {@code namespace.name} where {@code members} are allowed, or several. */
    private Target target(boolean members) {
        var targets = new ArrayList<Target>();
        boolean several = false;
        do {
            if (!targets.isEmpty() && current().kind() != Kind.NAME && !current().isOperator("(")) break;
            if (skipOperator("(")) {
                enter();
                targets.add(target(members));
                leave();
                expectOperator(")");
            } else {
                var name = expect(Kind.NAME, "the name of a variable").text();
                if (Set.of("true", "false", "none", "True", "False", "None").contains(name)) throw error("'%s' cannot be assigned to".formatted(name));
                targets.add(members && skipOperator(".") ? new Target.Member(name, expect(Kind.NAME, "a name after '.'").text()) : new Target.Variable(name));
            }
            several |= current().isOperator(",");
        } while (skipOperator(","));
        return several ? new Target.Several(targets) : targets.getFirst();
    }
}
