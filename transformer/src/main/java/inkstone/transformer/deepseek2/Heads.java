package inkstone.transformer.deepseek2;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * Where each row of [n · heads, ..], the heads of n tokens, comes from: tables that are made for many tokens at once, so that a step uploads none. Longer ones are made when they are
 * needed; the shorter ones stay, because recorded steps use them. Any thread.
 */
final class Heads {
    /** Tokens of the first tables: as many as a step of prompts has. */
    private static final int USUAL = 256;

    /**
     * @param head  I32 [n · heads]: which head it is, what {@link Tensor#expertLinear} takes for a matrix to each head
     * @param token I32 [n · heads]: which of the n rows it is of
     */
    record Rows(Tensor head, Tensor token) {}

    private final Backend backend;
    private final int heads;
    /** Each longer than the one before. */
    private final List<Rows> tables = new ArrayList<>();

    Heads(Backend backend, int heads) {
        this.backend = backend;
        this.heads = heads;
        of(USUAL);
    }

    synchronized Rows of(int tokens) {
        int rows = Math.multiplyExact(tokens, heads);
        if (tables.isEmpty() || tables.getLast().head.shape().dim(0) < rows) tables.add(made(tables.isEmpty() ? rows : Math.max(rows, Math.multiplyExact(2, tables.getLast().head.shape().dim(0)))));
        for (var table : tables) if (table.head.shape().dim(0) >= rows) return new Rows(table.head.rows(0, rows), table.token.rows(0, rows));
        throw new AssertionError("the last table is the longest");
    }

    private Rows made(int rows) {
        int[] head = new int[rows], token = new int[rows];
        for (int i = 0; i < rows; i++) {
            head[i] = i % heads;
            token[i] = i / heads;
        }
        return new Rows(resident(head), resident(token));
    }

    private Tensor resident(int[] values) { return Tensor.of(DType.I32, backend.resident(Arena.ofAuto().allocateFrom(ValueLayout.JAVA_INT, values)), values.length); }
}
