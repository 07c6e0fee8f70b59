package inkstone.tokenizer.template;

import inkstone.tokenizer.template.Expression.Input;
import inkstone.tokenizer.template.Value.Bool;
import inkstone.tokenizer.template.Value.Callable;
import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Sequence;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Computes expressions. Every one costs a step, and their nesting is limited together with that of blocks and macros. */
final class Evaluator {
    private final Run run;

    Evaluator(Run run) { this.run = run; }

    Value evaluate(Expression expression, Scope scope) {
        run.enter();
        var value = switch (expression) {
            case Expression.Literal literal -> literal.value();
            case Expression.Name name -> scope.get(name.name());
            case Expression.Attribute attribute -> Operators.attribute(run, evaluate(attribute.object(), scope), attribute.name());
            case Expression.Item item -> Operators.item(run, evaluate(item.object(), scope), evaluate(item.key(), scope));
            case Expression.Slice slice -> slice(slice, scope);
            case Expression.Call call -> call(call, scope);
            case Expression.Filter filter -> {
                var subject = evaluate(filter.subject(), scope);
                yield Filters.apply(run, filter.name(), subject, arguments(filter.inputs(), scope));
            }
            case Expression.Test test -> Bool.of(test(test, scope));
            case Expression.Arithmetic sum -> Operators.arithmetic(run, sum.operator(), evaluate(sum.left(), scope), evaluate(sum.right(), scope));
            case Expression.Negate negate -> Numbers.negate(Operators.numeric(run, "-", evaluate(negate.operand(), scope)));
            case Expression.Plus plus -> Numbers.plus(Operators.numeric(run, "+", evaluate(plus.operand(), scope)));
            case Expression.Concat concat -> concat(concat.parts(), scope);
            case Expression.Comparison comparison -> compare(comparison, scope);
            case Expression.And and -> {
                var left = evaluate(and.left(), scope);
                yield left.truthy() ? evaluate(and.right(), scope) : left;
            }
            case Expression.Or or -> {
                var left = evaluate(or.left(), scope);
                yield left.truthy() ? left : evaluate(or.right(), scope);
            }
            case Expression.Not not -> Bool.of(!evaluate(not.operand(), scope).truthy());
            case Expression.Conditional choice -> evaluate(evaluate(choice.test(), scope).truthy() ? choice.then() : choice.otherwise(), scope);
            case Expression.ListLiteral list -> Sequence.list(all(list.items(), scope));
            case Expression.TupleLiteral tuple -> new Sequence(Sequence.Kind.TUPLE, all(tuple.items(), scope));
            case Expression.DictLiteral dict -> dict(dict, scope);
        };
        run.leave();
        return value;
    }

    private List<Value> all(List<Expression> expressions, Scope scope) {
        var values = new ArrayList<Value>(expressions.size());
        for (var expression : expressions) values.add(evaluate(expression, scope));
        return values;
    }

    private Value dict(Expression.DictLiteral literal, Scope scope) {
        var entries = new LinkedHashMap<Value, Value>();
        for (var entry : literal.entries()) {
            var key = Operators.key(run, evaluate(entry.key(), scope));
            entries.put(key, evaluate(entry.value(), scope));
        }
        return new Dict(entries);
    }

    private Value slice(Expression.Slice slice, Scope scope) {
        var object = evaluate(slice.object(), scope);
        return Operators.slice(run, object, evaluate(slice.start(), scope), evaluate(slice.stop(), scope), evaluate(slice.step(), scope));
    }

    private boolean test(Expression.Test test, Scope scope) {
        var subject = evaluate(test.subject(), scope);
        return Tests.holds(run, test.name(), subject, arguments(test.inputs(), scope));
    }

    private Value concat(List<Expression> parts, Scope scope) {
        var out = new Text.Builder(run);
        for (var part : parts) out.append(Printing.string(run, evaluate(part, scope)));
        return out.toText();
    }

    private Value compare(Expression.Comparison comparison, Scope scope) {
        var left = evaluate(comparison.first(), scope);
        for (var step : comparison.steps()) {
            var right = evaluate(step.operand(), scope);
            if (!Operators.compares(run, step.operator(), left, right)) return Bool.FALSE;
            left = right;
        }
        return Bool.TRUE;
    }

    private Value call(Expression.Call call, Scope scope) {
        var callee = evaluate(call.callee(), scope);
        return call(callee, arguments(call.inputs(), scope));
    }

    Value call(Value callee, Arguments arguments) {
        if (callee instanceof Callable function) return function.call(run, arguments);
        Operators.refuseUndefined(run, callee);
        throw run.fail("a %s cannot be called", callee.type());
    }

    Arguments arguments(List<Input> inputs, Scope scope) {
        if (inputs.isEmpty()) return Arguments.NONE;
        var positional = new ArrayList<Value>(inputs.size());
        Map<String, Value> named = inputs.getLast().kind() == Input.Kind.POSITIONAL ? Map.of() : new LinkedHashMap<>();
        for (var input : inputs) {
            var value = evaluate(input.value(), scope);
            switch (input.kind()) {
                case POSITIONAL -> positional.add(value);
                case NAMED -> name(named, input.name(), value);
                case LIST -> {
                    var items = Operators.iterate(run, value);
                    run.items((long) positional.size() + items.size());
                    positional.addAll(items);
                }
                case DICT -> {
                    if (!(value instanceof Dict dict)) throw run.fail("'**' needs a dictionary, not %s", value.type());
                    run.items(dict.entries().size());
                    dict.entries().forEach((key, given) -> name(named, Printing.string(run, key).chars(), given));
                }
            }
        }
        return new Arguments(positional, named);
    }

    private void name(Map<String, Value> named, String name, Value value) {
        if (named.put(name, value) != null) throw run.fail("the argument %s was given twice", name);
    }
}
