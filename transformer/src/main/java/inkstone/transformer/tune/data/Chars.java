package inkstone.transformer.tune.data;

import java.io.IOException;
import java.io.Reader;

/** Characters one by one, with the line they are in. */
final class Chars {
    private final Reader in;
    private final char[] buffer = new char[1 << 15];
    private int at, filled;
    private long line = 1;

    Chars(Reader in) { this.in = in; }

    /** The next character, which stays, or -1 at the end. */
    int peek() throws IOException {
        if (at == filled) {
            filled = Math.max(0, in.read(buffer, 0, buffer.length));
            at = 0;
            if (filled == 0) return -1;
        }
        return buffer[at];
    }

    /** The next character, or -1 at the end. */
    int next() throws IOException {
        int c = peek();
        if (c < 0) return c;
        at++;
        if (c == '\n') line++;
        return c;
    }

    /** Of the character that comes next, from 1. */
    long line() { return line; }

    /**
     * The next line without its end (LF or CRLF), or null after the last. Of one that is longer than {@code most}, one character more than that: the rest is passed
     * over and takes no memory.
     */
    String nextLine(int most) throws IOException {
        if (peek() < 0) return null;
        var text = new StringBuilder();
        for (int c = next(); c >= 0 && c != '\n'; c = next()) if (text.length() <= most) text.append((char) c);
        if (!text.isEmpty() && text.charAt(text.length() - 1) == '\r') text.setLength(text.length() - 1);
        return text.toString();
    }
}
