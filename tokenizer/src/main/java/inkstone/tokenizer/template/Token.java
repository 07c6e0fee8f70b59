package inkstone.tokenizer.template;

/** A piece of a template: text between tags, the bounds of a tag, or a word inside one. {@code text} of a string is its value without quotes. */
record Token(Kind kind, String text, int line) {
    enum Kind { DATA, OUTPUT_BEGIN, OUTPUT_END, BLOCK_BEGIN, BLOCK_END, NAME, STRING, INTEGER, FLOAT, OPERATOR, END }

    boolean isOperator(String operator) { return kind == Kind.OPERATOR && text.equals(operator); }

    boolean isName(String name) { return kind == Kind.NAME && text.equals(name); }

    /** As error messages show it. */
    String found() {
        return switch (kind) {
            case END -> "the end of the template";
            case DATA -> "text";
            case STRING -> "the string '" + (text.length() > 40 ? text.substring(0, 40) + "..." : text) + "'";
            default -> "'" + (text.length() > 40 ? text.substring(0, 40) + "..." : text) + "'";
        };
    }
}
