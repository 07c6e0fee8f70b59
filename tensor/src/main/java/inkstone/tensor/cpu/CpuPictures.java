package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.CpuRows.rowGrain;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;
import jdk.incubator.vector.FloatVector;

/** Norms, sizes and modulation of pictures. */
final class CpuPictures {
    private final Workers workers;
    private final Scratch scratch, shared;

    /** @param shared one block, for what tasks leave to be put together */
    CpuPictures(Workers workers, Scratch scratch, Scratch shared) {
        this.workers = workers;
        this.scratch = scratch;
        this.shared = shared;
    }

    void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) { throw new UnsupportedOperationException("groupNorm: no kernel here"); }
    void resize(Tensor y, Tensor x, Resampling resampling) { throw new UnsupportedOperationException("resize: no kernel here"); }

    // ---- modulation --------------------------------------------------------------------------------------------------------------------------------

    void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift) {
        int d = x.shape().last(), rows = x.shape().rows(), scaled = scale == null ? 1 : rows / scale.shape().dim(0), shifted = shift == null ? 1 : rows / shift.shape().dim(0);
        long to = address(y), from = address(x), factors = scale == null ? 0 : address(scale), added = shift == null ? 0 : address(shift);
        workers.split(rows, rowGrain(d), (worker, first, end) -> {
            for (int r = first; r < end; r++) {
                long row = 4L * r * d;
                modulate(to + row, from + row, factors == 0 ? 0 : factors + 4L * (r / scaled) * d, added == 0 ? 0 : added + 4L * (r / shifted) * d, d);
            }
        });
    }

    /** y = x (1 + scale) + shift; @param scale and shift: 0 where there are none */
    private static void modulate(long y, long x, long scale, long shift, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var value = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            if (scale != 0) value = value.mul(FloatVector.fromMemorySegment(F, MEMORY, scale + 4L * i, ORDER)).add(value);
            if (shift != 0) value = value.add(FloatVector.fromMemorySegment(F, MEMORY, shift + 4L * i, ORDER));
            value.intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float value = MEMORY.get(FLOAT, x + 4L * i);
            if (scale != 0) value += value * MEMORY.get(FLOAT, scale + 4L * i);
            if (shift != 0) value += MEMORY.get(FLOAT, shift + 4L * i);
            MEMORY.set(FLOAT, y + 4L * i, value);
        }
    }

    void gated(Tensor y, Tensor residual, Tensor x, Tensor gate) {
        int d = x.shape().last(), rows = x.shape().rows(), sharing = Math.max(1, rows / gate.shape().dim(0));
        long to = address(y), before = address(residual), from = address(x), factors = address(gate);
        workers.split(rows, rowGrain(d), (worker, first, end) -> {
            for (int r = first; r < end; r++) gated(to + 4L * r * d, before + 4L * r * d, from + 4L * r * d, factors + 4L * (r / sharing) * d, d);
        });
    }

    private static void gated(long y, long residual, long x, long gate, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var product = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).mul(FloatVector.fromMemorySegment(F, MEMORY, gate + 4L * i, ORDER));
            FloatVector.fromMemorySegment(F, MEMORY, residual + 4L * i, ORDER).add(product).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            MEMORY.set(FLOAT, y + 4L * i, MEMORY.get(FLOAT, residual + 4L * i) + MEMORY.get(FLOAT, x + 4L * i) * MEMORY.get(FLOAT, gate + 4L * i));
        }
    }
}
