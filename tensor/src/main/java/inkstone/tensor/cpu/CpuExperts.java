package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.FMA;
import static inkstone.tensor.cpu.Lanes.INT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.DType;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Mixtures of experts: choosing, running and adding them. The rows of one expert are laid side by side and go through {@link CpuLinear} as any other rows do;
 * experts follow one another, so that each one's weights stream from memory once and all threads work on them.
 */
final class CpuExperts {
    /* Scores worth a thread's waking, and sums. */
    private static final int ROUTE_GRAIN = 1 << 11, SUM_GRAIN = 1 << 15;

    private final Workers workers;
    private final CpuLinear linear;
    private final Scratch rows;

    /** @param rows one block, for the rows of an expert: those of the workers are CpuLinear's meanwhile */
    CpuExperts(Workers workers, CpuLinear linear, Scratch rows) {
        this.workers = workers;
        this.linear = linear;
        this.rows = rows;
    }

    void expertLinear(Tensor y, Tensor x, Tensor weight, Tensor bias, Tensor experts) {
        int count = weight.shape().dim(0), out = weight.shape().dim(1), in = weight.shape().last();
        var chosen = Indices.of("expertLinear: expert", experts, count);
        if (chosen.count() == 0) return;
        int used = chosen.count() / x.shape().dim(0);
        int[] bounds = bounds(chosen, count), order = order(chosen, bounds);
        int most = 0;
        for (int expert = 0; expert < count; expert++) most = Math.max(most, bounds[expert + 1] - bounds[expert]);
        rows.reserve(Scratch.lines((long) most * in) + Scratch.lines((long) most * out));
        long to = address(y), from = address(x), gathered = rows.of(0), results = gathered + Scratch.lines((long) most * in);
        for (int expert = 0; expert < count; expert++) {
            int first = bounds[expert], n = bounds[expert + 1] - first;
            if (n == 0) continue;
            var matrix = weight.rows(expert, expert + 1).view(out, in);
            var shift = bias == null ? null : bias.rows(expert, expert + 1).view(out);
            if (n == 1) {
                linear.linear(matrix(to + 4L * order[first] * out, 1, out), matrix(from + 4L * (order[first] / used) * in, 1, in), matrix, shift);
                continue;
            }
            for (int i = 0; i < n; i++) MEMORY.asSlice(gathered + 4L * i * in, 4L * in).copyFrom(MEMORY.asSlice(from + 4L * (order[first + i] / used) * in, 4L * in));
            linear.linear(matrix(results, n, out), matrix(gathered, n, in), matrix, shift);
            for (int i = 0; i < n; i++) MEMORY.asSlice(to + 4L * order[first + i] * out, 4L * out).copyFrom(MEMORY.asSlice(results + 4L * i * out, 4L * out));
        }
    }

    static Tensor matrix(long address, int n, int d) { return Tensor.of(DType.F32, MEMORY.asSlice(address, 4L * n * d), n, d); }

    /** Where the rows of each expert begin once they are sorted, and where the last one's end. */
    static int[] bounds(Indices chosen, int count) {
        var bounds = new int[count + 1];
        for (int i = 0; i < chosen.count(); i++) bounds[chosen.at(i) + 1]++;
        for (int expert = 0; expert < count; expert++) bounds[expert + 1] += bounds[expert];
        return bounds;
    }

    /** The rows sorted by expert. */
    static int[] order(Indices chosen, int[] bounds) {
        var next = bounds.clone();
        var order = new int[chosen.count()];
        for (int i = 0; i < order.length; i++) order[next[chosen.at(i)]++] = i;
        return order;
    }

    // ---- choosing ----------------------------------------------------------------------------------------------------------------------------------------

    void route(Tensor experts, Tensor weights, Tensor scores, Tensor bias, Routing routing) {
        int count = scores.shape().last(), used = routing.used();
        long to = address(experts), weight = address(weights), from = address(scores), shift = bias == null ? 0 : address(bias);
        workers.split(scores.shape().dim(0), Math.max(1, ROUTE_GRAIN / count), (worker, first, end) -> {
            var probabilities = new float[count];
            var ranks = new float[count];
            for (int row = first; row < end; row++) {
                probabilities(probabilities, from + 4L * row * count, routing.scoring());
                for (int e = 0; e < count; e++) ranks[e] = probabilities[e] + (shift == 0 ? 0 : MEMORY.get(FLOAT, shift + 4L * e));
                if (routing.groups() > 1) closeGroups(ranks, routing);
                choose(to + 4L * row * used, weight + 4L * row * used, probabilities, ranks, routing);
            }
        });
    }

    private static void probabilities(float[] p, long scores, Routing.Scoring scoring) {
        for (int e = 0; e < p.length; e++) p[e] = MEMORY.get(FLOAT, scores + 4L * e);
        if (scoring == Routing.Scoring.SIGMOID) {
            for (int e = 0; e < p.length; e++) p[e] = 1 / (1 + Exponential.exp(-p[e]));
            return;
        }
        float largest = p[largest(p, 0, p.length)], sum = 0;
        for (int e = 0; e < p.length; e++) sum += p[e] = Exponential.exp(p[e] - largest);
        for (int e = 0; e < p.length; e++) p[e] /= sum;
    }

    private static void closeGroups(float[] ranks, Routing routing) {
        int size = ranks.length / routing.groups();
        var sums = new float[routing.groups()];
        for (int g = 0; g < sums.length; g++) {
            int best = largest(ranks, g * size, (g + 1) * size);
            float second = Float.NEGATIVE_INFINITY;
            for (int e = g * size; e < (g + 1) * size; e++) if (e != best) second = Math.max(second, ranks[e]);
            sums[g] = ranks[best] + second;
        }
        for (int closed = routing.groups() - routing.groupsUsed(); closed > 0; closed--) {
            int worst = sums.length - 1;
            for (int g = worst - 1; g >= 0; g--) if (sums[g] < sums[worst]) worst = g;
            sums[worst] = Float.POSITIVE_INFINITY;
            Arrays.fill(ranks, worst * size, (worst + 1) * size, Float.NEGATIVE_INFINITY);
        }
    }

    private static void choose(long experts, long weights, float[] probabilities, float[] ranks, Routing routing) {
        float sum = 0;
        for (int j = 0; j < routing.used(); j++) {
            int best = largest(ranks, 0, ranks.length);
            MEMORY.set(INT, experts + 4L * j, best);
            MEMORY.set(FLOAT, weights + 4L * j, probabilities[best]);
            sum += probabilities[best];
            ranks[best] = Float.NEGATIVE_INFINITY;
        }
        float factor = routing.normalised() ? routing.scale() / sum : routing.scale();
        for (int j = 0; j < routing.used(); j++) MEMORY.set(FLOAT, weights + 4L * j, MEMORY.get(FLOAT, weights + 4L * j) * factor);
    }

    /** The index of the largest from {@code from} to {@code to - 1}, the first of equals. */
    private static int largest(float[] values, int from, int to) {
        int best = from;
        for (int i = from + 1; i < to; i++) if (values[i] > values[best]) best = i;
        return best;
    }

    // ---- adding ------------------------------------------------------------------------------------------------------------------------------------------

    void weightedSum(Tensor y, Tensor x, Tensor weights) {
        int d = x.shape().last(), used = weights.shape().last();
        long to = address(y), from = address(x), factors = address(weights);
        workers.split(y.shape().dim(0), Math.max(1, SUM_GRAIN / (d * used)), (worker, first, end) -> {
            for (int row = first; row < end; row++) {
                long sum = to + 4L * row * d;
                MEMORY.asSlice(sum, 4L * d).fill((byte) 0);
                for (int j = 0; j < used; j++) {
                    long of = (long) row * used + j;
                    addScaled(sum, from + 4L * of * d, MEMORY.get(FLOAT, factors + 4L * of), d);
                }
            }
        });
    }

    /** y += x · factor */
    static void addScaled(long y, long x, float factor, int count) {
        var factors = FloatVector.broadcast(F, factor);
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var sum = FloatVector.fromMemorySegment(F, MEMORY, y + 4L * i, ORDER);
            var term = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER);
            sum = FMA ? term.fma(factors, sum) : term.mul(factors).add(sum);
            sum.intoMemorySegment(MEMORY, y + 4L * i, ORDER);
        }
        for (; i < count; i++) MEMORY.set(FLOAT, y + 4L * i, MEMORY.get(FLOAT, y + 4L * i) + MEMORY.get(FLOAT, x + 4L * i) * factor);  // scalar tail
    }
}
