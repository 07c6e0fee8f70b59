package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Tensor;
import inkstone.tensor.cpu.CpuAttention.Bias;
import inkstone.tensor.cpu.PanelProduct.Columns;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import jdk.incubator.vector.FloatVector;

/**
 * Gradients of attention without a matrix of scores in memory (Dao et al. 2022, arXiv:2205.14135, appendix B). A first pass finds the logarithm of each row's sum of
 * exponentials; then blocks of {@link #KEYS} positions meet blocks of {@link #ROWS} queries, whose probabilities are computed once more, and five products of panels carry
 * the gradient on. A task has some keys of one sequence and key head, for all query heads and rows that see them: so dk and dv belong to one task alone. dq of tasks with
 * later keys lies apart until all are added in order; how keys are shared out depends on the sequence's length alone.
 */
final class CpuAttentionGradients {
    /** Positions and queries handled at once; multiples of whole panels and of whole tiles. */
    private static final int KEYS = 128, ROWS = 16 * Panels.COLUMNS;
    /** Rows of the sums of dk and dv: whole tiles. */
    private static final int SUMS = Math.ceilDiv(KEYS, Panels.COLUMNS) * Panels.COLUMNS;
    /** Keys of a task at least, and tasks along a sequence at most, each of which has its own dq. */
    private static final int SPAN = 512, SPANS = 4;

    private final Workers workers;
    private final Scratch scratch, shared;

    /** @param shared one block, for what all tasks read and for dq that is still to be added */
    CpuAttentionGradients(Workers workers, Scratch scratch, Scratch shared) {
        this.workers = workers;
        this.scratch = scratch;
        this.shared = shared;
    }

    /** Addresses of one call, 0 where no gradient is wanted. */
    private record Call(long dq, long dk, long dv, long dy, long q, long k, long v, long y, int n, AttentionShape shape, long sinks, Bias bias, long logSums, long shares) {
        int group() { return shape.heads() / shape.kvHeads(); }
        long queryStride() { return 4L * shape.queryDim(); }
        long keyStride() { return 4L * shape.keyDim(); }
        long valueStride() { return 4L * shape.valueDim(); }
        long outputStride() { return 4L * shape.outputDim(); }
        /** Byte offsets of a row of one head. */
        long query(int row, int head) { return row * queryStride() + 4L * head * shape.headDim(); }
        long key(int row, int head) { return row * keyStride() + 4L * head * shape.headDim(); }
        long value(int row, int head) { return row * valueStride() + 4L * head * shape.valueHeadDim(); }
        long output(int row, int head) { return row * outputStride() + 4L * head * shape.valueHeadDim(); }
        float logSum(int row, int head) { return MEMORY.get(FLOAT, logSums + 4L * ((long) head * n + row)); }
        float share(int row, int head) { return MEMORY.get(FLOAT, shares + 4L * ((long) head * n + row)); }
    }

    /** {@code rows} rows of the batch from {@code start} on and the {@code keys} keys from {@code key} on that they attend; the same rows where attention is causal. */
    private record Sequence(int start, int rows, int key, int keys) {
        int end() { return start + rows; }
        /** Keys in a task. */
        int span() { return Math.max(SPAN, Math.ceilDiv(Math.ceilDiv(keys, SPANS), KEYS) * KEYS); }
    }

    /** Keys at positions {@code from} to {@code to - 1}; {@code dq} is where the rows' gradients lie that are added later, or 0. */
    private record Task(Sequence sequence, int keyHead, int from, int to, long dq) {
        /** What it takes, nearly. */
        long work(AttentionShape shape) { return (long) (to - from) * (shape.causal() ? sequence.rows - (from + to) / 2 : sequence.rows); }
    }

    void attention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, Tensor starts, AttentionShape shape) {
        run(dq, dk, dv, dy, q, k, v, y, sequences(starts, q.shape().dim(0)), Bias.NONE, shape);
    }

    void crossAttention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        int rows = q.shape().dim(0) / sequences, keys = k.shape().dim(0) / sequences;
        var lengthOf = CpuAttention.lengths(lengths, sequences, keys);
        var list = new ArrayList<Sequence>();
        for (int i = 0; i < sequences; i++) list.add(new Sequence(i * rows, rows, i * keys, lengthOf[i]));
        run(dq, dk, dv, dy, q, k, v, y, list, Bias.of(bias), shape);
    }

    private void run(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, List<Sequence> sequences, Bias bias, AttentionShape shape) {
        int n = q.shape().dim(0);
        long perRow = Scratch.lines((long) n * shape.heads()), apart = dq == null ? 0 : apart(sequences, shape);
        shared.reserve(2 * perRow + apart);
        scratch.reserve(Layout.of(shape, 0, 0).bytes());
        var call = new Call(dq == null ? 0 : address(dq), dk == null ? 0 : address(dk), dv == null ? 0 : address(dv), address(dy), address(q), address(k), address(v), address(y), n, shape,
            shape.sinks() == null ? 0 : address(shape.sinks()), bias, shared.of(0), shared.of(0) + perRow);
        logSums(call, sequences);
        shares(call);
        var tasks = tasks(call, sequences, shared.of(0) + 2 * perRow);
        workers.run(tasks.size(), (worker, i) -> run(call, tasks.get(i), Layout.of(shape, scratch.of(worker), scratch.lanes(worker))));
        if (apart > 0) gather(call, tasks);
    }

    private static List<Sequence> sequences(Tensor starts, int n) {
        var first = Indices.of("attention: start", starts, Math.max(1, n));
        var sequences = new ArrayList<Sequence>();
        for (int row = 0, end; row < n; row = end) {
            if (first.at(row) != row) throw new IllegalArgumentException("attention: row %d begins at %d, expected the sequence of the row before or itself".formatted(row, first.at(row)));
            for (end = row + 1; end < n && first.at(end) == row; ) end++;
            sequences.add(new Sequence(row, end - row, row, end - row));
        }
        return sequences;
    }

    /** Bytes of dq of all tasks but the first of each sequence. */
    private static long apart(List<Sequence> sequences, AttentionShape shape) {
        long floats = 0;
        for (var s : sequences) for (int from = s.span(); from < s.keys; from += s.span()) floats += (long) rowsFrom(s, from, shape) * shape.queryDim();
        return 4 * floats;
    }

    /** Rows that see keys from this position on. */
    private static int rowsFrom(Sequence s, int from, AttentionShape shape) { return shape.causal() ? s.rows - from : s.rows; }

    /** The largest first, so that none is left for the end. */
    private static List<Task> tasks(Call call, List<Sequence> sequences, long apart) {
        var shape = call.shape;
        var tasks = new ArrayList<Task>();
        for (var s : sequences) {
            for (int from = 0; from < s.keys; from += s.span()) {
                for (int head = 0; head < shape.kvHeads(); head++) tasks.add(new Task(s, head, from, Math.min(s.keys, from + s.span()), from == 0 || call.dq == 0 ? 0 : apart));
                if (from > 0) apart += 4L * rowsFrom(s, from, shape) * shape.queryDim();
            }
        }
        tasks.sort(Comparator.comparingLong((Task t) -> t.work(shape)).reversed());
        return tasks;
    }

    /** Adds what lies apart, keys in order. */
    private void gather(Call call, List<Task> tasks) {
        var late = tasks.stream().filter(t -> t.dq != 0 && t.keyHead == 0).sorted(Comparator.comparingInt((Task t) -> t.sequence.start).thenComparingInt(Task::from)).toList();
        for (var task : late) {
            int rows = rowsFrom(task.sequence, task.from, call.shape), width = call.shape.queryDim();
            long to = call.dq + (task.sequence.end() - rows) * call.queryStride();
            workers.split(rows * width, 1 << 14, (worker, first, end) -> CpuExperts.addScaled(to + 4L * first, task.dq + 4L * first, 1, end - first));
        }
    }

    /** A worker's scratch. */
    private record Layout(int headDim, int valueHeadDim, long base, long lanes) {
        static Layout of(AttentionShape shape, long base, long lanes) { return new Layout(shape.headDim(), shape.valueHeadDim(), base, lanes); }

        static int panels(int width) { return Math.ceilDiv(width, Panels.ROWS); }
        /** Panels of keys and values with positions as lanes, [KEYS / lanes][dim]. */
        long keyPanel() { return headDim * Panels.STEP; }
        long valuePanel() { return valueHeadDim * Panels.STEP; }
        /** A row of sums of dk and dv. */
        long keySum() { return panels(headDim) * Panels.STEP; }
        long valueSum() { return panels(valueHeadDim) * Panels.STEP; }
        long scoreStride() { return 4L * KEYS; }

        long zeros() { return base; }
        long keys() { return zeros() + 4L * KEYS; }
        long values() { return keys() + panels(KEYS) * keyPanel(); }
        /** Panels with features as lanes: keys [panels][KEYS], queries and outputs [panels][ROWS]. */
        long keySlices() { return values() + panels(KEYS) * valuePanel(); }
        long querySlices() { return keySlices() + panels(headDim) * KEYS * Panels.STEP; }
        long outputSlices() { return querySlices() + panels(headDim) * ROWS * Panels.STEP; }
        /** [ROWS][KEYS], and a little more, since whole tiles are read. */
        long scores() { return outputSlices() + panels(valueHeadDim) * ROWS * Panels.STEP; }
        long dScores() { return scores() + ROWS * scoreStride() + 4L * SUMS; }
        long dKeys() { return dScores() + ROWS * scoreStride() + 4L * SUMS; }
        long dValues() { return dKeys() + SUMS * keySum(); }
        long row() { return dValues() + SUMS * valueSum(); }
        /** Per row: the largest score and the sum of exponentials. */
        long largest() { return row() + 4L * KEYS; }
        long sums() { return largest() + 4L * ROWS; }
        long tile() { return sums() + 4L * ROWS; }
        long bytes() { return tile() + PanelProduct.scratchBytes(Math.max(KEYS, Math.max(headDim, valueHeadDim))) - base; }
    }

    // ---- what each row needs -----------------------------------------------------------------------------------------------------------------------------

    /** logSums[head][row] = ln of the sum of exponentials of the row's scores. */
    private void logSums(Call call, List<Sequence> sequences) {
        record Rows(Sequence sequence, int from, int to) {}
        var blocks = new ArrayList<Rows>();
        for (var s : sequences) for (int from = 0; from < s.rows; from += ROWS) blocks.add(new Rows(s, from, Math.min(s.rows, from + ROWS)));
        int heads = call.shape.heads();
        workers.run(blocks.size() * heads, (worker, i) -> {
            var rows = blocks.get(blocks.size() - 1 - i / heads);
            logSums(call, rows.sequence, rows.from, rows.to, i % heads, Layout.of(call.shape, scratch.of(worker), scratch.lanes(worker)));
        });
    }

    private static void logSums(Call call, Sequence sequence, int from, int to, int head, Layout s) {
        var shape = call.shape;
        MEMORY.asSlice(s.zeros(), 4L * KEYS).fill((byte) 0);
        // a sink is a position seen before all others
        float sink = call.sinks == 0 ? Float.NEGATIVE_INFINITY : MEMORY.get(FLOAT, call.sinks + 4L * head);
        for (int r = 0; r < to - from; r++) {
            MEMORY.set(FLOAT, s.largest() + 4L * r, sink);
            MEMORY.set(FLOAT, s.sums() + 4L * r, call.sinks == 0 ? 0 : 1);
        }
        int first = first(shape, from), end = end(shape, sequence, to - 1);
        for (int k = first / KEYS * KEYS; k < end; k += KEYS) {
            int length = Math.min(KEYS, end - k);
            keyPanels(s.keys(), s.keyPanel(), call.k + call.key(sequence.key + k, head / call.group()), call.keyStride(), length, s.headDim);
            scores(s.scores(), s, s.keys(), s.keyPanel(), length, call.q + call.query(sequence.start + from, head), call.queryStride(), to - from, s.headDim);
            for (int r = 0; r < to - from; r++) {
                int a = Math.clamp(first(shape, from + r) - k, 0, length), b = Math.clamp(end(shape, sequence, from + r) - k, 0, length);
                if (a < b) see(s, r, s.scores() + r * s.scoreStride() + 4L * a, b - a, call.bias.at(head, sequence.start + from + r, k + a), shape);
            }
        }
        for (int r = 0; r < to - from; r++) {
            double logSum = MEMORY.get(FLOAT, s.largest() + 4L * r) + Math.log(MEMORY.get(FLOAT, s.sums() + 4L * r));
            MEMORY.set(FLOAT, call.logSums + 4L * ((long) head * call.n + sequence.start + from + r), (float) logSum);
        }
    }

    private static void see(Layout s, int r, long scores, int count, long bias, AttentionShape shape) {
        long largest = s.largest() + 4L * r, sum = s.sums() + 4L * r;
        cap(scores, s.row(), count, bias, shape, s.lanes);
        float before = MEMORY.get(FLOAT, largest), now = RowTiles.largest(before, scores, count, s.lanes);
        float added = Exponential.exp(scores, scores, count, 1, now, s.lanes);
        MEMORY.set(FLOAT, largest, now);
        MEMORY.set(FLOAT, sum, MEMORY.get(FLOAT, sum) * Exponential.exp(before - now) + added);
    }

    /** Products become scores: scaled, capped and added to. */
    private static void cap(long scores, long row, int count, long bias, AttentionShape shape, long lanes) {
        if (shape.softCap() == 0) {
            CpuActivations.scale(scores, scores, shape.scale(), count);
        } else {
            CpuActivations.scale(row, scores, shape.scale(), count);
            CpuActivations.softCap(scores, row, count, shape.softCap(), lanes);
        }
        if (bias != 0) CpuRows.add(scores, scores, bias, count);
    }

    /** The first position that the query at a position sees, and the one after the last. */
    private static int first(AttentionShape shape, int position) { return shape.causal() ? shape.firstSeen(position + 1) : 0; }
    private static int end(AttentionShape shape, Sequence sequence, int position) { return shape.causal() ? position + 1 : sequence.keys; }

    /** shares[head][row] = dy · y. */
    private void shares(Call call) {
        int heads = call.shape.heads(), width = call.shape.valueHeadDim();
        workers.split(call.n, Math.max(1, (1 << 14) / call.shape.outputDim()), (worker, from, to) -> {
            for (int row = from; row < to; row++) {
                for (int head = 0; head < heads; head++) {
                    long at = call.output(row, head);
                    MEMORY.set(FLOAT, call.shares + 4L * ((long) head * call.n + row), (float) dot(call.dy + at, call.y + at, width, scratch.lanes(worker)));
                }
            }
        });
    }

    // ---- keys and the rows that see them -----------------------------------------------------------------------------------------------------------------

    private static void run(Call call, Task task, Layout s) {
        var shape = call.shape;
        var sequence = task.sequence;
        MEMORY.asSlice(s.zeros(), 4L * KEYS).fill((byte) 0);
        int apart = sequence.rows - rowsFrom(sequence, task.from, shape);                             // position of the first row that lies apart
        if (task.dq != 0) {
            int width = call.group() * s.headDim;
            for (int p = apart; p < sequence.rows; p++) MEMORY.asSlice(task.dq + call.query(p - apart, task.keyHead * call.group()), 4L * width).fill((byte) 0);
        }
        for (int k = task.from; k < task.to; k += KEYS) {
            int length = Math.min(KEYS, task.to - k);
            int keyRow = sequence.key + k, sums = tiles(length) * Panels.COLUMNS;
            long key = call.k + call.key(keyRow, task.keyHead), value = call.v + call.value(keyRow, task.keyHead);
            keyPanels(s.keys(), s.keyPanel(), key, call.keyStride(), length, s.headDim);
            keyPanels(s.values(), s.valuePanel(), value, call.valueStride(), length, s.valueHeadDim);
            if (call.dq != 0) slices(s.keySlices(), key, call.keyStride(), s.headDim, length, KEYS);
            MEMORY.asSlice(s.dKeys(), sums * s.keySum()).fill((byte) 0);
            MEMORY.asSlice(s.dValues(), sums * s.valueSum()).fill((byte) 0);
            int first = shape.causal() ? k : 0, end = shape.window() == 0 ? sequence.rows : Math.min(sequence.rows, k + length - 1 + shape.window());
            for (int head = task.keyHead * call.group(); head < (task.keyHead + 1) * call.group(); head++) {
                for (int p = first; p < end; p += ROWS) {
                    int rows = Math.min(ROWS, end - p), row = sequence.start + p;
                    long dq = task.dq == 0 ? call.dq + call.query(row, head) : task.dq + call.query(p - apart, head);
                    block(call, s, sequence, head, p, rows, k, length, call.dq == 0 ? 0 : dq);
                }
            }
            if (call.dk != 0) addRows(call.dk + call.key(keyRow, task.keyHead), call.keyStride(), s.dKeys(), s.keySum(), length, s.headDim);
            if (call.dv != 0) addRows(call.dv + call.value(keyRow, task.keyHead), call.valueStride(), s.dValues(), s.valueSum(), length, s.valueHeadDim);
        }
    }

    /** Rows at positions {@code p} on of one query head, and keys at positions {@code k} on. */
    private static void block(Call call, Layout s, Sequence sequence, int head, int p, int rows, int k, int length, long dq) {
        int row = sequence.start + p;
        long q = call.q + call.query(row, head), dy = call.dy + call.output(row, head);
        scores(s.scores(), s, s.keys(), s.keyPanel(), length, q, call.queryStride(), rows, s.headDim);
        scores(s.dScores(), s, s.values(), s.valuePanel(), length, dy, call.outputStride(), rows, s.valueHeadDim);
        for (int r = 0; r < rows; r++) {
            int a = Math.clamp(first(call.shape, p + r) - k, 0, length), b = Math.max(a, Math.clamp(end(call.shape, sequence, p + r) - k, 0, length));
            probabilities(call, s, r, a, b, length, call.logSum(row + r, head), call.share(row + r, head), call.bias.at(head, row + r, k + a));
            // who sees one position has no choice: rounding would leave something where nothing is
            if (call.sinks == 0 && end(call.shape, sequence, p + r) - first(call.shape, p + r) == 1) clear(s.dScores() + r * s.scoreStride(), 0, 0, length);
        }
        if (call.dv != 0) {
            slices(s.outputSlices(), dy, call.outputStride(), s.valueHeadDim, rows, ROWS);
            sums(s.dValues(), s.valueSum(), s.outputSlices(), s.valueHeadDim, s.scores(), length, rows, s);
        }
        if (call.dk != 0) {
            slices(s.querySlices(), q, call.queryStride(), s.headDim, rows, ROWS);
            sums(s.dKeys(), s.keySum(), s.querySlices(), s.headDim, s.dScores(), length, rows, s);
        }
        if (dq != 0) {
            PanelProduct.add(dq, call.queryStride(), dq, call.queryStride(), s.keySlices(), KEYS * Panels.STEP, s.headDim,
                new Columns(s.dScores(), Panels.COLUMNS * s.scoreStride(), s.scoreStride(), 4, true), rows, length, s.tile());
        }
    }

    /** Row r: scores become probabilities, what the values say of them becomes dScores, both 0 where nothing is seen. */
    private static void probabilities(Call call, Layout s, int r, int a, int b, int length, float logSum, float share, long bias) {
        long scores = s.scores() + r * s.scoreStride(), dScores = s.dScores() + r * s.scoreStride();
        clear(scores, a, b, length);
        clear(dScores, a, b, length);
        cap(scores + 4L * a, s.row(), b - a, bias, call.shape, s.lanes);
        if (call.shape.softCap() != 0) slopes(dScores + 4L * a, scores + 4L * a, b - a, share, 1 / call.shape.softCap());
        Exponential.exp(scores + 4L * a, scores + 4L * a, b - a, 1, logSum, s.lanes);
        weigh(dScores + 4L * a, scores + 4L * a, b - a, call.shape.softCap() == 0 ? share : 0, call.shape.scale());
    }

    /** x[0 .. a) = x[b .. length) = 0 */
    private static void clear(long x, int a, int b, int length) {
        if (a > 0) MEMORY.asSlice(x, 4L * a).fill((byte) 0);
        if (b < length) MEMORY.asSlice(x + 4L * b, 4L * (length - b)).fill((byte) 0);
    }

    /** d = (d - share) (1 - (x · inverse)²) */
    private static void slopes(long d, long x, int count, float share, float inverse) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var t = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).mul(inverse);
            var slope = FloatVector.broadcast(F, 1).sub(t).mul(t.add(1));
            FloatVector.fromMemorySegment(F, MEMORY, d + 4L * i, ORDER).sub(share).mul(slope).intoMemorySegment(MEMORY, d + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float t = MEMORY.get(FLOAT, x + 4L * i) * inverse;
            MEMORY.set(FLOAT, d + 4L * i, (MEMORY.get(FLOAT, d + 4L * i) - share) * ((1 - t) * (t + 1)));
        }
    }

    /** d = p (d - share) scale */
    private static void weigh(long d, long p, int count, float share, float scale) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var factor = FloatVector.fromMemorySegment(F, MEMORY, p + 4L * i, ORDER).mul(scale);
            FloatVector.fromMemorySegment(F, MEMORY, d + 4L * i, ORDER).sub(share).mul(factor).intoMemorySegment(MEMORY, d + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, d + 4L * i, (MEMORY.get(FLOAT, d + 4L * i) - share) * (MEMORY.get(FLOAT, p + 4L * i) * scale));  // scalar tail
    }

    // ---- products ----------------------------------------------------------------------------------------------------------------------------------------

    /** Positions as lanes: panels[j / ROWS][d][j mod ROWS] = rows[j][d]. */
    private static void keyPanels(long panels, long panelBytes, long rows, long stride, int length, int width) {
        for (int j = 0; j < length; j += Panels.ROWS, panels += panelBytes) Panels.transpose(panels, rows + j * stride, stride, Math.min(Panels.ROWS, length - j), width);
    }

    /** Features as lanes: panels[d / ROWS][j][d mod ROWS] = rows[j][d], {@code room} rows to a panel. */
    private static void slices(long panels, long rows, long stride, int width, int length, int room) {
        for (int d = 0; d < width; d += Panels.ROWS, panels += room * Panels.STEP) Panels.slice(panels, rows + 4L * d, stride, Math.min(Panels.ROWS, width - d), length);
    }

    /** scores[r][j] = x[r] · key j, whole panels of keys. */
    private static void scores(long scores, Layout s, long panels, long panelBytes, int length, long x, long stride, int rows, int width) {
        PanelProduct.add(scores, s.scoreStride(), s.zeros(), 0, panels, panelBytes, Layout.panels(length) * Panels.ROWS, Columns.rows(x, stride), rows, width, s.tile());
    }

    /** sums[j] += sum over rows r of weights[r][j] · slices[r], whole tiles of j. */
    private static void sums(long sums, long stride, long slices, int width, long weights, int length, int rows, Layout s) {
        PanelProduct.add(sums, stride, sums, stride, slices, ROWS * Panels.STEP, Layout.panels(width) * Panels.ROWS, new Columns(weights, 4L * Panels.COLUMNS, 4, s.scoreStride(), true),
            tiles(length) * Panels.COLUMNS, rows, s.tile());
    }

    private static int tiles(int length) { return Math.ceilDiv(length, Panels.COLUMNS); }

    private static void addRows(long to, long toStride, long from, long fromStride, int rows, int width) {
        for (int r = 0; r < rows; r++) CpuExperts.addScaled(to + r * toStride, from + r * fromStride, 1, width);
    }

    /** Sum of a · b. */
    private static double dot(long a, long b, int count, long lanes) {
        var sums = FloatVector.zero(F);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            sums = sums.add(FloatVector.fromMemorySegment(F, MEMORY, a + 4L * i, ORDER).mul(FloatVector.fromMemorySegment(F, MEMORY, b + 4L * i, ORDER)));
        }
        sums.intoMemorySegment(MEMORY, lanes, ORDER);                                                                 // reduce
        double sum = Lanes.sum(lanes);
        for (; i < count; i++) sum += (double) MEMORY.get(FLOAT, a + 4L * i) * MEMORY.get(FLOAT, b + 4L * i);         // scalar tail
        return sum;
    }
}
