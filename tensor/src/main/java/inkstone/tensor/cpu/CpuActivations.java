package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LT;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Tensor;
import jdk.incubator.vector.FloatVector;

/**
 * Functions of single elements. Those with an exponential first write it where the result will be, a piece of a few kilobytes at a time, and read it back from the
 * first-level cache. Parallel over ranges.
 */
final class CpuActivations {
    /* Elements worth a thread's waking, with an exponential and without. */
    static final int GRAIN = 1 << 13, CHEAP_GRAIN = 1 << 15, PIECE = 1024;

    /* gelu(z) = z / (1 + exp(-2 u)), u = sqrt(2 / pi) (z + 0.044715 z³), as (1 + tanh u) / 2 = 1 / (1 + exp(-2 u)). */
    static final float GELU = (float) (-2 * Math.sqrt(2 / Math.PI)), GELU_CUBE = (float) (GELU * 0.044715);

    /* tanh t = t - t³/3 + 2/15 t⁵ - 17/315 t⁷ + 62/2835 t⁹ for |t| below the limit. */
    private static final float SERIES_LIMIT = 0.3f, T3 = -1 / 3f, T5 = 2 / 15f, T7 = -17 / 315f, T9 = 62 / 2835f;

    /** Of the approximation of gelu by a sigmoid. */
    static final float QUICK = 1.702f;

    /* See tail; beyond the end it is 0. */
    private static final float TAIL = 0.305f, TAIL_END = 14, P0 = 0.121639736f, P1 = 0.12246681f, P2 = 0.10342093f, P3 = 0.12102147f, P4 = -0.037976429f, P5 = 0.18571645f,
        P6 = -0.15298805f, P7 = 0.036699124f;
    /** The density of a normal distribution at 0. */
    static final float DENSITY = (float) (1 / Math.sqrt(2 * Math.PI));

    private final Workers workers;
    private final Scratch scratch;

    CpuActivations(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    /** Does {@code count} elements that begin {@code offset} bytes into each tensor; lanes is scratch for one vector. */
    private interface Piece { void run(long offset, int count, long lanes); }

    private void pieces(Tensor y, Piece piece) {
        workers.split(Math.toIntExact(y.shape().elements()), GRAIN, (worker, from, end) -> {
            for (int i = from; i < end; i += PIECE) piece.run(4L * i, Math.min(PIECE, end - i), scratch.lanes(worker));
        });
    }

    void gelu(Tensor y, Tensor x) {
        long to = address(y), from = address(x);
        pieces(y, (offset, count, lanes) -> gelu(to + offset, from + offset, count, lanes));
    }

    void geglu(Tensor y, Tensor gate, Tensor up) {
        long to = address(y), from = address(gate), factor = address(up);
        pieces(y, (offset, count, lanes) -> {
            gelu(to + offset, from + offset, count, lanes);
            multiply(to + offset, factor + offset, count);
        });
    }

    private static void gelu(long y, long x, int count, long lanes) {
        geluExponential(y, x, count, lanes);
        share(y, x, count);
    }

    /** y = x / (1 + y) */
    static void share(long y, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var below = FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER).add(1);
            FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).div(below).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, y + 4L * i, MEMORY.get(FLOAT, x + 4L * i) / (MEMORY.get(FLOAT, y + 4L * i) + 1));  // scalar tail
    }

    /** y = exp(-2 u) of the x of gelu. */
    static void geluExponential(long y, long x, int count, long lanes) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var z = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            z.mul(z).mul(GELU_CUBE).add(GELU).mul(z).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float z = MEMORY.get(FLOAT, x + 4L * i);
            MEMORY.set(FLOAT, y + 4L * i, (z * z * GELU_CUBE + GELU) * z);
        }
        Exponential.exp(y, y, count, 1, 0, lanes);
    }

    /** y = y · x */
    static void multiply(long y, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var product = FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER).mul(FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER));
            product.intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, y + 4L * i, MEMORY.get(FLOAT, y + 4L * i) * MEMORY.get(FLOAT, x + 4L * i));  // scalar tail
    }

    void clampedSwiglu(Tensor y, Tensor gate, Tensor up, float alpha, float limit) {
        long to = address(y), g = address(gate), u = address(up);
        pieces(y, (offset, count, lanes) -> clampedSwiglu(to + offset, g + offset, u + offset, count, alpha, limit, lanes));
    }

    /* exp(-alpha · min(g, limit)) is the larger of exp(-alpha · g) and exp(-alpha · limit). */
    private static void clampedSwiglu(long y, long gate, long up, int count, float alpha, float limit, long lanes) {
        Exponential.exp(y, gate, count, -alpha, 0, lanes);
        float least = Exponential.exp(-alpha * limit);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var below = FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER).max(least).add(1);
            var factor = FloatVector.fromMemorySegment(F, MEMORY, up + 4L * i, ORDER).min(limit).max(-limit).add(1);
            FloatVector.fromMemorySegment(F, MEMORY, gate + 4L * i, ORDER).min(limit).div(below).mul(factor).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float below = Math.max(MEMORY.get(FLOAT, y + 4L * i), least) + 1, factor = Math.max(Math.min(MEMORY.get(FLOAT, up + 4L * i), limit), -limit) + 1;
            MEMORY.set(FLOAT, y + 4L * i, Math.min(MEMORY.get(FLOAT, gate + 4L * i), limit) / below * factor);
        }
    }

    void softCap(Tensor y, Tensor x, float cap) {
        long to = address(y), from = address(x);
        pieces(y, (offset, count, lanes) -> softCap(to + offset, from + offset, count, cap, lanes));
    }

    /**
     * y = cap · tanh(x / cap) = cap - 2 cap / (1 + exp(2 x / cap)). Where x is small beside the cap this leaves a small difference of large numbers; there the Taylor
     * series of tanh, odd to the 9th power, errs by less than 6e-8 of the result. y may not be x.
     */
    static void softCap(long y, long x, int count, float cap, long lanes) {
        Exponential.exp(y, x, count, 2 / cap, 0, lanes);
        float small = SERIES_LIMIT * cap, inverse = 1 / cap;
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var z = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            var t = z.mul(inverse);
            var t2 = t.mul(t);
            var series = t2.mul(T9).add(T7).mul(t2).add(T5).mul(t2).add(T3).mul(t2).mul(z).add(z);
            var taken = FloatVector.broadcast(F, 2 * cap).div(FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER).add(1));
            FloatVector.broadcast(F, cap).sub(taken).blend(series, z.abs().compare(LT, small)).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float z = MEMORY.get(FLOAT, x + 4L * i), t = z * inverse, t2 = t * t, series = (((t2 * T9 + T7) * t2 + T5) * t2 + T3) * t2 * z + z;
            MEMORY.set(FLOAT, y + 4L * i, Math.abs(z) < small ? series : cap - 2 * cap / (MEMORY.get(FLOAT, y + 4L * i) + 1));
        }
    }

    void scale(Tensor y, Tensor x, float factor) {
        long to = address(y), from = address(x);
        workers.split(Math.toIntExact(y.shape().elements()), CHEAP_GRAIN, (worker, first, end) -> scale(to + 4L * first, from + 4L * first, factor, end - first));
    }

    /** y = x · factor; y may be x. */
    static void scale(long y, long x, float factor, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).mul(factor).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, y + 4L * i, MEMORY.get(FLOAT, x + 4L * i) * factor);                 // scalar tail
    }

    void mul(Tensor y, Tensor a, Tensor b) {
        long to = address(y), left = address(a), right = address(b);
        workers.split(Math.toIntExact(y.shape().elements()), CHEAP_GRAIN, (worker, first, end) -> {
            MEMORY.asSlice(to + 4L * first, 4L * (end - first)).copyFrom(MEMORY.asSlice(left + 4L * first, 4L * (end - first)));
            multiply(to + 4L * first, right + 4L * first, end - first);
        });
    }

    void lerp(Tensor y, Tensor a, Tensor b, Tensor weight) {
        int d = y.shape().last();
        long to = address(y), from = address(a), other = address(b), weights = address(weight), next = weight.shape().rank() == 1 ? 0 : 4L * d;
        workers.split(y.shape().dim(0), Math.max(1, CHEAP_GRAIN / d), (worker, first, end) -> {
            for (int r = first; r < end; r++) lerp(to + 4L * r * d, from + 4L * r * d, other + 4L * r * d, weights + r * next, d);
        });
    }

    private static void lerp(long y, long a, long b, long weight, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var from = FloatVector.fromMemorySegment(F, MEMORY, a + 4L * i, ORDER);
            var way = FloatVector.fromMemorySegment(F, MEMORY, b + 4L * i, ORDER).sub(from).mul(FloatVector.fromMemorySegment(F, MEMORY, weight + 4L * i, ORDER));
            from.add(way).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float from = MEMORY.get(FLOAT, a + 4L * i);
            MEMORY.set(FLOAT, y + 4L * i, from + (MEMORY.get(FLOAT, b + 4L * i) - from) * MEMORY.get(FLOAT, weight + 4L * i));
        }
    }

    void map(Tensor y, Tensor x, Elementwise function) {
        long to = address(y), from = address(x);
        pieces(y, (offset, count, lanes) -> {
            switch (function) {
                case SILU -> {
                    sigmoid(to + offset, from + offset, count, lanes);
                    multiply(to + offset, from + offset, count);
                }
                case SIGMOID -> sigmoid(to + offset, from + offset, count, lanes);
                case TANH -> softCap(to + offset, from + offset, count, 1, lanes);
                case RELU_SQUARED -> reluSquared(to + offset, from + offset, count);
                case ELU -> elu(to + offset, from + offset, count, lanes);
                case GELU_ERF -> {
                    normalExponential(to + offset, from + offset, count, lanes);
                    tail(to + offset, to + offset, from + offset, count);
                    belowTail(to + offset, from + offset, count);
                }
                case QUICK_GELU -> {
                    Exponential.exp(to + offset, from + offset, count, -QUICK, 0, lanes);
                    share(to + offset, from + offset, count);
                }
                case RECIPROCAL_ROOT -> reciprocalRoot(to + offset, from + offset, count);
                case EXP -> Exponential.exp(to + offset, from + offset, count, 1, 0, lanes);
                case SOFTPLUS -> softplus(to + offset, from + offset, count);
            }
        });
    }


    /** y = exp(-x² / 2) */
    static void normalExponential(long y, long x, int count, long lanes) {
        MEMORY.asSlice(y, 4L * count).copyFrom(MEMORY.asSlice(x, 4L * count));
        multiply(y, x, count);
        Exponential.exp(y, y, count, -0.5f, 0, lanes);
    }

    /**
     * q = the share of a normal distribution beyond |x|, (1 - erf(|x| / sqrt(2))) / 2, of e = exp(-x² / 2): e t P(t), t = 1 / (1 + p |x|), the form of Hastings (Abramowitz & Stegun
     * 1964, 7.1.26) with a polynomial of degree 7 fitted for the least relative error, 1e-7 up to |x| = 14, 4e-7 as computed. q may be e.
     */
    static void tail(long q, long e, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var t = FloatVector.broadcast(F, 1).div(FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).abs().mul(TAIL).add(1));
            var p = t.mul(P7).add(P6).mul(t).add(P5).mul(t).add(P4).mul(t).add(P3).mul(t).add(P2).mul(t).add(P1).mul(t).add(P0).mul(t);
            p.mul(FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER)).intoMemorySegment(MEMORY, q + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float t = 1 / (Math.abs(MEMORY.get(FLOAT, x + 4L * i)) * TAIL + 1);
            float p = (((((((t * P7 + P6) * t + P5) * t + P4) * t + P3) * t + P2) * t + P1) * t + P0) * t;
            MEMORY.set(FLOAT, q + 4L * i, p * MEMORY.get(FLOAT, e + 4L * i));
        }
    }

    /** y = max(x, 0) - |x| y: x times the share below it, of the share y beyond |x|. */
    private static void belowTail(long y, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var z = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            z.max(0).sub(z.abs().min(TAIL_END).mul(FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER))).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float z = MEMORY.get(FLOAT, x + 4L * i);
            MEMORY.set(FLOAT, y + 4L * i, Math.max(z, 0) - Math.min(Math.abs(z), TAIL_END) * MEMORY.get(FLOAT, y + 4L * i));
        }
    }

    /* Seldom and on few elements: no vectors. */
    private static void softplus(long y, long x, int count) {
        for (int i = 0; i < count; i++) {
            double z = MEMORY.get(FLOAT, x + 4L * i);
            MEMORY.set(FLOAT, y + 4L * i, (float) (Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)))));
        }
    }

    /** y = 1 / (1 + exp(-x)) */
    private static void sigmoid(long y, long x, int count, long lanes) {
        Exponential.exp(y, x, count, -1, 0, lanes);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            FloatVector.broadcast(F, 1).div(FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER).add(1)).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, y + 4L * i, 1 / (MEMORY.get(FLOAT, y + 4L * i) + 1));                // scalar tail
    }

    private static void reluSquared(long y, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var z = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).max(0);
            z.mul(z).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float z = Math.max(MEMORY.get(FLOAT, x + 4L * i), 0);
            MEMORY.set(FLOAT, y + 4L * i, z * z);
        }
    }

    private static void reciprocalRoot(long y, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            FloatVector.broadcast(F, 1).div(FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).sqrt()).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, y + 4L * i, 1 / (float) Math.sqrt(MEMORY.get(FLOAT, x + 4L * i)));   // scalar tail
    }

    private static void elu(long y, long x, int count, long lanes) {
        Exponential.exp(y, x, count, 1, 0, lanes);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var z = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            var negative = FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER).sub(1);
            negative.blend(z, z.compare(GT, 0)).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float z = MEMORY.get(FLOAT, x + 4L * i);
            MEMORY.set(FLOAT, y + 4L * i, z > 0 ? z : MEMORY.get(FLOAT, y + 4L * i) - 1);
        }
    }

    void leakyRelu(Tensor y, Tensor x, float slope) {
        long to = address(y), from = address(x);
        workers.split(Math.toIntExact(y.shape().elements()), CHEAP_GRAIN, (worker, first, end) -> leakyRelu(to + 4L * first, from + 4L * first, slope, end - first));
    }

    private static void leakyRelu(long y, long x, float slope, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var z = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            z.mul(slope).blend(z, z.compare(GT, 0)).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float z = MEMORY.get(FLOAT, x + 4L * i);
            MEMORY.set(FLOAT, y + 4L * i, z > 0 ? z : z * slope);
        }
    }
}
