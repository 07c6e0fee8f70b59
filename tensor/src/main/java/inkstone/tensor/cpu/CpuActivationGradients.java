package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.CpuActivations.CHEAP_GRAIN;
import static inkstone.tensor.cpu.CpuActivations.DENSITY;
import static inkstone.tensor.cpu.CpuActivations.GELU;
import static inkstone.tensor.cpu.CpuActivations.GELU_CUBE;
import static inkstone.tensor.cpu.CpuActivations.GRAIN;
import static inkstone.tensor.cpu.CpuActivations.PIECE;
import static inkstone.tensor.cpu.CpuRowGradients.destination;
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
 * Gradients of functions of single elements, a piece of a few kilobytes at a time: the exponentials, which become slopes, lie in a worker's scratch memory meanwhile.
 * With e = exp(-z) and s = 1 / (1 + e), 1 - s is taken as e s, of which no digits are lost. Parallel over ranges.
 */
final class CpuActivationGradients {
    /* Beyond, the slope of gelu is 0 or 1 to the last digit, and its formula would overflow. */
    private static final float GELU_LIMIT = 20;

    private final Workers workers;
    private final Scratch scratch;

    CpuActivationGradients(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    /** Does {@code count} elements that begin {@code offset} bytes into each tensor; e is scratch for them, {@code spare} for a gradient that nobody wants, lanes for one vector. */
    private interface Piece { void run(long offset, int count, long e, long spare, long lanes); }

    private void pieces(Tensor dy, int grain, Piece piece) {
        scratch.reserve(8L * PIECE);
        workers.split(Math.toIntExact(dy.shape().elements()), grain, (worker, from, end) -> {
            long e = scratch.of(worker), spare = e + 4L * PIECE;
            for (int i = from; i < end; i += PIECE) piece.run(4L * i, Math.min(PIECE, end - i), e, spare, scratch.lanes(worker));
        });
    }

    // ---- products ----------------------------------------------------------------------------------------------------------------------------------

    void scale(Tensor dx, Tensor dy, float factor) {
        if (dx == null) return;
        long to = address(dx), from = address(dy);
        workers.split(Math.toIntExact(dy.shape().elements()), CHEAP_GRAIN, (worker, first, end) -> CpuExperts.addScaled(to + 4L * first, from + 4L * first, factor, end - first));
    }

    void mul(Tensor da, Tensor db, Tensor dy, Tensor a, Tensor b) {
        long toA = destination(da), toB = destination(db), g = address(dy), left = address(a), right = address(b);
        pieces(dy, CHEAP_GRAIN, (offset, count, _, _, _) -> {
            if (toA != 0) addProduct(toA + offset, g + offset, right + offset, count);
            if (toB != 0) addProduct(toB + offset, g + offset, left + offset, count);
        });
    }

    /** dx += dy · slope */
    static void addProduct(long dx, long dy, long slope, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var product = FloatVector.fromMemorySegment(F, MEMORY, dy + 4L * i, ORDER).mul(FloatVector.fromMemorySegment(F, MEMORY, slope + 4L * i, ORDER));
            FloatVector.fromMemorySegment(F, MEMORY, dx + 4L * i, ORDER).add(product).intoMemorySegment(MEMORY, dx + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            MEMORY.set(FLOAT, dx + 4L * i, MEMORY.get(FLOAT, dx + 4L * i) + MEMORY.get(FLOAT, dy + 4L * i) * MEMORY.get(FLOAT, slope + 4L * i));
        }
    }

    // ---- gates -------------------------------------------------------------------------------------------------------------------------------------

    void swiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) {
        long toGate = destination(dGate), toUp = destination(dUp), g = address(dy), z = address(gate), u = address(up);
        pieces(dy, GRAIN, (offset, count, e, spare, lanes) -> {
            Exponential.exp(e, z + offset, count, -1, 0, lanes);
            swiglu(toGate == 0 ? spare : toGate + offset, toUp == 0 ? spare : toUp + offset, g + offset, z + offset, u + offset, e, count);
        });
    }

    private static void swiglu(long dGate, long dUp, long dy, long gate, long up, long e, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body; the two gradients may be the same
            var z = FloatVector.fromMemorySegment(F, MEMORY, gate + 4L * i, ORDER);
            var power = FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER);
            var s = FloatVector.broadcast(F, 1).div(power.add(1));
            var slope = power.mul(s).mul(z).add(1).mul(s);
            var g = FloatVector.fromMemorySegment(F, MEMORY, dy + 4L * i, ORDER);
            var toGate = g.mul(FloatVector.fromMemorySegment(F, MEMORY, up + 4L * i, ORDER)).mul(slope);
            FloatVector.fromMemorySegment(F, MEMORY, dGate + 4L * i, ORDER).add(toGate).intoMemorySegment(MEMORY, dGate + 4L * i, ORDER);
            FloatVector.fromMemorySegment(F, MEMORY, dUp + 4L * i, ORDER).add(g.mul(z).mul(s)).intoMemorySegment(MEMORY, dUp + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float z = MEMORY.get(FLOAT, gate + 4L * i), power = MEMORY.get(FLOAT, e + 4L * i), s = 1 / (power + 1), g = MEMORY.get(FLOAT, dy + 4L * i);
            float slope = (power * s * z + 1) * s;
            MEMORY.set(FLOAT, dGate + 4L * i, MEMORY.get(FLOAT, dGate + 4L * i) + g * MEMORY.get(FLOAT, up + 4L * i) * slope);
            MEMORY.set(FLOAT, dUp + 4L * i, MEMORY.get(FLOAT, dUp + 4L * i) + g * z * s);
        }
    }

    void clampedSwiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, float alpha, float limit) {
        long toGate = destination(dGate), toUp = destination(dUp), g = address(dy), z = address(gate), u = address(up);
        pieces(dy, GRAIN, (offset, count, e, spare, lanes) -> {
            Exponential.exp(e, z + offset, count, -alpha, 0, lanes);
            clampedSwiglu(toGate == 0 ? spare : toGate + offset, toUp == 0 ? spare : toUp + offset, g + offset, z + offset, u + offset, e, count, alpha, limit);
        });
    }

    private static void clampedSwiglu(long dGate, long dUp, long dy, long gate, long up, long e, int count, float alpha, float limit) {
        float least = Exponential.exp(-alpha * limit);                                 // as forward: exp(-alpha · min(gate, limit)) is at least this
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body; the two gradients may be the same
            var z = FloatVector.fromMemorySegment(F, MEMORY, gate + 4L * i, ORDER);
            var held = z.min(limit);
            var factor = FloatVector.fromMemorySegment(F, MEMORY, up + 4L * i, ORDER);
            var power = FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER).max(least);
            var s = FloatVector.broadcast(F, 1).div(power.add(1));
            var slope = power.mul(s).mul(held).mul(alpha).add(1).mul(s);
            var g = FloatVector.fromMemorySegment(F, MEMORY, dy + 4L * i, ORDER);
            var toGate = g.mul(factor.min(limit).max(-limit).add(1)).mul(slope);
            var before = FloatVector.fromMemorySegment(F, MEMORY, dGate + 4L * i, ORDER);
            before.add(toGate, z.compare(LT, limit)).intoMemorySegment(MEMORY, dGate + 4L * i, ORDER);
            before = FloatVector.fromMemorySegment(F, MEMORY, dUp + 4L * i, ORDER);
            before.add(g.mul(held).mul(s), factor.abs().compare(LT, limit)).intoMemorySegment(MEMORY, dUp + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float z = MEMORY.get(FLOAT, gate + 4L * i), held = Math.min(z, limit), factor = MEMORY.get(FLOAT, up + 4L * i), g = MEMORY.get(FLOAT, dy + 4L * i);
            float power = Math.max(MEMORY.get(FLOAT, e + 4L * i), least), s = 1 / (power + 1), slope = (power * s * held * alpha + 1) * s;
            if (z < limit) MEMORY.set(FLOAT, dGate + 4L * i, MEMORY.get(FLOAT, dGate + 4L * i) + g * (Math.max(Math.min(factor, limit), -limit) + 1) * slope);
            if (Math.abs(factor) < limit) MEMORY.set(FLOAT, dUp + 4L * i, MEMORY.get(FLOAT, dUp + 4L * i) + g * held * s);
        }
    }

    void geglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) {
        long toGate = destination(dGate), toUp = destination(dUp), g = address(dy), z = address(gate), u = address(up);
        pieces(dy, GRAIN, (offset, count, e, spare, lanes) -> {
            CpuActivations.geluExponential(e, z + offset, count, lanes);
            geglu(toGate == 0 ? spare : toGate + offset, toUp == 0 ? spare : toUp + offset, g + offset, z + offset, u + offset, e, count);
        });
    }

    private static void geglu(long dGate, long dUp, long dy, long gate, long up, long e, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body; the two gradients may be the same
            var z = FloatVector.fromMemorySegment(F, MEMORY, gate + 4L * i, ORDER);
            var power = FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER);
            var s = FloatVector.broadcast(F, 1).div(power.add(1));
            var held = z.min(GELU_LIMIT).max(-GELU_LIMIT);
            var inner = held.mul(held).mul(3 * GELU_CUBE).add(GELU).mul(held);
            var slope = FloatVector.broadcast(F, 1).sub(power.mul(s).mul(inner)).mul(s);
            var g = FloatVector.fromMemorySegment(F, MEMORY, dy + 4L * i, ORDER);
            var toGate = g.mul(FloatVector.fromMemorySegment(F, MEMORY, up + 4L * i, ORDER)).mul(slope);
            FloatVector.fromMemorySegment(F, MEMORY, dGate + 4L * i, ORDER).add(toGate).intoMemorySegment(MEMORY, dGate + 4L * i, ORDER);
            FloatVector.fromMemorySegment(F, MEMORY, dUp + 4L * i, ORDER).add(g.mul(z).mul(s)).intoMemorySegment(MEMORY, dUp + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float z = MEMORY.get(FLOAT, gate + 4L * i), power = MEMORY.get(FLOAT, e + 4L * i), s = 1 / (power + 1), g = MEMORY.get(FLOAT, dy + 4L * i);
            MEMORY.set(FLOAT, dGate + 4L * i, MEMORY.get(FLOAT, dGate + 4L * i) + g * MEMORY.get(FLOAT, up + 4L * i) * geluSlope(z, power));
            MEMORY.set(FLOAT, dUp + 4L * i, MEMORY.get(FLOAT, dUp + 4L * i) + g * z * s);
        }
    }

    // ---- functions of one ----------------------------------------------------------------------------------------------------------------------------

    void gelu(Tensor dx, Tensor dy, Tensor x) {
        if (dx == null) return;
        long to = address(dx), g = address(dy), from = address(x);
        pieces(dy, GRAIN, (offset, count, e, _, lanes) -> {
            CpuActivations.geluExponential(e, from + offset, count, lanes);
            geluSlope(e, from + offset, count);
            addProduct(to + offset, g + offset, e, count);
        });
    }

    /** Of e = exp(w(x)): with s = 1 / (1 + e), gelu(x) = x s and its slope is s - x s (1 - s) w'(x). */
    private static void geluSlope(long e, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var power = FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER);
            var s = FloatVector.broadcast(F, 1).div(power.add(1));
            var held = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).min(GELU_LIMIT).max(-GELU_LIMIT);
            var inner = held.mul(held).mul(3 * GELU_CUBE).add(GELU).mul(held);
            FloatVector.broadcast(F, 1).sub(power.mul(s).mul(inner)).mul(s).intoMemorySegment(MEMORY, e + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, e + 4L * i, geluSlope(MEMORY.get(FLOAT, x + 4L * i), MEMORY.get(FLOAT, e + 4L * i)));   // scalar tail
    }

    private static float geluSlope(float x, float power) {
        float s = 1 / (power + 1), held = Math.max(Math.min(x, GELU_LIMIT), -GELU_LIMIT);
        return (1 - power * s * ((held * held * (3 * GELU_CUBE) + GELU) * held)) * s;
    }

    void softCap(Tensor dx, Tensor dy, Tensor y, float cap) {
        if (dx == null) return;
        long to = address(dx), g = address(dy), from = address(y);
        pieces(dy, CHEAP_GRAIN, (offset, count, e, _, _) -> {
            softCapSlope(e, from + offset, count, 1 / cap);
            addProduct(to + offset, g + offset, e, count);
        });
    }

    /** e = (1 - y / cap) (1 + y / cap) */
    private static void softCapSlope(long e, long y, int count, float inverse) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var t = FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER).mul(inverse);
            FloatVector.broadcast(F, 1).sub(t).mul(t.add(1)).intoMemorySegment(MEMORY, e + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float t = MEMORY.get(FLOAT, y + 4L * i) * inverse;
            MEMORY.set(FLOAT, e + 4L * i, (1 - t) * (t + 1));
        }
    }

    void map(Tensor dx, Tensor dy, Tensor x, Elementwise function) {
        if (dx == null) return;
        long to = address(dx), g = address(dy), from = address(x);
        pieces(dy, GRAIN, (offset, count, e, spare, lanes) -> {
            slope(e, from + offset, count, function, spare, lanes);
            addProduct(to + offset, g + offset, e, count);
        });
    }

    private static void slope(long e, long x, int count, Elementwise function, long spare, long lanes) {
        switch (function) {
            case SILU -> {
                Exponential.exp(e, x, count, -1, 0, lanes);
                siluSlope(e, x, 1, count);
            }
            case QUICK_GELU -> {
                Exponential.exp(e, x, count, -CpuActivations.QUICK, 0, lanes);
                siluSlope(e, x, CpuActivations.QUICK, count);
            }
            case GELU_ERF -> {
                CpuActivations.normalExponential(e, x, count, lanes);
                CpuActivations.tail(spare, e, x, count);
                geluErfSlope(e, spare, x, count);
            }
            case RECIPROCAL_ROOT -> reciprocalRootSlope(e, x, count);
            case EXP -> Exponential.exp(e, x, count, 1, 0, lanes);
            case SIGMOID -> {
                Exponential.exp(e, x, count, -1, 0, lanes);
                sigmoidSlope(e, count, 1);
            }
            case TANH -> {                                                             // 1 - tanh² z = 4 s (1 - s) with the s of 2 z
                Exponential.exp(e, x, count, -2, 0, lanes);
                sigmoidSlope(e, count, 4);
            }
            case SOFTPLUS -> {
                Exponential.exp(e, x, count, -1, 0, lanes);
                sigmoid(e, count);
            }
            case ELU -> {
                Exponential.exp(e, x, count, 1, 0, lanes);
                eluSlope(e, x, count);
            }
            case RELU_SQUARED -> reluSquaredSlope(e, x, count);
        }
    }

    /** Of e = exp(-factor x): the slope of x s, s = 1 / (1 + e). */
    static void siluSlope(long e, long x, float factor, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var power = FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER);
            var s = FloatVector.broadcast(F, 1).div(power.add(1));
            power.mul(s).mul(FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER)).mul(factor).add(1).mul(s).intoMemorySegment(MEMORY, e + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float power = MEMORY.get(FLOAT, e + 4L * i), s = 1 / (power + 1);
            MEMORY.set(FLOAT, e + 4L * i, (power * s * MEMORY.get(FLOAT, x + 4L * i) * factor + 1) * s);
        }
    }

    /** Of e = exp(-x² / 2) and the share q beyond |x|: the share below x, and x times the density there. */
    private static void geluErfSlope(long e, long q, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var z = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            var beyond = FloatVector.fromMemorySegment(F, MEMORY, q + 4L * i, ORDER);
            var below = beyond.blend(FloatVector.broadcast(F, 1).sub(beyond), z.compare(GT, 0));
            FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER).mul(DENSITY).mul(z).add(below).intoMemorySegment(MEMORY, e + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float z = MEMORY.get(FLOAT, x + 4L * i), beyond = MEMORY.get(FLOAT, q + 4L * i);
            MEMORY.set(FLOAT, e + 4L * i, MEMORY.get(FLOAT, e + 4L * i) * DENSITY * z + (z > 0 ? 1 - beyond : beyond));
        }
    }

    /** e = factor s (1 - s) */
    private static void sigmoidSlope(long e, int count, float factor) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var power = FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER);
            var s = FloatVector.broadcast(F, 1).div(power.add(1));
            power.mul(s).mul(s).mul(factor).intoMemorySegment(MEMORY, e + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float power = MEMORY.get(FLOAT, e + 4L * i), s = 1 / (power + 1);
            MEMORY.set(FLOAT, e + 4L * i, power * s * s * factor);
        }
    }

    private static void sigmoid(long e, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            FloatVector.broadcast(F, 1).div(FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER).add(1)).intoMemorySegment(MEMORY, e + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, e + 4L * i, 1 / (MEMORY.get(FLOAT, e + 4L * i) + 1));                // scalar tail
    }

    private static void eluSlope(long e, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var positive = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).compare(GT, 0);
            FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER).blend(1, positive).intoMemorySegment(MEMORY, e + 4L * i, ORDER);
        }
        for (; i < count; i++) if (MEMORY.get(FLOAT, x + 4L * i) > 0) MEMORY.set(FLOAT, e + 4L * i, 1);               // scalar tail
    }

    private static void reluSquaredSlope(long e, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).max(0).mul(2).intoMemorySegment(MEMORY, e + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, e + 4L * i, 2 * Math.max(MEMORY.get(FLOAT, x + 4L * i), 0));         // scalar tail
    }

    private static void reciprocalRootSlope(long e, long x, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var z = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            FloatVector.broadcast(F, -0.5f).div(z.mul(z.sqrt())).intoMemorySegment(MEMORY, e + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float z = MEMORY.get(FLOAT, x + 4L * i);
            MEMORY.set(FLOAT, e + 4L * i, -0.5f / (z * (float) Math.sqrt(z)));
        }
    }

    void leakyRelu(Tensor dx, Tensor dy, Tensor x, float slope) {
        if (dx == null) return;
        long to = address(dx), g = address(dy), from = address(x);
        workers.split(Math.toIntExact(dy.shape().elements()), CHEAP_GRAIN, (worker, first, end) -> leakyRelu(to + 4L * first, g + 4L * first, from + 4L * first, slope, end - first));
    }

    private static void leakyRelu(long dx, long dy, long x, float slope, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var g = FloatVector.fromMemorySegment(F, MEMORY, dy + 4L * i, ORDER);
            var passed = g.mul(slope).blend(g, FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).compare(GT, 0));
            FloatVector.fromMemorySegment(F, MEMORY, dx + 4L * i, ORDER).add(passed).intoMemorySegment(MEMORY, dx + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float g = MEMORY.get(FLOAT, dy + 4L * i);
            MEMORY.set(FLOAT, dx + 4L * i, MEMORY.get(FLOAT, dx + 4L * i) + (MEMORY.get(FLOAT, x + 4L * i) > 0 ? g : g * slope));
        }
    }
}
