package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;

/**
 * Rotary positions, there and back. Cosines and sines are computed in double precision and kept for the next call, since queries and keys of every layer of a step turn by
 * the same angles: computing them anew each time took five sixths of the kernel at 256 rows. Parallel over rows.
 */
final class CpuRope {
    /* Elements worth a thread's waking, turned and with angles to compute. */
    private static final int GRAIN = 1 << 13, ANGLE_GRAIN = 1 << 9;
    /** Each lane's neighbour in its pair. */
    private static final VectorShuffle<Float> NEIGHBOURS = VectorShuffle.fromOp(F, i -> i ^ 1);

    private final Workers workers;
    private int[] positions = {};
    private float[] frequencies = {};
    private float magnitude;
    private Rope.Pairs pairs;
    /**
     * [rows][elements] of what an element and its partner are multiplied by. Halves: one for each pair. Interleaved: one for each element, the sine negative for the
     * first of a pair.
     */
    private float[] cos = {}, sin = {};

    CpuRope(Workers workers) { this.workers = workers; }

    /** y = x, turned. */
    void turn(Tensor y, Tensor x, Tensor positions, Rope rope) { run(address(y), address(x), x, positions, rope, false); }

    /** dx += dy, turned back; dx null: nothing. */
    void turnBack(Tensor dx, Tensor dy, Tensor positions, Rope rope) {
        if (dx != null) run(address(dx), address(dy), dy, positions, rope, true);
    }

    private void run(long to, long from, Tensor x, Tensor positions, Rope rope, boolean back) {
        int width = x.shape().last(), pairs = rope.frequencies().shape().last(), headDim = rope.headDim();
        boolean interleaved = rope.pairs() == Rope.Pairs.INTERLEAVED;
        int perRow = interleaved ? 2 * pairs : pairs;
        prepare(positions, rope, perRow);
        workers.split(x.shape().dim(0), Math.max(1, GRAIN / width), (worker, first, end) -> {
            for (int r = first; r < end; r++) {
                for (int head = 0; head < width; head += headDim) {
                    long at = 4L * ((long) r * width + head), rest = at + 8L * pairs;
                    if (interleaved) neighbours(to + at, from + at, r * perRow, perRow, back); else halves(to + at, from + at, r * perRow, perRow, back);
                    if (back) CpuRows.add(to + rest, to + rest, from + rest, headDim - 2 * pairs);
                    else MemorySegment.copy(MEMORY, from + rest, MEMORY, to + rest, 4L * (headDim - 2 * pairs));
                }
            }
        });
    }

    private void prepare(Tensor positions, Rope rope, int perRow) {
        int[] rows = positions.data().toArray(Lanes.INT);
        float[] turns = rope.frequencies().data().toArray(FLOAT);
        if (magnitude == rope.magnitude() && pairs == rope.pairs() && Arrays.equals(this.positions, rows) && Arrays.equals(frequencies, turns)) return;
        this.positions = rows;
        frequencies = turns;
        magnitude = rope.magnitude();
        pairs = rope.pairs();
        if (cos.length < rows.length * perRow) {
            cos = new float[rows.length * perRow];
            sin = new float[rows.length * perRow];
        }
        workers.split(rows.length, Math.max(1, ANGLE_GRAIN / turns.length), (worker, first, end) -> {
            for (int r = first; r < end; r++) {
                for (int i = 0, at = r * perRow; i < turns.length; i++) {
                    double angle = (double) rows[r] * turns[i];
                    float c = (float) (Math.cos(angle) * magnitude), s = (float) (Math.sin(angle) * magnitude);
                    if (perRow > turns.length) {
                        cos[at] = c;
                        sin[at++] = -s;
                    }
                    cos[at] = c;
                    sin[at++] = s;
                }
            }
        });
    }

    /** Pair i is elements i and pairs + i. */
    private void halves(long y, long x, int table, int pairs, boolean back) {
        float sign = back ? -1 : 1;
        long half = 4L * pairs;
        int i = 0;
        for (int end = pairs - L; i <= end; i += L) {                                                                 // body
            long at = 4L * i;
            var a = FloatVector.fromMemorySegment(F, MEMORY, x + at, ORDER);
            var b = FloatVector.fromMemorySegment(F, MEMORY, x + half + at, ORDER);
            var c = FloatVector.fromArray(F, cos, table + i);
            var s = FloatVector.fromArray(F, sin, table + i).mul(sign);
            var first = a.mul(c).sub(b.mul(s));
            var second = a.mul(s).add(b.mul(c));
            if (back) {
                first = first.add(FloatVector.fromMemorySegment(F, MEMORY, y + at, ORDER));
                second = second.add(FloatVector.fromMemorySegment(F, MEMORY, y + half + at, ORDER));
            }
            first.intoMemorySegment(MEMORY, y + at, ORDER);
            second.intoMemorySegment(MEMORY, y + half + at, ORDER);
        }
        for (; i < pairs; i++) {                                                                                      // scalar tail
            long at = 4L * i;
            float a = MEMORY.get(FLOAT, x + at), b = MEMORY.get(FLOAT, x + half + at), c = cos[table + i], s = sin[table + i] * sign;
            MEMORY.set(FLOAT, y + at, (back ? MEMORY.get(FLOAT, y + at) : 0) + (a * c - b * s));
            MEMORY.set(FLOAT, y + half + at, (back ? MEMORY.get(FLOAT, y + half + at) : 0) + (a * s + b * c));
        }
    }

    /** Pairs lie side by side. */
    private void neighbours(long y, long x, int table, int elements, boolean back) {
        float sign = back ? -1 : 1;
        int i = 0;
        for (int end = elements - L; i <= end; i += L) {                                                              // body
            var v = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            var c = FloatVector.fromArray(F, cos, table + i);
            var s = FloatVector.fromArray(F, sin, table + i).mul(sign);
            var turned = v.mul(c).add(v.rearrange(NEIGHBOURS).mul(s));
            if (back) turned = turned.add(FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER));
            turned.intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < elements; i += 2) {                                                                                // scalar tail
            long at = 4L * i;
            float a = MEMORY.get(FLOAT, x + at), b = MEMORY.get(FLOAT, x + at + 4), c = cos[table + i], s = sin[table + i + 1] * sign;
            MEMORY.set(FLOAT, y + at, (back ? MEMORY.get(FLOAT, y + at) : 0) + (a * c - b * s));
            MEMORY.set(FLOAT, y + at + 4, (back ? MEMORY.get(FLOAT, y + at + 4) : 0) + (a * s + b * c));
        }
    }
}
