package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.INT;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Tensor;
import inkstone.tensor.cpu.AttentionRows.Cells;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Attention with an online softmax (Milakov & Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135): keys and values pass once in
 * blocks, and no matrix of scores over the whole context is made. A task is a few neighbouring rows of one sequence and the query heads of one key-value head:
 * together the columns of two panel products, scores = queries · keysᵀ and mix += probabilities · values. Where a sequence has few rows, {@link SplitAttention} takes them.
 */
final class CpuAttention {
    /** Positions handled at once, multiples of {@link Panels#ROWS} on every width; where attention is causal a block on the diagonal is half wasted. */
    private static final int CAUSAL_BLOCK = 64, BLOCK = 128;
    /** Columns of a task at most, unless one row alone has more heads on its key-value head. Where all rows see all keys, many share the making of panels if there are enough for all threads. */
    private static final int COLUMNS = 48, MOST_COLUMNS = 192;

    private final Workers workers;
    private final Scratch scratch, shared;

    /** @param shared one block, for what tasks leave to be merged */
    CpuAttention(Workers workers, Scratch scratch, Scratch shared) {
        this.workers = workers;
        this.scratch = scratch;
        this.shared = shared;
    }

    void attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor starts, AttentionShape shape) {
        var first = Indices.of("attention: start", starts, q.shape().dim(0));
        var counts = new int[first.count()];
        var sequences = new int[first.count()];
        for (int row = 0; row < counts.length; row++) {
            sequences[row] = first.at(row);
            counts[row] = row - first.at(row) + 1;
            Indices.check("attention: start", first.at(row), row, row + 1);
        }
        if (!shape.causal()) for (int row = counts.length - 2; row >= 0; row--) if (sequences[row] == sequences[row + 1]) counts[row] = counts[row + 1];
        run(address(y), address(q), new AttentionRows(Cells.of(k), Cells.of(v), null, 1, 0), counts, sequences, Bias.NONE, shape);
    }

    /** Added to the scores of n queries of each sequence with its m keys, F32 [heads, n, m]; a base of 0: nothing. */
    record Bias(long base, int queries, int keys) {
        static final Bias NONE = new Bias(0, 1, 0);

        static Bias of(Tensor bias) { return bias == null ? NONE : new Bias(address(bias), bias.shape().dim(1), bias.shape().dim(2)); }

        /** Address of what a row of q is given from key {@code from} of its sequence on, or 0. */
        long at(int head, int row, int from) { return base == 0 ? 0 : base + 4 * (((long) head * queries + row % queries) * keys + from); }
    }

    void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        int rows = q.shape().dim(0), keys = k.shape().dim(0) / sequences;
        var lengthOf = lengths(lengths, sequences, keys);
        var counts = new int[rows];
        var first = new int[rows];
        for (int row = 0; row < rows; row++) {
            int sequence = row / (rows / sequences);
            counts[row] = lengthOf[sequence];
            first[row] = sequence * keys;
        }
        run(address(y), address(q), new AttentionRows(Cells.of(k), Cells.of(v), null, 1, 0), counts, first, Bias.of(bias), shape);
    }

    /** How many keys of each sequence count; {@code lengths} may be null, for all. */
    static int[] lengths(Tensor lengths, int sequences, int keys) {
        var lengthOf = new int[sequences];
        Arrays.fill(lengthOf, keys);
        for (int i = 0; lengths != null && i < sequences; i++) {
            lengthOf[i] = MEMORY.get(INT, address(lengths) + 4L * i);
            Indices.check("crossAttention: length - 1", lengthOf[i] - 1, i, keys);
        }
        return lengthOf;
    }

    void pagedAttention(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape shape) {
        int pageSize = keys.shape().dim(1), maxPages = pageTable.shape().last();
        var position = Indices.of("pagedAttention: position", positions, (int) Math.min(Integer.MAX_VALUE, (long) maxPages * pageSize));
        var sequence = Indices.of("pagedAttention: sequence", sequences, pageTable.shape().dim(0));
        var counts = new int[position.count()];
        var lines = new int[position.count()];
        for (int row = 0; row < counts.length; row++) {
            counts[row] = position.at(row) + 1;
            lines[row] = sequence.at(row);
        }
        var table = pages(pageTable, counts, lines, pageSize, keys.shape().dim(0));
        run(address(y), address(q), new AttentionRows(Cells.of(keys), Cells.of(values), table, pageSize, maxPages), counts, lines, Bias.NONE, shape);
    }

    /** The page table, of which only what rows of this call reach need be valid. */
    private static int[] pages(Tensor pageTable, int[] counts, int[] lines, int pageSize, int pages) {
        int maxPages = pageTable.shape().last();
        var table = new int[Math.toIntExact(pageTable.shape().elements())];
        MemorySegment.copy(pageTable.data(), Lanes.INT, 0, table, 0, table.length);
        var needed = new int[pageTable.shape().dim(0)];
        for (int row = 0; row < counts.length; row++) needed[lines[row]] = Math.max(needed[lines[row]], Math.ceilDiv(counts[row], pageSize));
        for (int line = 0; line < needed.length; line++) {
            for (int i = 0; i < needed[line]; i++) {
                int page = table[line * maxPages + i];
                if (page < 0 || page >= pages) throw new IllegalArgumentException("pagedAttention: page %d of sequence %d, expected 0 to %d".formatted(page, line, pages - 1));
            }
        }
        return table;
    }

    /** @param counts how many positions each row attends; @param sequences the page-table line, or first key, of each row's sequence */
    private void run(long y, long q, AttentionRows keys, int[] counts, int[] sequences, Bias bias, AttentionShape shape) {
        int group = shape.heads() / shape.kvHeads(), count = 0;
        long share = (long) counts.length * shape.heads() / (4L * workers.threads());
        int rows = Math.max(1, (shape.causal() ? COLUMNS : (int) Math.clamp(share / Panels.COLUMNS * Panels.COLUMNS, COLUMNS, MOST_COLUMNS)) / group);
        var few = new SplitAttention(shape, keys, counts, sequences);
        var starts = new int[counts.length];                                          // of chunks for panels
        var ends = new int[counts.length];
        for (int first = 0, end; first < counts.length; first = end) {
            for (end = first + 1; end < counts.length && sequences[end] == sequences[first]; ) end++;
            if (end - first <= SplitAttention.MOST_ROWS && bias == Bias.NONE) {
                few.add(first, end);
                continue;
            }
            for (int row = first; row < end; row += rows) {
                starts[count] = row;
                ends[count++] = Math.min(end, row + rows);
            }
        }
        int chunks = count, panelTasks = chunks * shape.kvHeads(), tasks = panelTasks + few.plan(workers.threads());
        var layout = Layout.of(Math.min(rows, counts.length) * group, shape);
        scratch.reserve(Math.max(chunks == 0 ? 1 : layout.bytes(), few.scratchBytes()));
        shared.reserve(few.sharedBytes());
        few.shared(shared.of(0));
        workers.run(tasks, (worker, task) -> {
            if (task >= panelTasks) {
                few.run(task - panelTasks, q, scratch.of(worker), scratch.lanes(worker));
                return;
            }
            // the longest rows first, so that none is left for the end
            int chunk = chunks - 1 - task / shape.kvHeads(), keyHead = task % shape.kvHeads();
            attend(y, q, keys, counts, sequences[starts[chunk]], new Columns(shape, bias, keyHead, group, starts[chunk], ends[chunk]),
                layout.at(scratch.of(worker), scratch.lanes(worker)));
        });
        workers.split(few.results(), few.mergeGrain(), (worker, from, to) -> few.merge(y, from, to));
    }

    /** The query vectors of one task: column c is row first + c / group, head keyHead · group + c % group. */
    private record Columns(AttentionShape shape, Bias bias, int keyHead, int group, int first, int end) {
        int count() { return (end - first) * group; }
        int row(int column) { return first + column / group; }
        int head(int column) { return keyHead * group + column % group; }
        /** Address of what is added to its scores from position {@code from} on, or 0. */
        long bias(int column, int from) { return bias == Bias.NONE ? 0 : bias.at(head(column), row(column), from); }
        /** Byte offset in q. */
        long query(int column) { return 4L * ((long) row(column) * shape.queryDim() + (long) head(column) * shape.headDim()); }
        /** Byte offset in y. */
        long output(int column) { return 4L * ((long) row(column) * shape.outputDim() + (long) head(column) * shape.valueHeadDim()); }
    }

    /** A worker's scratch: whole tiles of columns, so that products need no cases for their edges. */
    private record Layout(int columns, int block, int headDim, int valueHeadDim, long base, long lanes) {
        static Layout of(int columns, AttentionShape shape) {
            return new Layout(Math.ceilDiv(columns, Panels.COLUMNS) * Panels.COLUMNS, shape.causal() ? CAUSAL_BLOCK : BLOCK, shape.headDim(), shape.valueHeadDim(), 0, 0);
        }
        Layout at(long base, long lanes) { return new Layout(columns, block, headDim, valueHeadDim, base, lanes); }

        int valuePanels() { return Math.ceilDiv(valueHeadDim, Panels.ROWS); }
        long keyStride() { return 4L * headDim; }
        long mixStride() { return valuePanels() * Panels.STEP; }
        long scoreStride() { return 4L * block; }
        long keyPanel() { return headDim * Panels.STEP; }
        long valuePanel() { return block * Panels.STEP; }

        long queries() { return base; }
        long scores() { return queries() + Scratch.lines((long) columns * headDim); }
        long mix() { return scores() + columns * scoreStride(); }
        long largest() { return mix() + columns * mixStride(); }
        long sums() { return largest() + Scratch.lines(columns); }
        long zeros() { return sums() + Scratch.lines(columns); }
        long rows() { return zeros() + Panels.STEP; }
        long panels() { return rows() + Scratch.lines((long) block * Math.max(headDim, valueHeadDim)); }
        long bytes() { return panels() + Math.max(block / Panels.ROWS * keyPanel(), valuePanels() * valuePanel()) - base; }
    }

    private static void attend(long y, long q, AttentionRows keys, int[] counts, int sequence, Columns columns, Layout s) {
        var shape = columns.shape;
        long sinks = shape.sinks() == null ? 0 : address(shape.sinks());
        int first = Integer.MAX_VALUE, most = 0;
        for (int c = 0; c < columns.count(); c++) {
            int count = counts[columns.row(c)];
            CpuActivations.scale(s.queries() + c * s.keyStride(), q + columns.query(c), shape.scale(), s.headDim());
            // a sink is a position seen before all others: it has a score and adds nothing to the mix
            MEMORY.set(FLOAT, s.largest() + 4L * c, sinks == 0 ? Float.NEGATIVE_INFINITY : MEMORY.get(FLOAT, sinks + 4L * columns.head(c)));
            MEMORY.set(FLOAT, s.sums() + 4L * c, sinks == 0 ? 0 : 1);
            first = Math.min(first, shape.firstSeen(count));
            most = Math.max(most, count);
        }
        MEMORY.asSlice(s.mix(), columns.count() * s.mixStride()).fill((byte) 0);
        MEMORY.asSlice(s.zeros(), Panels.STEP).fill((byte) 0);
        // blocks begin at multiples of their length whatever the window, so that a row's sums do not depend on its neighbours
        for (int from = first / s.block() * s.block(); from < most; from += s.block()) {
            int length = Math.min(s.block(), most - from);
            scores(keys, sequence, from, length, columns, s);
            for (int c = 0; c < columns.count(); c++) {
                int count = counts[columns.row(c)];
                weigh(s, c, Math.clamp(shape.firstSeen(count) - from, 0, length), Math.clamp(count - from, 0, length), length, shape.softCap(), columns.bias(c, from));
            }
            mix(keys, sequence, from, length, columns, s);
        }
        for (int c = 0; c < columns.count(); c++) {
            CpuActivations.scale(y + columns.output(c), s.mix() + c * s.mixStride(), 1 / MEMORY.get(FLOAT, s.sums() + 4L * c), s.valueHeadDim());
        }
    }

    /** scores[c][i] = query c · key from + i. */
    private static void scores(AttentionRows keys, int sequence, int from, int length, Columns columns, Layout s) {
        long rows = rows(keys, keys.keys(), sequence, from, length, columns.keyHead, s.headDim(), s), stride = stride(keys, keys.keys(), from, length, s.headDim());
        for (int i = 0; i < length; i += Panels.ROWS) {
            Panels.transpose(s.panels(), rows + i * stride, stride, Math.min(Panels.ROWS, length - i), s.headDim());
            for (int c = 0; c < columns.count(); c += Panels.COLUMNS) {
                long to = s.scores() + c * s.scoreStride() + 4L * i;
                Panels.tile(to, s.scoreStride(), s.zeros(), 0, s.panels(), s.queries() + c * s.keyStride(), s.keyStride(), 4, s.headDim());
            }
        }
    }

    /** Where the keys or values of some positions lie as floats, a {@link #stride} apart: where they are, or else in scratch. */
    private static long rows(AttentionRows keys, Cells cells, int sequence, int from, int length, int head, int dims, Layout s) {
        if (keys.inPlace(cells, from, length)) return keys.at(cells, sequence, from, head, dims);
        keys.gather(cells, sequence, from, length, head, 1, dims, dims, s.rows(), s.lanes());
        return s.rows();
    }

    private static long stride(AttentionRows keys, Cells cells, int from, int length, int dims) { return keys.inPlace(cells, from, length) ? cells.rowBytes() : 4L * dims; }

    /**
     * Scores of column c become probabilities relative to the largest score so far; what was mixed before is scaled to it.
     * What scratch has for rows is free by now. Only the positions {@code first} to {@code end - 1} of the block are seen.
     *
     * @param bias of all positions of the block, or 0
     */
    private static void weigh(Layout s, int c, int first, int end, int length, float softCap, long bias) {
        long scores = s.scores() + c * s.scoreStride(), seen = scores + 4L * first, largest = s.largest() + 4L * c, sum = s.sums() + 4L * c;
        if (first > 0) MEMORY.asSlice(scores, 4L * Math.min(first, end)).fill((byte) 0);
        if (end < length) MEMORY.asSlice(scores + 4L * end, 4L * (length - end)).fill((byte) 0);
        if (first >= end) return;
        if (softCap != 0) {
            CpuActivations.softCap(s.rows(), seen, end - first, softCap, s.lanes());
            MEMORY.asSlice(seen, 4L * (end - first)).copyFrom(MEMORY.asSlice(s.rows(), 4L * (end - first)));
        }
        if (bias != 0) CpuRows.add(seen, seen, bias + 4L * first, end - first);
        float before = MEMORY.get(FLOAT, largest), now = RowTiles.largest(before, seen, end - first, s.lanes());
        float correction = before == now ? 1 : Exponential.exp(before - now), added = Exponential.exp(seen, seen, end - first, 1, now, s.lanes());
        MEMORY.set(FLOAT, largest, now);
        MEMORY.set(FLOAT, sum, MEMORY.get(FLOAT, sum) * correction + added);
        if (correction != 1) CpuActivations.scale(s.mix() + c * s.mixStride(), s.mix() + c * s.mixStride(), correction, s.valueHeadDim());
    }

    /** mix[c] += sum over i of probabilities[c][i] · value from + i */
    private static void mix(AttentionRows keys, int sequence, int from, int length, Columns columns, Layout s) {
        long rows = rows(keys, keys.values(), sequence, from, length, columns.keyHead, s.valueHeadDim(), s), stride = stride(keys, keys.values(), from, length, s.valueHeadDim());
        for (int p = 0; p < s.valuePanels(); p++) {
            int d = p * Panels.ROWS;
            Panels.slice(s.panels(), rows + 4L * d, stride, Math.min(Panels.ROWS, s.valueHeadDim() - d), length);
            for (int c = 0; c < columns.count(); c += Panels.COLUMNS) {
                long to = s.mix() + c * s.mixStride() + p * Panels.STEP;
                Panels.tile(to, s.mixStride(), to, s.mixStride(), s.panels(), s.scores() + c * s.scoreStride(), s.scoreStride(), 4, length);
            }
        }
    }
}
