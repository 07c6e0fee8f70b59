package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Blocks;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** What weight-decomposed adapters (Liu et al. 2024, arXiv:2402.09353) need beside a linear map. Parallel over rows. */
final class CpuColumns {
    /* Elements worth a thread's waking. */
    private static final int GRAIN = 1 << 15, DECODING_GRAIN = 1 << 13;

    private final Workers workers;

    CpuColumns(Workers workers) { this.workers = workers; }

    void scaleColumns(Tensor y, Tensor x, Tensor factors, Tensor divisors, Tensor bias) {
        int d = y.shape().last();
        long to = address(y), from = address(x), times = address(factors), by = divisors == null ? 0 : address(divisors), plus = bias == null ? 0 : address(bias);
        workers.split(y.shape().dim(0), Math.max(1, GRAIN / d), (worker, first, end) -> {
            for (int r = first; r < end; r++) scaleRow(to + 4L * r * d, from + 4L * r * d, times, by, plus, d);
        });
    }

    /** @param divisors and bias: 0 where there are none */
    private static void scaleRow(long y, long x, long factors, long divisors, long bias, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var value = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).mul(FloatVector.fromMemorySegment(F, MEMORY, factors + 4L * i, ORDER));
            if (divisors != 0) value = value.div(FloatVector.fromMemorySegment(F, MEMORY, divisors + 4L * i, ORDER));
            if (bias != 0) value = value.add(FloatVector.fromMemorySegment(F, MEMORY, bias + 4L * i, ORDER));
            value.intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float value = MEMORY.get(FLOAT, x + 4L * i) * MEMORY.get(FLOAT, factors + 4L * i);
            if (divisors != 0) value /= MEMORY.get(FLOAT, divisors + 4L * i);
            if (bias != 0) value += MEMORY.get(FLOAT, bias + 4L * i);
            MEMORY.set(FLOAT, y + 4L * i, value);
        }
    }

    /** Each row is decoded once and changed in place: rank multiplications an element, as the gradient of a itself takes for each token. */
    void rowLengths(Tensor lengths, Tensor weight, Tensor a, Tensor b, float scale) {
        int out = weight.shape().dim(0), in = weight.shape().last(), rank = a.shape().dim(0);
        var dtype = weight.dtype();
        long to = address(lengths), left = address(b), rowBytes = dtype.bytes(in);
        var rows = new float[rank][in];
        for (int r = 0; r < rank; r++) MemorySegment.copy(a.data(), FLOAT, 4L * r * in, rows[r], 0, in);
        workers.split(out, Math.max(1, DECODING_GRAIN / in), (worker, first, end) -> {
            var row = new float[in];
            for (int o = first; o < end; o++) {
                Blocks.toFloats(dtype, weight.data(), o * rowBytes, row, in);
                for (int r = 0; r < rank; r++) addScaled(row, rows[r], scale * MEMORY.get(FLOAT, left + 4L * ((long) o * rank + r)));
                MEMORY.set(FLOAT, to + 4L * o, (float) Math.sqrt(squares(row)));
            }
        });
    }

    private static void addScaled(float[] y, float[] x, float factor) { for (int i = 0; i < y.length; i++) y[i] += factor * x[i]; }

    private static double squares(float[] x) {
        double sum = 0;
        for (float value : x) sum += (double) value * value;
        return sum;
    }
}
