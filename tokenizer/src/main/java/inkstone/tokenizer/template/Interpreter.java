package inkstone.tokenizer.template;

import inkstone.tokenizer.template.Node.Definition;
import inkstone.tokenizer.template.Node.Target;
import inkstone.tokenizer.template.Value.Callable;
import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Sequence;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs the statements of one rendering. Blocks of if share the scope around them; turns of a loop, macros and other blocks have their own. */
final class Interpreter {
    /** How a block ended: at its end, or on the way out of the loop or of its current turn. */
    private enum Flow { NEXT, BREAK, CONTINUE }

    private final Run run;
    private final Evaluator evaluator;
    private final List<ChatTemplate.Stretch> generations = new ArrayList<>();
    /** The text of the whole rendering: what a block prints into a variable has no place in it. */
    private Text.Builder rendered;

    Interpreter(Run run) {
        this.run = run;
        this.evaluator = new Evaluator(run);
    }

    /** Returns where the generation blocks stand in {@code out}. */
    List<ChatTemplate.Stretch> render(List<Node> template, Scope scope, Text.Builder out) {
        rendered = out;
        execute(template, scope, out);
        return generations;
    }

    private Flow execute(List<Node> nodes, Scope scope, Text.Builder out) {
        run.enter();
        var flow = Flow.NEXT;
        for (var node : nodes) {
            run.line(node.line());
            flow = execute(node, scope, out);
            if (flow != Flow.NEXT) break;
        }
        run.leave();
        return flow;
    }

    private Flow execute(Node node, Scope scope, Text.Builder out) {
        switch (node) {
            case Node.Data data -> out.append(data.text());
            case Node.Output output -> out.append(Printing.string(run, evaluator.evaluate(output.value(), scope)));
            case Node.If choice -> { return choose(choice, scope, out); }
            case Node.For loop -> { return loop(loop, scope, out, evaluator.evaluate(loop.items(), scope), 1); }
            case Node.Set set -> assign(set.target(), evaluator.evaluate(set.value(), scope), scope);
            case Node.SetBlock set -> {
                var inner = new Scope(scope);
                var flow = capture(set.body(), inner);
                if (flow != Flow.NEXT) return flow;
                assign(set.target(), evaluator.evaluate(set.value(), inner), scope);
            }
            case Node.FilterBlock filter -> {
                var inner = new Scope(scope);
                var flow = capture(filter.body(), inner);
                if (flow != Flow.NEXT) return flow;
                out.append(Printing.string(run, evaluator.evaluate(filter.value(), inner)));
            }
            case Node.With with -> {
                var inner = new Scope(scope);
                for (var set : with.assignments()) assign(set.target(), evaluator.evaluate(set.value(), scope), inner);
                return execute(with.body(), inner, out);
            }
            case Node.Generation generation -> {
                int start = out.chars();
                var flow = execute(generation.body(), new Scope(scope), out);
                if (out == rendered) generations.add(new ChatTemplate.Stretch(start, out.chars()));
                return flow;
            }
            case Node.Macro macro -> scope.set(macro.definition().name(), macro(macro.definition(), scope));
            case Node.CallBlock block -> out.append(Printing.string(run, callBlock(block, scope)));
            case Node.Break _ -> { return Flow.BREAK; }
            case Node.Continue _ -> { return Flow.CONTINUE; }
        }
        return Flow.NEXT;
    }

    private Flow choose(Node.If choice, Scope scope, Text.Builder out) {
        for (var branch : choice.branches()) {
            run.line(branch.line());
            if (evaluator.evaluate(branch.test(), scope).truthy()) return execute(branch.body(), scope, out);
        }
        return execute(choice.otherwise(), scope, out);
    }

    /** Runs a body and leaves what it printed where a filter chain looks for it. */
    private Flow capture(List<Node> body, Scope inner) {
        var captured = new Text.Builder(run);
        var flow = execute(body, inner, captured);
        inner.set(Node.BODY, captured.toText());
        return flow;
    }

    private Flow loop(Node.For node, Scope scope, Text.Builder out, Value iterated, int depth) {
        run.enter();
        var items = chosen(node, scope, Operators.iterate(run, iterated));
        var loop = new Loop(items, depth, (caller, arguments) -> recurse(node, scope, arguments, depth + 1));
        for (var item : items) {
            run.step(2);
            var turn = new Scope(scope);
            assign(node.target(), item, turn);
            loop.next();
            turn.set("loop", loop);
            if (execute(node.body(), turn, out) == Flow.BREAK) break;
        }
        var flow = items.isEmpty() ? execute(node.otherwise(), new Scope(scope), out) : Flow.NEXT;
        run.leave();
        return flow;
    }

    /** The items for which the loop's own condition holds. */
    private List<Value> chosen(Node.For node, Scope scope, List<Value> items) {
        if (node.condition() instanceof Expression.Literal literal && literal.value().truthy()) return items;
        var chosen = new ArrayList<Value>();
        for (var item : items) {
            var turn = new Scope(scope);
            assign(node.target(), item, turn);
            if (evaluator.evaluate(node.condition(), turn).truthy()) chosen.add(item);
        }
        return chosen;
    }

    private Value recurse(Node.For node, Scope scope, Arguments arguments, int depth) {
        if (!node.recursive()) throw run.fail("loop was called, but the for in line %d is not recursive", node.line());
        int line = run.line();
        var printed = new Text.Builder(run);
        loop(node, scope, printed, arguments.bind(run, "loop", "items").get(0), depth);
        run.line(line);
        return printed.toText();
    }

    private void assign(Target target, Value value, Scope scope) {
        switch (target) {
            case Target.Variable variable -> scope.set(variable.name(), value);
            case Target.Member member -> {
                if (!(scope.get(member.object()) instanceof Globals.Namespace namespace)) throw run.fail("'%s' is no namespace, so it has no parts to set", member.object());
                namespace.set(member.name(), value);
            }
            case Target.Several several -> {
                var items = Operators.iterate(run, value);
                if (items.size() != several.targets().size()) throw run.fail("%d values cannot be assigned to %d names", items.size(), several.targets().size());
                for (int i = 0; i < items.size(); i++) assign(several.targets().get(i), items.get(i), scope);
            }
        }
    }

    /** A macro is a function from its arguments to the text that its body prints. It sees the scope that it was defined in. */
    private Callable macro(Definition definition, Scope outer) {
        return (caller, arguments) -> {
            run.enter();
            run.step(4);
            int line = run.line();
            var scope = new Scope(outer);
            bind(definition, arguments, scope);
            var printed = new Text.Builder(run);
            execute(definition.body(), scope, printed);
            run.line(line);
            run.leave();
            return printed.toText();
        };
    }

    private void bind(Definition definition, Arguments arguments, Scope scope) {
        var parameters = definition.parameters();
        var named = new LinkedHashMap<>(arguments.named());
        scope.set("caller", named.getOrDefault("caller", new Value.Undefined("the macro '" + definition.name() + "' was not called by a call block")));
        for (int i = 0; i < parameters.size(); i++) {
            var parameter = parameters.get(i);
            var byName = named.remove(parameter.name());
            if (i < arguments.positional().size()) {
                if (byName != null) throw run.fail("the macro '%s' got its argument %s twice", definition.name(), parameter.name());
                scope.set(parameter.name(), arguments.positional().get(i));
            } else {
                scope.set(parameter.name(), byName != null ? byName : evaluator.evaluate(parameter.defaultValue(), scope));
            }
        }
        named.remove("caller");
        bindRest(definition, arguments, named, scope);
    }

    /** What no parameter took goes to varargs and kwargs where the body uses them, and is an error elsewhere. */
    private void bindRest(Definition definition, Arguments arguments, Map<String, Value> named, Scope scope) {
        int count = Math.min(definition.parameters().size(), arguments.positional().size());
        var rest = arguments.positional().subList(count, arguments.positional().size());
        if (!rest.isEmpty() && !definition.takesVarargs()) {
            throw run.fail("the macro '%s' takes at most %d arguments, not %d", definition.name(), count, arguments.positional().size());
        }
        if (!named.isEmpty() && !definition.takesKwargs()) throw run.fail("the macro '%s' has no parameter %s", definition.name(), named.keySet().iterator().next());
        if (definition.takesVarargs()) scope.set("varargs", new Sequence(Sequence.Kind.TUPLE, List.copyOf(rest)));
        if (definition.takesKwargs()) {
            var entries = new LinkedHashMap<Value, Value>();
            named.forEach((name, value) -> entries.put(Text.untrusted(name), value));
            scope.set("kwargs", new Dict(entries));
        }
    }

    private Value callBlock(Node.CallBlock block, Scope scope) {
        var callee = evaluator.evaluate(block.call().callee(), scope);
        var arguments = evaluator.arguments(block.call().inputs(), scope);
        var named = new LinkedHashMap<>(arguments.named());
        named.put("caller", macro(block.caller(), scope));
        return evaluator.call(callee, new Arguments(arguments.positional(), named));
    }
}
