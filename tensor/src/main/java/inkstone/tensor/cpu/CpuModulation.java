package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.CpuActivationGradients.addProduct;
import static inkstone.tensor.cpu.CpuRowGradients.destination;
import static inkstone.tensor.cpu.CpuRows.add;
import static inkstone.tensor.cpu.CpuRows.rowGrain;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Tensor;
import jdk.incubator.vector.FloatVector;

/** What one row does to all rows of its group, as conditions to the pixels of a picture, and its gradients. Parallel over rows; sums over rows are taken by {@link ColumnSums}. */
final class CpuModulation {
    private final Workers workers;
    private final ColumnSums sums;

    /** @param shared one block, for sums */
    CpuModulation(Workers workers, Scratch shared) {
        this.workers = workers;
        sums = new ColumnSums(workers, shared);
    }

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

    // ---- gradients ---------------------------------------------------------------------------------------------------------------------------------

    void modulateGradient(Tensor dx, Tensor dScale, Tensor dShift, Tensor dy, Tensor x, Tensor scale) {
        int d = dy.shape().last(), rows = dy.shape().rows(), sharing = scale == null ? 1 : Math.max(1, rows / scale.shape().dim(0));
        long to = destination(dx), g = address(dy), factors = scale == null ? 0 : address(scale);
        if (to != 0) {
            workers.split(rows, rowGrain(d), (worker, first, end) -> {
                for (int r = first; r < end; r++) {
                    long row = 4L * r * d;
                    add(to + row, to + row, g + row, d);
                    if (factors != 0) addProduct(to + row, g + row, factors + 4L * (r / sharing) * d, d);
                }
            });
        }
        shared(dScale, dy, x);
        shared(dShift, dy, null);
    }

    void gatedGradient(Tensor dx, Tensor dGate, Tensor dy, Tensor x, Tensor gate) {
        int d = dy.shape().last(), rows = dy.shape().rows(), sharing = Math.max(1, rows / gate.shape().dim(0));
        long to = destination(dx), g = address(dy), factors = address(gate);
        if (to != 0) {
            workers.split(rows, rowGrain(d), (worker, first, end) -> {
                for (int r = first; r < end; r++) addProduct(to + 4L * r * d, g + 4L * r * d, factors + 4L * (r / sharing) * d, d);
            });
        }
        shared(dGate, dy, x);
    }

    /** A row of the destination += dy x, or dy where there is no x, of all rows that share it. */
    private void shared(Tensor destination, Tensor dy, Tensor x) {
        if (destination == null) return;
        int d = dy.shape().last(), groups = destination.shape().dim(0);
        long g = address(dy), from = x == null ? 0 : address(x);
        sums.of(groups, dy.shape().rows() / groups, d, d, (worker, first, end, sum) -> {
            for (int r = first; r < end; r++) {
                if (from == 0) add(sum, sum, g + 4L * r * d, d); else addProduct(sum, g + 4L * r * d, from + 4L * r * d, d);
            }
        }).addTo(destination, 0);
    }
}
