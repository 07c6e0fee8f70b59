package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.CpuRows.rowGrain;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/** Gradients of what goes by rows: norms, lookups, copies. Parallel over rows; sums over rows are taken by {@link ColumnSums}. */
final class CpuRowGradients {
    private final Workers workers;
    private final Scratch scratch;
    private final ColumnSums sums;

    CpuRowGradients(Workers workers, Scratch scratch, Scratch single) {
        this.workers = workers;
        this.scratch = scratch;
        sums = new ColumnSums(workers, single);
    }

    /** Where a gradient lies, 0 where none is wanted. */
    static long destination(Tensor gradient) { return gradient == null ? 0 : address(gradient); }

    // ---- norms -------------------------------------------------------------------------------------------------------------------------------------

    void rmsNorm(Tensor dx, Tensor dWeight, Tensor dy, Tensor x, Tensor weight, float eps) {
        int d = x.shape().last();
        long to = destination(dx), g = address(dy), from = address(x), w = address(weight);
        scratch.reserve(Scratch.lines(d));
        sums.of(x.shape().rows(), d, dWeight == null ? 0 : d, (worker, first, end, sum) -> {
            long h = scratch.of(worker), lanes = scratch.lanes(worker);
            for (int r = first; r < end; r++) {
                long row = 4L * r * d;
                float inverse = (float) (1 / Math.sqrt(CpuRows.squares(from + row, d, lanes) / (double) d + eps));
                CpuActivations.scale(h, from + row, inverse, d);
                if (to != 0) norm(to + row, g + row, h, w, inverse, false, d, lanes);
                if (dWeight != null) CpuActivationGradients.addProduct(sum, g + row, h, d);
            }
        }).addTo(dWeight, 0);
    }

    void layerNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, float eps) {
        int d = x.shape().last(), heads = weight == null ? 1 : weight.shape().rows(), weights = dWeight == null ? 0 : heads * d, biases = dBias == null ? 0 : heads * d;
        long to = destination(dx), g = address(dy), from = address(x), w = weight == null ? 0 : address(weight);
        scratch.reserve(Scratch.lines(d));
        var partials = sums.of(x.shape().rows(), d, weights + biases, (worker, first, end, sum) -> {
            long h = scratch.of(worker), lanes = scratch.lanes(worker);
            for (int r = first; r < end; r++) {
                long row = 4L * r * d, head = 4L * (r % heads) * d;
                CpuRows.centre(h, from + row, d, lanes);
                float inverse = (float) (1 / Math.sqrt(CpuRows.squares(h, d, lanes) / (double) d + eps));
                CpuActivations.scale(h, h, inverse, d);
                if (to != 0) norm(to + row, g + row, h, w == 0 ? 0 : w + head, inverse, true, d, lanes);
                if (weights > 0) CpuActivationGradients.addProduct(sum + head, g + row, h, d);
                if (biases > 0) CpuRows.add(sum + 4L * weights + head, sum + 4L * weights + head, g + row, d);
            }
        });
        partials.addTo(dWeight, 0);
        partials.addTo(dBias, weights);
    }

    /** With g = dy · weight, or dy where there is none, and h the row that was scaled by {@code inverse}: dx += inverse (g - h mean(g h)), and less mean(g) where h was {@code centred}. */
    private static void norm(long dx, long dy, long h, long weight, float inverse, boolean centred, int d, long lanes) {
        var sums = FloatVector.zero(F);
        var along = FloatVector.zero(F);
        int i = 0;
        for (int end = d - L; i <= end; i += L) {                                                                     // body
            var g = FloatVector.fromMemorySegment(F, MEMORY, dy + 4L * i, ORDER);
            if (weight != 0) g = g.mul(FloatVector.fromMemorySegment(F, MEMORY, weight + 4L * i, ORDER));
            var scaled = FloatVector.fromMemorySegment(F, MEMORY, h + 4L * i, ORDER);
            sums = sums.add(g);
            along = FMA ? g.fma(scaled, along) : g.mul(scaled).add(along);
        }
        sums.intoMemorySegment(MEMORY, lanes, ORDER);                                                                 // reduce
        float sum = Lanes.sum(lanes);
        along.intoMemorySegment(MEMORY, lanes, ORDER);
        float dot = Lanes.sum(lanes);
        for (; i < d; i++) {                                                                                          // scalar tail
            float g = MEMORY.get(FLOAT, dy + 4L * i) * (weight == 0 ? 1 : MEMORY.get(FLOAT, weight + 4L * i));
            sum += g;
            dot += g * MEMORY.get(FLOAT, h + 4L * i);
        }
        float mean = centred ? sum / d : 0, slope = dot / d;
        i = 0;
        for (int end = d - L; i <= end; i += L) {                                                                     // body
            var g = FloatVector.fromMemorySegment(F, MEMORY, dy + 4L * i, ORDER);
            if (weight != 0) g = g.mul(FloatVector.fromMemorySegment(F, MEMORY, weight + 4L * i, ORDER));
            var change = g.sub(mean).sub(FloatVector.fromMemorySegment(F, MEMORY, h + 4L * i, ORDER).mul(slope)).mul(inverse);
            FloatVector.fromMemorySegment(F, MEMORY, dx + 4L * i, ORDER).add(change).intoMemorySegment(MEMORY, dx + 4L * i, ORDER);
        }
        for (; i < d; i++) {                                                                                          // scalar tail
            float g = MEMORY.get(FLOAT, dy + 4L * i) * (weight == 0 ? 1 : MEMORY.get(FLOAT, weight + 4L * i));
            MEMORY.set(FLOAT, dx + 4L * i, MEMORY.get(FLOAT, dx + 4L * i) + (g - mean - MEMORY.get(FLOAT, h + 4L * i) * slope) * inverse);
        }
    }

    // ---- mixing ------------------------------------------------------------------------------------------------------------------------------------

    void lerp(Tensor da, Tensor db, Tensor dWeight, Tensor dy, Tensor a, Tensor b, Tensor weight) {
        int d = dy.shape().last(), rows = dy.shape().rows();
        boolean shared = weight.shape().rank() == 1;
        long toA = destination(da), toB = destination(db), toWeight = destination(dWeight), g = address(dy), from = address(a), other = address(b), w = address(weight);
        long next = shared ? 0 : 4L * d;
        scratch.reserve(Scratch.lines(d));                                             // for a gradient that nobody wants
        ColumnSums.Block block = (worker, first, end, sum) -> {
            long spare = scratch.of(worker);
            for (int r = first; r < end; r++) {
                long row = 4L * r * d, weights = toWeight == 0 ? spare : shared ? sum : toWeight + row;
                lerp(toA == 0 ? spare : toA + row, toB == 0 ? spare : toB + row, weights, g + row, from + row, other + row, w + r * next, d);
            }
        };
        if (shared) sums.of(rows, d, dWeight == null ? 0 : d, block).addTo(dWeight, 0);
        else workers.split(rows, rowGrain(d), (worker, first, end) -> block.add(worker, first, end, 0));
    }

    private static void lerp(long da, long db, long dWeight, long dy, long a, long b, long weight, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body; da and db may be the same
            var g = FloatVector.fromMemorySegment(F, MEMORY, dy + 4L * i, ORDER);
            var toB = g.mul(FloatVector.fromMemorySegment(F, MEMORY, weight + 4L * i, ORDER));
            var way = FloatVector.fromMemorySegment(F, MEMORY, b + 4L * i, ORDER).sub(FloatVector.fromMemorySegment(F, MEMORY, a + 4L * i, ORDER));
            FloatVector.fromMemorySegment(F, MEMORY, da + 4L * i, ORDER).add(g.sub(toB)).intoMemorySegment(MEMORY, da + 4L * i, ORDER);
            FloatVector.fromMemorySegment(F, MEMORY, db + 4L * i, ORDER).add(toB).intoMemorySegment(MEMORY, db + 4L * i, ORDER);
            FloatVector.fromMemorySegment(F, MEMORY, dWeight + 4L * i, ORDER).add(g.mul(way)).intoMemorySegment(MEMORY, dWeight + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float g = MEMORY.get(FLOAT, dy + 4L * i), toB = g * MEMORY.get(FLOAT, weight + 4L * i);
            MEMORY.set(FLOAT, da + 4L * i, MEMORY.get(FLOAT, da + 4L * i) + (g - toB));
            MEMORY.set(FLOAT, db + 4L * i, MEMORY.get(FLOAT, db + 4L * i) + toB);
            MEMORY.set(FLOAT, dWeight + 4L * i, MEMORY.get(FLOAT, dWeight + 4L * i) + g * (MEMORY.get(FLOAT, b + 4L * i) - MEMORY.get(FLOAT, a + 4L * i)));
        }
    }

    void weightedSum(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor weights) {
        int d = x.shape().last(), used = weights.shape().last();
        long to = destination(dx), toWeights = destination(dWeights), g = address(dy), from = address(x), factors = address(weights);
        scratch.reserve(4);
        workers.split(x.shape().dim(0), rowGrain(d), (worker, first, end) -> {
            for (int i = first; i < end; i++) {
                long row = 4L * i * d, above = g + 4L * (i / used) * d, dot = scratch.of(worker);
                if (to != 0) CpuExperts.addScaled(to + row, above, MEMORY.get(FLOAT, factors + 4L * i), d);
                if (toWeights == 0) continue;
                FloatDots.f32(dot, from + row, 4L * d, 1, above, d, scratch.lanes(worker));
                MEMORY.set(FLOAT, toWeights + 4L * i, MEMORY.get(FLOAT, toWeights + 4L * i) + MEMORY.get(FLOAT, dot));
            }
        });
    }

    // ---- lookups and copies ------------------------------------------------------------------------------------------------------------------------

    void embedding(Tensor dTable, Tensor tokens, Tensor dy) {
        if (dTable != null) addRows(dTable, dy, Indices.of("embedding: token", tokens, dTable.shape().dim(0)));
    }

    void gatherRows(Tensor dx, Tensor dy, Tensor rows) {
        if (dx != null) addRows(dx, dy, Indices.of("gatherRows: row", rows, dx.shape().dim(0)));
    }

    /** to[rows[i]] += from[i]. Sorted by where they go, those for one row in their order: a task takes all rows for each destination whose first is in its range. */
    private void addRows(Tensor to, Tensor from, Indices rows) {
        int d = from.shape().last();
        long target = address(to), source = address(from);
        var order = new long[rows.count()];
        for (int i = 0; i < order.length; i++) order[i] = (long) rows.at(i) << 32 | i;
        Arrays.sort(order);
        workers.split(order.length, rowGrain(d), (worker, first, end) -> {
            int i = first;
            while (i > 0 && i < end && order[i] >> 32 == order[i - 1] >> 32) i++;
            if (i == end) return;
            for (; i < order.length && (i < end || order[i] >> 32 == order[i - 1] >> 32); i++) {
                long row = target + 4 * (order[i] >> 32) * d;
                CpuRows.add(row, row, source + 4L * (int) order[i] * d, d);
            }
        });
    }

    void concat(Tensor da, Tensor db, Tensor dy) {
        int width = dy.shape().last(), left = da != null ? da.shape().last() : width - db.shape().last();
        addColumns(da, 0, dy, 0, left);
        addColumns(db, 0, dy, left, width - left);
    }

    void columns(Tensor dx, Tensor dy, int from) { addColumns(dx, from, dy, 0, dy.shape().last()); }

    /** {@code count} columns of dx, from {@code to} on, += those of dy from {@code from} on. */
    private void addColumns(Tensor dx, int to, Tensor dy, int from, int count) {
        if (dx == null) return;
        int width = dx.shape().last(), sourceWidth = dy.shape().last();
        long target = address(dx) + 4L * to, source = address(dy) + 4L * from;
        workers.split(dy.shape().dim(0), rowGrain(count), (worker, first, end) -> {
            for (int r = first; r < end; r++) CpuRows.add(target + 4L * r * width, target + 4L * r * width, source + 4L * r * sourceWidth, count);
        });
    }
}
