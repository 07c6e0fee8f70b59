package inkstone.tokenizer.template;

import java.util.List;

/** A template's text and statements, parsed; {@code line} is where each begins. */
sealed interface Node {
    /** The name under which a filter chain around a block finds what the block printed; no template can write it. */
    String BODY = "(body)";

    int line();

    record Data(int line, Text text) implements Node {}
    record Output(int line, Expression value) implements Node {}
    record If(int line, List<Branch> branches, List<Node> otherwise) implements Node {}
    record Branch(int line, Expression test, List<Node> body) {}
    /** {@code condition} is the loop's own {@code if}. */
    record For(int line, Target target, Expression items, Expression condition, boolean recursive, List<Node> body, List<Node> otherwise) implements Node {}
    record Set(int line, Target target, Expression value) implements Node {}
    /** {@code value} is the filter chain over {@link #BODY}. */
    record SetBlock(int line, Target target, Expression value, List<Node> body) implements Node {}
    record FilterBlock(int line, Expression value, List<Node> body) implements Node {}
    record With(int line, List<Set> assignments, List<Node> body) implements Node {}
    /** Hugging Face's block around what the assistant wrote: a scope of its own whose place in the text is remembered. */
    record Generation(int line, List<Node> body) implements Node {}
    record Macro(int line, Definition definition) implements Node {}
    record CallBlock(int line, Expression.Call call, Definition caller) implements Node {}
    record Break(int line) implements Node {}
    record Continue(int line) implements Node {}

    record Definition(String name, List<Parameter> parameters, boolean takesVarargs, boolean takesKwargs, List<Node> body) {}
    /** A parameter without default is {@link Value.Undefined} when not given. */
    record Parameter(String name, Expression defaultValue) {}

    /** What can stand on the left of an assignment. */
    sealed interface Target {
        record Variable(String name) implements Target {}
        record Member(String object, String name) implements Target {}
        record Several(List<Target> targets) implements Target {}
    }
}
