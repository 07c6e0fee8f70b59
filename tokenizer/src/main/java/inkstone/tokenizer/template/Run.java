package inkstone.tokenizer.template;

import java.time.Clock;

/**
 * One rendering of a template: its limits, its clock and the line it is at. Templates come with model files, so they are as little trusted
 * as any download: work is counted before it is done, and a template that asks for too much ends with a message, not with a dead process.
 * Belongs to one thread.
 */
final class Run {
    /**
     * Evaluated nodes, list items, and pieces of 32 copied characters. A hundred messages of 2,400 characters take 20,000 to 140,000 steps in
     * known templates, and 700,000 in the one that adds all messages up in a string; five million take about half a second.
     */
    static final long MAX_STEPS = 5_000_000;
    /** Characters in one string and in the whole prompt: about four million tokens. */
    static final int MAX_CHARS = 16 << 20;
    static final int MAX_ITEMS = 1_000_000;
    /** The longest range(), as in Jinja's own sandbox. */
    static final int MAX_RANGE = 100_000;
    /** Nested expressions, blocks, macros and values; the stack of a 512 KiB thread holds them with room to spare. */
    static final int MAX_DEPTH = 400;
    /** Bits of an integer: 4,300 decimal digits, where Python stops printing. */
    static final int MAX_BITS = 14_284;

    private final Clock clock;
    private long steps;
    private int depth;
    private int line = 1;

    Run(Clock clock) { this.clock = clock; }

    Clock clock() { return clock; }

    int line() { return line; }

    void line(int line) { this.line = line; }

    void step(long count) {
        steps += count;
        if (steps > MAX_STEPS || count < 0) throw fail("it takes more than %,d steps", MAX_STEPS);
    }

    /** Asks for {@code added} more characters in a text that will then have {@code total}. */
    void chars(long total, long added) {
        if (total > MAX_CHARS) throw fail("a text would be longer than %,d characters", MAX_CHARS);
        step(1 + added / 32);
    }

    void items(long count) {
        if (count > MAX_ITEMS) throw fail("a list would have more than %,d items", MAX_ITEMS);
        step(1 + count);
    }

    void enter() {
        if (++depth > MAX_DEPTH) throw fail("expressions, macros or values are nested deeper than %d levels", MAX_DEPTH);
        step(1);
    }

    void leave() { depth--; }

    /** The error that ends this rendering, to be thrown. */
    IllegalArgumentException fail(String reason, Object... values) {
        return new IllegalArgumentException("the chat template cannot be rendered: %s, line %d".formatted(reason.formatted(values), line));
    }
}
