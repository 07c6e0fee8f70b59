package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Tensor;
import jdk.incubator.vector.FloatVector;

/** What makes a loss of results, and its gradients. Cross-entropy is parallel over rows, each of which fits the second-level cache where it is read again. */
final class CpuLoss {
    /* Elements worth a task, those whose exponentials stay in the first-level cache, and those of a sum that are added in single precision. */
    private static final int GRAIN = 1 << 15, PIECE = 1 << 10, SINGLE = 1 << 8;

    private final Workers workers;
    private final Scratch scratch;

    CpuLoss(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    void sum(Tensor y, Tensor x) {
        int count = Math.toIntExact(x.shape().elements());
        long from = address(x);
        var parts = new double[Math.ceilDiv(count, GRAIN)];
        workers.run(parts.length, (worker, part) -> {
            int end = Math.min(count, (part + 1) * GRAIN);
            for (int i = part * GRAIN; i < end; i += SINGLE) parts[part] += sum(from + 4L * i, Math.min(SINGLE, end - i), scratch.lanes(worker));
        });
        double sum = 0;
        for (double part : parts) sum += part;
        MEMORY.set(FLOAT, address(y), (float) sum);
    }

    private static float sum(long x, int count, long lanes) {
        var sums = FloatVector.zero(F);
        int i = 0;
        for (int end = count - L; i <= end; i += L) sums = sums.add(FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER));   // body
        sums.intoMemorySegment(MEMORY, lanes, ORDER);                                                                 // reduce
        float sum = Lanes.sum(lanes);
        for (; i < count; i++) sum += MEMORY.get(FLOAT, x + 4L * i);                                                  // scalar tail
        return sum;
    }

    void sumGradient(Tensor dx, Tensor dy) {
        if (dx == null) return;
        long to = address(dx);
        float g = MEMORY.get(FLOAT, address(dy));
        workers.split(Math.toIntExact(dx.shape().elements()), GRAIN, (worker, first, end) -> add(to + 4L * first, g, end - first));
    }

    private static void add(long x, float shift, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).add(shift).intoMemorySegment(MEMORY, x + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, x + 4L * i, MEMORY.get(FLOAT, x + 4L * i) + shift);                  // scalar tail
    }

    void crossEntropy(Tensor y, Tensor logits, Tensor targets) {
        int classes = logits.shape().last();
        long to = address(y), from = address(logits);
        int[] chosen = targets(targets, classes);
        scratch.reserve(4L * PIECE);
        workers.split(chosen.length, Math.max(1, GRAIN / 4 / classes), (worker, first, end) -> {
            for (int r = first; r < end; r++) {
                double loss = 0;
                if (chosen[r] >= 0) {
                    long row = from + 4L * r * classes, lanes = scratch.lanes(worker);
                    float largest = largest(row, classes, lanes);
                    double sum = 0;
                    for (int i = 0; i < classes; i += PIECE) sum += Exponential.exp(scratch.of(worker), row + 4L * i, Math.min(PIECE, classes - i), 1, largest, lanes);
                    loss = largest + Math.log(sum) - MEMORY.get(FLOAT, row + 4L * chosen[r]);
                }
                MEMORY.set(FLOAT, to + 4L * r, (float) loss);
            }
        });
    }

    void crossEntropyGradient(Tensor dLogits, Tensor dy, Tensor logits, Tensor targets) {
        if (dLogits == null) return;
        int classes = logits.shape().last();
        long to = address(dLogits), g = address(dy), from = address(logits);
        int[] chosen = targets(targets, classes);
        scratch.reserve(4L * classes);
        workers.split(chosen.length, Math.max(1, GRAIN / 4 / classes), (worker, first, end) -> {
            long powers = scratch.of(worker), lanes = scratch.lanes(worker);
            for (int r = first; r < end; r++) {
                if (chosen[r] < 0) continue;
                long row = from + 4L * r * classes, target = to + 4L * r * classes;
                float largest = largest(row, classes, lanes), own = MEMORY.get(FLOAT, g + 4L * r);
                double sum = 0;
                for (int i = 0; i < classes; i += PIECE) sum += Exponential.exp(powers + 4L * i, row + 4L * i, Math.min(PIECE, classes - i), 1, largest, lanes);
                MEMORY.set(FLOAT, powers + 4L * chosen[r], (float) (MEMORY.get(FLOAT, powers + 4L * chosen[r]) - sum));
                CpuExperts.addScaled(target, powers, (float) (own / sum), classes);
            }
        });
    }

    /** Checked: -1 or a class. */
    private static int[] targets(Tensor targets, int classes) {
        int[] chosen = targets.data().toArray(Lanes.INT);
        for (int r = 0; r < chosen.length; r++) Indices.check("crossEntropy: target + 1", chosen[r] + 1, r, classes + 1);
        return chosen;
    }

    /** NaN if there is one. */
    private static float largest(long x, int count, long lanes) {
        var most = FloatVector.broadcast(F, Float.NEGATIVE_INFINITY);
        int i = 0;
        for (int end = count - L; i <= end; i += L) most = most.max(FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER));   // body
        most.intoMemorySegment(MEMORY, lanes, ORDER);                                                                 // reduce
        float largest = Float.NEGATIVE_INFINITY;
        for (int lane = 0; lane < L; lane++) largest = Math.max(largest, MEMORY.get(FLOAT, lanes + 4L * lane));
        for (; i < count; i++) largest = Math.max(largest, MEMORY.get(FLOAT, x + 4L * i));                            // scalar tail
        return largest;
    }
}
