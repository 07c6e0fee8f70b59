package inkstone.tokenizer.template;

import inkstone.tokenizer.template.Value.Undefined;
import java.util.HashMap;
import java.util.Map;

/** The variables of a template, loop turn, macro or block; what is not found here is looked up outside. Assignments never reach outside. */
final class Scope {
    private final Scope outer;
    private final Map<String, Value> variables = new HashMap<>();

    Scope(Scope outer) { this.outer = outer; }

    /** The outermost scope, with what a rendering starts from. */
    Scope(Map<String, ? extends Value> variables) {
        this.outer = null;
        this.variables.putAll(variables);
    }

    void set(String name, Value value) { variables.put(name, value); }

    Value get(String name) {
        for (var scope = this; scope != null; scope = scope.outer) {
            var value = scope.variables.get(name);
            if (value != null) return value;
        }
        return new Undefined("'" + name + "' is undefined");
    }
}
