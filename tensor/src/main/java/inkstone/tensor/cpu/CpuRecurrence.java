package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.INT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Recurrence;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** Recurrent layers. Rows follow one another, so threads share the features or heads, each with all rows. */
final class CpuRecurrence {
    /* Multiplications worth a thread's waking. */
    private static final int GRAIN = 1 << 15;
    private static final float DECAY = (float) -Math.exp(-0.5);

    private final Workers workers;
    private final Scratch scratch;

    CpuRecurrence(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    /** States and the line of each row; {@code positions} tells where a sequence begins. */
    private record States(long base, int width, Indices slots, long positions) {
        static States of(String op, Recurrence r) {
            return new States(address(r.state()), r.state().shape().last(), Indices.of(op + ": slot", r.slots(), r.state().shape().dim(0)), address(r.positions()));
        }

        int rows() { return slots.count(); }

        /** The address of {@code count} floats of a row's state from {@code offset} on, zeroed where the row is a sequence's first. */
        long at(int row, long offset, int count) {
            long state = base + 4 * ((long) slots.at(row) * width + offset);
            if (MEMORY.get(INT, positions + 4L * row) == 0) MEMORY.asSlice(state, 4L * count).fill((byte) 0);
            return state;
        }
    }

    private static int grain(States states, int workOfOne) { return (int) Math.max(1, GRAIN / Math.max(1, (long) states.rows() * workOfOne)); }

    void shift(Tensor y, Tensor x, Recurrence recurrence) {
        int d = x.shape().last();
        long to = address(y), from = address(x), row = 4L * d;
        var states = States.of("shift", recurrence);
        for (int i = 0; i < states.rows(); i++) {
            long state = states.at(i, 0, d);
            MemorySegment.copy(MEMORY, state, MEMORY, to + i * row, row);
            MemorySegment.copy(MEMORY, from + i * row, MEMORY, state, row);
        }
    }

    void causalConv(Tensor y, Tensor x, Tensor weight, Tensor bias, Recurrence recurrence) {
        int d = x.shape().last(), k = weight.shape().last();
        long to = address(y), from = address(x), weights = address(weight), shifts = bias == null ? 0 : address(bias);
        var states = States.of("causalConv", recurrence);
        workers.split(d, grain(states, k), (worker, first, end) -> {
            for (int i = 0; i < states.rows(); i++) {
                for (int c = first; c < end; c++) {
                    float sum = shifts == 0 ? 0 : MEMORY.get(FLOAT, shifts + 4L * c);
                    boolean begins = MEMORY.get(INT, states.positions + 4L * i) == 0;
                    long state = states.base + 4 * ((long) states.slots.at(i) * states.width + c), input = 4 * ((long) i * d + c);
                    for (int j = 0; j < k; j++) {
                        float earlier = j == k - 1 ? MEMORY.get(FLOAT, from + input) : begins ? 0 : MEMORY.get(FLOAT, state + 4L * j * d);
                        sum += earlier * MEMORY.get(FLOAT, weights + 4 * ((long) c * k + j));
                        if (j > 0) MEMORY.set(FLOAT, state + 4 * (j - 1L) * d, earlier);
                    }
                    MEMORY.set(FLOAT, to + input, sum);
                }
            }
        });
    }

    void selectiveScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {
        int d = x.shape().last(), count = a.shape().last();
        long to = address(y), from = address(x), steps = address(dt), in = address(b), out = address(c), decays = address(a), skips = address(skip);
        var states = States.of("selectiveScan", recurrence);
        scratch.reserve(Scratch.lines(count));
        workers.split(d, grain(states, 8 * count), (worker, first, end) -> {
            long factors = scratch.of(worker), lanes = scratch.lanes(worker);
            for (int i = 0; i < states.rows(); i++) {
                long state = states.at(i, (long) first * count, (end - first) * count);
                for (int f = first; f < end; f++, state += 4L * count) {
                    long at = 4 * ((long) i * d + f);
                    float input = MEMORY.get(FLOAT, from + at), raw = MEMORY.get(FLOAT, steps + at);
                    float step = raw > 20 ? raw : (float) Math.log1p(Exponential.exp(raw));
                    Exponential.exp(factors, decays + 4L * f * count, count, step, 0, lanes);
                    float sum = scan(state, factors, in + 4L * i * count, out + 4L * i * count, step * input, count, lanes);
                    MEMORY.set(FLOAT, to + at, sum + MEMORY.get(FLOAT, skips + 4L * f) * input);
                }
            }
        });
    }

    /** h = h · factor + b · input; returns the sum of c · h. */
    private static float scan(long h, long factor, long b, long c, float input, int count, long lanes) {
        var sums = FloatVector.zero(F);
        var inputs = FloatVector.broadcast(F, input);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var kept = FloatVector.fromMemorySegment(F, MEMORY, h + 4L * i, ORDER).mul(FloatVector.fromMemorySegment(F, MEMORY, factor + 4L * i, ORDER));
            var added = FloatVector.fromMemorySegment(F, MEMORY, b + 4L * i, ORDER);
            kept = FMA ? added.fma(inputs, kept) : added.mul(inputs).add(kept);
            kept.intoMemorySegment(MEMORY, h + 4L * i, ORDER);
            var weight = FloatVector.fromMemorySegment(F, MEMORY, c + 4L * i, ORDER);
            sums = FMA ? kept.fma(weight, sums) : kept.mul(weight).add(sums);
        }
        sums.intoMemorySegment(MEMORY, lanes, ORDER);                                                                 // reduce
        float sum = Lanes.sum(lanes);
        for (; i < count; i++) {                                                                                      // scalar tail
            float kept = MEMORY.get(FLOAT, h + 4L * i) * MEMORY.get(FLOAT, factor + 4L * i) + MEMORY.get(FLOAT, b + 4L * i) * input;
            MEMORY.set(FLOAT, h + 4L * i, kept);
            sum += kept * MEMORY.get(FLOAT, c + 4L * i);
        }
        return sum;
    }

    void ssdScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {
        int d = x.shape().last(), heads = a.shape().last(), headDim = d / heads, count = recurrence.state().shape().last() / d, groups = b.shape().last() / count;
        long to = address(y), from = address(x), steps = address(dt), in = address(b), out = address(c), decays = address(a), skips = address(skip);
        var states = States.of("ssdScan", recurrence);
        scratch.reserve(Scratch.lines(1));
        workers.split(heads, grain(states, 4 * headDim * count), (worker, first, end) -> {
            long lanes = scratch.lanes(worker);
            for (int i = 0; i < states.rows(); i++) {
                long state = states.at(i, (long) first * headDim * count, (end - first) * headDim * count);
                for (int head = first; head < end; head++) {
                    float raw = MEMORY.get(FLOAT, steps + 4 * ((long) i * heads + head)), step = raw > 20 ? raw : (float) Math.log1p(Exponential.exp(raw));
                    float kept = Exponential.exp(step * MEMORY.get(FLOAT, decays + 4L * head)), through = MEMORY.get(FLOAT, skips + 4L * head);
                    long shared = 4 * ((long) i * groups + head / (heads / groups)) * count;
                    for (int p = 0; p < headDim; p++, state += 4L * count) {
                        long at = 4 * ((long) i * d + (long) head * headDim + p);
                        float input = MEMORY.get(FLOAT, from + at);
                        MEMORY.set(FLOAT, to + at, decayed(state, kept, in + shared, out + shared, step * input, count, lanes) + through * input);
                    }
                }
            }
        });
    }

    void gatedDelta(Tensor y, Tensor q, Tensor k, Tensor v, Tensor dt, Tensor rate, Tensor a, Tensor bias, boolean tiled, float eps, Recurrence recurrence) {
        int d = v.shape().last(), heads = a.shape().last(), valueDim = d / heads, keyDim = recurrence.state().shape().last() / d, keyHeads = q.shape().last() / keyDim;
        long to = address(y), queries = address(q), keys = address(k), values = address(v), steps = address(dt), rates = address(rate), decays = address(a), shifts = address(bias);
        var states = States.of("gatedDelta", recurrence);
        long part = Scratch.lines(keyDim);
        scratch.reserve(2 * part);
        workers.split(heads, grain(states, 8 * valueDim * keyDim), (worker, first, end) -> {
            long query = scratch.of(worker), key = query + part, lanes = scratch.lanes(worker);
            for (int row = 0; row < states.rows(); row++) {
                long state = states.at(row, (long) first * valueDim * keyDim, (end - first) * valueDim * keyDim);
                for (int head = first; head < end; head++) {
                    long from = 4 * ((long) row * keyHeads + (tiled ? head % keyHeads : head / (heads / keyHeads))) * keyDim, at = 4 * ((long) row * heads + head);
                    ofLength(query, queries + from, (float) (1 / Math.sqrt(keyDim)), keyDim, eps, lanes);
                    ofLength(key, keys + from, 1, keyDim, eps, lanes);
                    float raw = MEMORY.get(FLOAT, steps + at) + MEMORY.get(FLOAT, shifts + 4L * head), step = raw > 20 ? raw : (float) Math.log1p(Exponential.exp(raw));
                    float kept = Exponential.exp(step * MEMORY.get(FLOAT, decays + 4L * head)), learnt = 1 / (1 + Exponential.exp(-MEMORY.get(FLOAT, rates + at)));
                    for (int i = 0; i < valueDim; i++, state += 4L * keyDim) {
                        long feature = 4 * ((long) row * d + (long) head * valueDim + i);
                        float added = (MEMORY.get(FLOAT, values + feature) - kept * dot(state, key, keyDim, lanes)) * learnt;
                        MEMORY.set(FLOAT, to + feature, decayed(state, kept, key, query, added, keyDim, lanes));
                    }
                }
            }
        });
    }

    /** y = x · length / |x|, where |x| is taken to be eps at least. */
    private static void ofLength(long y, long x, float length, int count, float eps, long lanes) {
        float factor = length / Math.max((float) Math.sqrt(dot(x, x, count, lanes)), eps);
        for (long j = 0; j < 4L * count; j += 4) MEMORY.set(FLOAT, y + j, factor * MEMORY.get(FLOAT, x + j));
    }

    /** h = h · kept + b · input; returns the sum of c · h. */
    private static float decayed(long h, float kept, long b, long c, float input, int count, long lanes) {
        var sums = FloatVector.zero(F);
        var factors = FloatVector.broadcast(F, kept);
        var inputs = FloatVector.broadcast(F, input);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var state = FloatVector.fromMemorySegment(F, MEMORY, h + 4L * i, ORDER).mul(factors);
            var added = FloatVector.fromMemorySegment(F, MEMORY, b + 4L * i, ORDER);
            state = FMA ? added.fma(inputs, state) : added.mul(inputs).add(state);
            state.intoMemorySegment(MEMORY, h + 4L * i, ORDER);
            var weight = FloatVector.fromMemorySegment(F, MEMORY, c + 4L * i, ORDER);
            sums = FMA ? state.fma(weight, sums) : state.mul(weight).add(sums);
        }
        sums.intoMemorySegment(MEMORY, lanes, ORDER);                                                                 // reduce
        float sum = Lanes.sum(lanes);
        for (; i < count; i++) {                                                                                      // scalar tail
            float state = MEMORY.get(FLOAT, h + 4L * i) * kept + MEMORY.get(FLOAT, b + 4L * i) * input;
            MEMORY.set(FLOAT, h + 4L * i, state);
            sum += state * MEMORY.get(FLOAT, c + 4L * i);
        }
        return sum;
    }

    /** Addresses of the arguments of wkv7. */
    private record Wkv(long y, long bonus, long r, long decay, long k, long v, long rate, long removal, long replacement, long weight, int headDim) {}

    void wkv7(Tensor y, Tensor bonus, Tensor r, Tensor decay, Tensor k, Tensor v, Tensor rate, Tensor removal, Tensor replacement, Tensor weight, int headDim,
              Recurrence recurrence) {
        int d = r.shape().last();
        var p = new Wkv(address(y), address(bonus), address(r), address(decay), address(k), address(v), address(rate), address(removal), address(replacement),
            address(weight), headDim);
        var states = States.of("wkv7", recurrence);
        long part = Scratch.lines(headDim);
        scratch.reserve(4 * part);
        workers.split(d / headDim, grain(states, 4 * headDim * headDim), (worker, first, end) -> {
            long kept = scratch.of(worker), removed = kept + part, replaced = removed + part, written = replaced + part, lanes = scratch.lanes(worker);
            for (int row = 0; row < states.rows(); row++) {
                long state = states.at(row, (long) first * headDim * headDim, (end - first) * headDim * headDim);
                for (int head = first; head < end; head++, state += 4L * headDim * headDim) {
                    long at = 4 * ((long) row * d + (long) head * headDim);
                    float agreement = prepare(p, at, 4L * head * headDim, kept, removed, replaced, written);
                    for (int i = 0; i < headDim; i++) {
                        long line = state + 4L * i * headDim;
                        float value = MEMORY.get(FLOAT, p.v + at + 4L * i), taken = -dot(line, removed, headDim, lanes);
                        MEMORY.set(FLOAT, p.y + at + 4L * i, update(line, kept, replaced, taken, written, value, p.r + at, headDim, lanes));
                        MEMORY.set(FLOAT, p.bonus + at + 4L * i, value * agreement);
                    }
                }
            }
        });
    }

    /** What the lines of a head share: factors w, direction q, q · rate, and k'; returns the sum of r · k' · weight. */
    private static float prepare(Wkv p, long at, long head, long kept, long removed, long replaced, long written) {
        float length = 0, agreement = 0;
        for (long j = 0; j < 4L * p.headDim; j += 4) {
            float key = MEMORY.get(FLOAT, p.k + at + j), q = key * MEMORY.get(FLOAT, p.removal + head + j), rate = MEMORY.get(FLOAT, p.rate + at + j);
            MEMORY.set(FLOAT, kept + j, Exponential.exp(DECAY / (1 + Exponential.exp(-MEMORY.get(FLOAT, p.decay + at + j)))));
            MEMORY.set(FLOAT, removed + j, q);
            length += q * q;
            float replacement = key * (1 + (rate - 1) * MEMORY.get(FLOAT, p.replacement + head + j));
            MEMORY.set(FLOAT, written + j, replacement);
            agreement += MEMORY.get(FLOAT, p.r + at + j) * replacement * MEMORY.get(FLOAT, p.weight + head + j);
        }
        float inverse = 1 / Math.max((float) Math.sqrt(length), 1e-12f);
        for (long j = 0; j < 4L * p.headDim; j += 4) {
            float q = MEMORY.get(FLOAT, removed + j) * inverse;
            MEMORY.set(FLOAT, removed + j, q);
            MEMORY.set(FLOAT, replaced + j, q * MEMORY.get(FLOAT, p.rate + at + j));
        }
        return agreement;
    }

    private static float dot(long a, long b, int count, long lanes) {
        var sums = FloatVector.zero(F);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var left = FloatVector.fromMemorySegment(F, MEMORY, a + 4L * i, ORDER);
            var right = FloatVector.fromMemorySegment(F, MEMORY, b + 4L * i, ORDER);
            sums = FMA ? left.fma(right, sums) : left.mul(right).add(sums);
        }
        sums.intoMemorySegment(MEMORY, lanes, ORDER);                                                                 // reduce
        float sum = Lanes.sum(lanes);
        for (; i < count; i++) sum += MEMORY.get(FLOAT, a + 4L * i) * MEMORY.get(FLOAT, b + 4L * i);                  // scalar tail
        return sum;
    }

    /** line = line · kept + taken · replaced + value · written; returns the sum of line · r. */
    private static float update(long line, long kept, long replaced, float taken, long written, float value, long r, int count, long lanes) {
        var sums = FloatVector.zero(F);
        var takens = FloatVector.broadcast(F, taken);
        var values = FloatVector.broadcast(F, value);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var state = FloatVector.fromMemorySegment(F, MEMORY, line + 4L * i, ORDER).mul(FloatVector.fromMemorySegment(F, MEMORY, kept + 4L * i, ORDER));
            var back = FloatVector.fromMemorySegment(F, MEMORY, replaced + 4L * i, ORDER);
            var in = FloatVector.fromMemorySegment(F, MEMORY, written + 4L * i, ORDER);
            state = FMA ? back.fma(takens, state) : back.mul(takens).add(state);
            state = FMA ? in.fma(values, state) : in.mul(values).add(state);
            state.intoMemorySegment(MEMORY, line + 4L * i, ORDER);
            var weight = FloatVector.fromMemorySegment(F, MEMORY, r + 4L * i, ORDER);
            sums = FMA ? state.fma(weight, sums) : state.mul(weight).add(sums);
        }
        sums.intoMemorySegment(MEMORY, lanes, ORDER);                                                                 // reduce
        float sum = Lanes.sum(lanes);
        for (; i < count; i++) {                                                                                      // scalar tail
            float state = MEMORY.get(FLOAT, line + 4L * i) * MEMORY.get(FLOAT, kept + 4L * i) + taken * MEMORY.get(FLOAT, replaced + 4L * i)
                + value * MEMORY.get(FLOAT, written + 4L * i);
            MEMORY.set(FLOAT, line + 4L * i, state);
            sum += state * MEMORY.get(FLOAT, r + 4L * i);
        }
        return sum;
    }
}
