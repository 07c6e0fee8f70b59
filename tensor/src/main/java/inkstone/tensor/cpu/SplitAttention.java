package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/**
 * Attention of one or few rows of a sequence, as when an answer is written: positions are split over tasks (Dao et al. 2023, "Flash-Decoding for long-context inference"),
 * each task leaves a softmax over its positions, and these are merged. A split begins at a multiple of {@link #SPLIT} whatever the rows, so that a row's result depends
 * neither on its neighbours nor on the number of threads; heads are shared out as the threads are, which changes no result. One call.
 */
final class SplitAttention {
    /** Rows of one sequence that this is faster for than panels are. */
    static final int MOST_ROWS = 8;
    /** Positions of a task: their part of the result takes a twentieth of the memory that they take themselves. */
    private static final int SPLIT = 256;
    /** Columns of a task at most, unless one key-value head has more: scores of 64 KB. */
    private static final int COLUMNS = 64;
    /** Floats of a key or value in a task at most, unless one head has more: a few of them and what is made of them fit in the first-level cache. */
    private static final int WIDTH = 512;
    /** Rows in Q8_0 that are brought to the caches at once, and values that are read for one head after the other. */
    private static final int BLOCKS = 32;
    /** Rows of values that are floats at the same time. */
    private static final int VALUES = 8;
    /** Products worth a task of its own: some 5 microseconds. */
    private static final long GRAIN = 1 << 17;

    /**
     * Rows first .. end - 1 of one sequence, which see positions from {@code from} on at most up to {@code most}.
     *
     * @param partial number of the first softmax that tasks of this chunk leave: [split][key-value head][column]
     */
    private record Chunk(int first, int end, int from, int most, int partial) {
        int rows() { return end - first; }
        int firstSplit() { return from / SPLIT; }
        int splits() { return Math.ceilDiv(most, SPLIT) - firstSplit(); }
    }

    private record Task(Chunk chunk, int split, int head, int heads) {}

    private final AttentionShape shape;
    private final AttentionRows rows;
    private final int[] counts, sequences;
    private final int group, keyStride, mixStride;
    private final List<Chunk> chunks = new ArrayList<>();
    private final List<Task> tasks = new ArrayList<>();
    private int partials, queries, width;
    private long mixes, softmaxes;

    /**
     * @param counts    how many positions each row attends
     * @param sequences the page-table line, or first row, of each row's sequence
     */
    SplitAttention(AttentionShape shape, AttentionRows rows, int[] counts, int[] sequences) {
        this.shape = shape;
        this.rows = rows;
        this.counts = counts;
        this.sequences = sequences;
        group = shape.heads() / shape.kvHeads();
        keyStride = Math.ceilDiv(shape.headDim(), RowTiles.KEY_STEP) * RowTiles.KEY_STEP;
        mixStride = Math.ceilDiv(shape.valueHeadDim(), RowTiles.VALUE_STEP) * RowTiles.VALUE_STEP;
    }

    /** Takes on rows of one sequence. */
    void add(int first, int end) {
        int most = Math.max(1, COLUMNS / group);
        for (int row = first; row < end; row += most) {
            int last = Math.min(end, row + most), from = Integer.MAX_VALUE, to = 0;
            for (int i = row; i < last; i++) {
                from = Math.min(from, shape.firstSeen(counts[i]));
                to = Math.max(to, counts[i]);
            }
            var chunk = new Chunk(row, last, from, to, partials);
            chunks.add(chunk);
            partials += chunk.splits() * shape.kvHeads() * chunk.rows() * group;
        }
    }

    /** Shares the rows out and returns the number of tasks; no more rows come. */
    int plan(int threads) {
        int splits = chunks.stream().mapToInt(Chunk::splits).sum();
        for (var chunk : chunks) {
            int columns = chunk.rows() * group, positions = Math.min(SPLIT, chunk.most - chunk.from);
            int heads = Math.clamp(Math.min(COLUMNS / columns, WIDTH / Math.max(shape.headDim(), shape.valueHeadDim())), 1, shape.kvHeads());
            long products = (long) positions * columns * (shape.headDim() + shape.valueHeadDim());
            while (heads > 1 && splits * Math.ceilDiv(shape.kvHeads(), heads) < 4 * threads && heads * products >= 2 * GRAIN) heads = Math.ceilDiv(heads, 2);
            for (int split = chunk.firstSplit(); split < chunk.firstSplit() + chunk.splits(); split++) {
                for (int head = 0; head < shape.kvHeads(); head += heads) tasks.add(new Task(chunk, split, head, Math.min(heads, shape.kvHeads() - head)));
            }
            queries = Math.max(queries, heads * columns);
            width = Math.max(width, heads * Math.max(keyStride, shape.valueHeadDim()));
        }
        return tasks.size();
    }

    /** Of each worker. */
    long scratchBytes() { return tasks.isEmpty() ? 0 : scores() + 4L * queries * SPLIT; }

    private static long lanes() { return 0; }
    private long floats() { return lanes() + Math.max(queries * RowTiles.LANES, 4 * SPLIT); }
    private long columns() { return floats() + Scratch.lines((long) VALUES * width + RowTiles.VALUE_STEP); }
    private long scores() { return columns() + Scratch.lines((long) queries * keyStride); }

    /** Of all together, for what the tasks leave. */
    long sharedBytes() { return Scratch.lines((long) partials * mixStride) + Scratch.lines(2L * partials); }

    void shared(long base) {
        mixes = base;
        softmaxes = base + Scratch.lines((long) partials * mixStride);
    }

    /** One task; {@code lanes} is a worker's. */
    void run(int number, long q, long scratch, long lanes) {
        var task = tasks.get(number);
        var chunk = task.chunk;
        int count = chunk.rows() * group, from = Math.max(task.split * SPLIT, chunk.from / RowTiles.ROWS * RowTiles.ROWS), to = Math.min((task.split + 1) * SPLIT, chunk.most);
        long columns = scratch + columns(), scores = scratch + scores(), mix = mixes + 4L * mixStride * partial(task);
        queries(task, count, q, columns);
        MEMORY.asSlice(mix, 4L * mixStride * count * task.heads).fill((byte) 0);
        if (keyStride != shape.headDim()) MEMORY.asSlice(scratch + floats(), 4L * VALUES * width).fill((byte) 0);
        scores(task, count, from, to, scratch, lanes);
        for (int head = 0; head < task.heads; head++) {
            for (int c = 0; c < count; c++) {
                int seen = counts[chunk.first + c / group], column = head * count + c;
                weigh(scores + 4L * SPLIT * column, Math.clamp(shape.firstSeen(seen) - from, 0, to - from), Math.clamp(seen - from, 0, to - from), to - from,
                    softmaxes + 8L * (partial(task) + column), scratch + lanes(), lanes);
            }
        }
        mix(task, count, from, to, mix, scratch, lanes);
    }

    /** Number of the softmax of a task's first column. */
    private int partial(Task task) {
        return task.chunk.partial + ((task.split - task.chunk.firstSplit()) * shape.kvHeads() + task.head) * task.chunk.rows() * group;
    }

    /** The scaled queries [head][column], with zeros behind each. */
    private void queries(Task task, int count, long q, long columns) {
        if (keyStride != shape.headDim()) MEMORY.asSlice(columns, 4L * task.heads * count * keyStride).fill((byte) 0);
        for (int head = 0; head < task.heads; head++) {
            for (int c = 0; c < count; c++) {
                long row = task.chunk.first + c / group, queryHead = (long) (task.head + head) * group + c % group;
                CpuActivations.scale(columns + 4L * (head * count + c) * keyStride, q + 4L * (row * shape.queryDim() + queryHead * shape.headDim()), shape.scale(), shape.headDim());
            }
        }
    }

    /** scores[head][column][i] = column · key from + i */
    private void scores(Task task, int count, int from, int to, long scratch, long lanes) {
        if (rows.keys().dtype() == DType.Q8_0) {
            for (int at = from; at < to; at += RowTiles.ROWS) {
                if ((at - from) % BLOCKS == 0) fetch(rows.keys(), task, at, Math.min(BLOCKS, to - at), shape.headDim(), lanes);
                BlockTiles.dots(scratch + scores() + 4L * (at - from), 4L * SPLIT, key(task, at), key(task, Math.min(at + 1, to - 1)), key(task, Math.min(at + 2, to - 1)),
                    key(task, Math.min(at + 3, to - 1)), scratch + columns(), task.heads, count, keyStride, scratch + lanes());
            }
            return;
        }
        for (int at = from; at < to; at += RowTiles.ROWS) {
            rows.gather(rows.keys(), sequences[task.chunk.first], at, Math.min(RowTiles.ROWS, to - at), task.head, task.heads, shape.headDim(), keyStride, scratch + floats(), lanes);
            RowTiles.dots(scratch + scores() + 4L * (at - from), 4L * SPLIT, scratch + floats(), 4L * task.heads * keyStride, scratch + columns(), task.heads, count, keyStride,
                scratch + lanes());
        }
    }

    /**
     * Reads a number of every cache line of some rows in the order of memory. The tiles take a part of many rows at a time, which the hardware does not foresee: from
     * memory they ran at half of the speed that they have from the second-level cache.
     */
    private void fetch(AttentionRows.Cells cells, Task task, int from, int count, int headDim, long lanes) {
        long bytes = cells.dtype().bytes((long) task.heads * headDim);
        for (int i = 0, run; i < count; i += run) {
            run = Math.min(count - i, rows.run(from + i));
            MEMORY.set(Lanes.INT, lanes, RowTiles.fetch(rows.at(cells, sequences[task.chunk.first], from + i, task.head, headDim), cells.rowBytes(), run, bytes));
        }
    }

    private long key(Task task, int position) { return rows.at(rows.keys(), sequences[task.chunk.first], position, task.head, shape.headDim()); }

    /**
     * Scores become probabilities relative to the largest of them, which is left in {@code softmax} with their sum. Only {@code first} to {@code end - 1} of
     * {@code length} are seen. {@code free} is scratch for a float of each, for which the lanes of dot products have room.
     */
    private void weigh(long scores, int first, int end, int length, long softmax, long free, long lanes) {
        MEMORY.asSlice(scores, 4L * Math.min(first, end)).fill((byte) 0);
        MEMORY.asSlice(scores + 4L * end, 4L * (length - end)).fill((byte) 0);
        long seen = scores + 4L * first;
        float largest = Float.NEGATIVE_INFINITY, sum = 0;
        if (first < end) {
            if (shape.softCap() != 0) {
                CpuActivations.softCap(free, seen, end - first, shape.softCap(), lanes);
                MEMORY.asSlice(seen, 4L * (end - first)).copyFrom(MEMORY.asSlice(free, 4L * (end - first)));
            }
            largest = RowTiles.largest(largest, seen, end - first, lanes);
            sum = Exponential.exp(seen, seen, end - first, 1, largest, lanes);
        }
        MEMORY.set(FLOAT, softmax, largest);
        MEMORY.set(FLOAT, softmax + 4, sum);
    }

    /** mix[head][column] += sum over i of probabilities[head][column][i] · value from + i */
    private void mix(Task task, int count, int from, int to, long mix, long scratch, long lanes) {
        int width = task.heads * shape.valueHeadDim();
        if (rows.values().dtype() == DType.Q8_0) {
            for (int at = from, run; at < to; at += run) {
                run = Math.min(to - at, Math.min(rows.run(at), BLOCKS));
                fetch(rows.values(), task, at, run, shape.valueHeadDim(), lanes);
                BlockTiles.mix(mix, rows.at(rows.values(), sequences[task.chunk.first], at, task.head, shape.valueHeadDim()), rows.values().rowBytes(),
                    scratch + scores() + 4L * (at - from), 4L * SPLIT, task.heads, count, shape.valueHeadDim(), run);
            }
            return;
        }
        for (int at = from; at < to; at += VALUES) {
            int length = Math.min(VALUES, to - at);
            rows.gather(rows.values(), sequences[task.chunk.first], at, length, task.head, task.heads, shape.valueHeadDim(), shape.valueHeadDim(), scratch + floats(), lanes);
            RowTiles.mix(mix, scratch + floats(), 4L * width, scratch + scores() + 4L * (at - from), 4L * SPLIT, task.heads, count, shape.valueHeadDim(), length);
        }
    }

    /** Heads of all rows, which are merged one by one. */
    int results() {
        int results = 0;
        for (var chunk : chunks) results += chunk.rows() * shape.heads();
        return results;
    }

    /** How many of them a thread should take. */
    int mergeGrain() { return Math.clamp((1L << 15) * results() / ((long) partials * mixStride + 1), 1, Integer.MAX_VALUE); }

    /** Results {@code from} to {@code to - 1}: y = sum of exp(largest - m) mix over the same sum of their sums. */
    void merge(long y, int from, int to) {
        int before = 0;
        for (var chunk : chunks) {
            int results = chunk.rows() * shape.heads();
            for (int i = Math.max(from, before); i < Math.min(to, before + results); i++) merge(y, chunk, (i - before) / shape.heads(), (i - before) % shape.heads());
            before += results;
        }
    }

    private void merge(long y, Chunk chunk, int row, int head) {
        int n = shape.valueHeadDim(), columns = chunk.rows() * group, next = shape.kvHeads() * columns, first = chunk.partial + head / group * columns + row * group + head % group;
        int end = first + chunk.splits() * next;
        long result = y + 4L * ((long) (chunk.first + row) * shape.outputDim() + (long) head * n);
        // a sink is a position with a score and without a value
        float sink = shape.sinks() == null ? Float.NEGATIVE_INFINITY : MEMORY.get(FLOAT, address(shape.sinks()) + 4L * head), largest = sink;
        for (int i = first; i < end; i += next) largest = Math.max(largest, MEMORY.get(FLOAT, softmaxes + 8L * i));
        float sum = shape.sinks() == null ? 0 : Exponential.exp(sink - largest);
        MEMORY.asSlice(result, 4L * n).fill((byte) 0);
        for (int i = first; i < end; i += next) {
            float own = MEMORY.get(FLOAT, softmaxes + 8L * i + 4);
            if (own == 0) continue;                                                    // no position of this split is seen
            float weight = Exponential.exp(MEMORY.get(FLOAT, softmaxes + 8L * i) - largest);
            sum += own * weight;
            RowTiles.addScaled(result, mixes + 4L * mixStride * i, weight, n);
        }
        CpuActivations.scale(result, result, 1 / sum, n);
    }
}
