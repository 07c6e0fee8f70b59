package inkstone.tokenizer;

import java.util.ArrayList;
import java.util.List;

/**
 * Text that remembers which characters came from outside. Special tokens are recognised only where the text is trusted, so a user who
 * types {@code <|im_end|>} sends those ten characters, not the end of a message.
 */
public record MarkedText(List<Span> spans) {
    /** @param trusted whether special tokens may be read in this text: true for a template's own text, false for messages */
    public record Span(String text, boolean trusted) {}

    public MarkedText { spans = List.copyOf(spans); }

    public static MarkedText trusted(String text) { return new MarkedText(List.of(new Span(text, true))); }
    public static MarkedText untrusted(String text) { return new MarkedText(List.of(new Span(text, false))); }

    /** The whole text without its marks. */
    public String text() {
        var builder = new StringBuilder();
        for (var span : spans) builder.append(span.text());
        return builder.toString();
    }

    /** This text and, after it, one from outside. */
    public MarkedText then(String untrusted) {
        var longer = new ArrayList<>(spans);
        longer.add(new Span(untrusted, false));
        return new MarkedText(longer);
    }

    /** The characters from {@code from} up to {@code to}, with their marks. */
    public MarkedText slice(int from, int to) {
        var inside = new ArrayList<Span>();
        int start = 0;
        for (var span : spans) {
            int end = start + span.text().length(), first = Math.max(from, start), last = Math.min(to, end);
            if (first < last) inside.add(new Span(span.text().substring(first - start, last - start), span.trusted()));
            start = end;
        }
        return new MarkedText(inside);
    }

    /** Neighbouring spans of equal trust joined, empty ones dropped. */
    public MarkedText joined() {
        var joined = new ArrayList<Span>();
        for (var span : spans) {
            if (span.text().isEmpty()) continue;
            if (!joined.isEmpty() && joined.getLast().trusted() == span.trusted()) {
                joined.set(joined.size() - 1, new Span(joined.getLast().text() + span.text(), span.trusted()));
            } else {
                joined.add(span);
            }
        }
        return new MarkedText(joined);
    }
}
