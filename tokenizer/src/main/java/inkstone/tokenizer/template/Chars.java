package inkstone.tokenizer.template;

/** Python's classes of characters, where they differ from Java's. */
final class Chars {
    private Chars() {}

    /** str.isspace for one character. */
    static boolean isSpace(int c) {
        return c == ' ' || c >= 0x09 && c <= 0x0d || c >= 0x1c && c <= 0x1f || c == 0x85 || c == 0xa0 || c > 0xff && Character.isSpaceChar(c);
    }

    /** Where str.splitlines cuts. */
    static boolean isLineBreak(int c) {
        return c >= 0x0a && c <= 0x0d || c >= 0x1c && c <= 0x1e || c == 0x85 || c == 0x2028 || c == 0x2029;
    }

    /** Whether repr shows the character as it is. */
    static boolean isPrintable(int c) {
        return c == ' ' || switch (Character.getType(c)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.PRIVATE_USE, Character.UNASSIGNED, Character.LINE_SEPARATOR,
                 Character.PARAGRAPH_SEPARATOR, Character.SPACE_SEPARATOR -> false;
            default -> true;
        };
    }

    static boolean isCased(int c) { return Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c); }

    static boolean isWord(int c) { return c == '_' || Character.isLetterOrDigit(c) || isNumeric(c); }

    static boolean isNumeric(int c) {
        int type = Character.getType(c);
        return type == Character.DECIMAL_DIGIT_NUMBER || type == Character.LETTER_NUMBER || type == Character.OTHER_NUMBER;
    }

    /** The first position from {@code at} on that is no white space. */
    static int skipSpace(String text, int at) {
        while (at < text.length() && isSpace(text.charAt(at))) at++;
        return at;
    }

    /** The last position up to {@code end} with no white space before it. */
    static int trimEnd(String text, int end) {
        while (end > 0 && isSpace(text.charAt(end - 1))) end--;
        return end;
    }
}
