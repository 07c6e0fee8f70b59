package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.CpuExperts.matrix;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Gradients;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;
import inkstone.tensor.reference.ReferenceBackend;
import java.util.Arrays;

/**
 * Gradients of mixtures of experts. The rows of one expert are laid side by side and go through
 * {@link CpuLinearBackward}, one expert after the other, as {@link CpuExperts} does forward.
 */
final class CpuExpertGradients {
    /* Scores worth a thread's waking. */
    private static final int ROUTE_GRAIN = 1 << 10;

    private final Workers workers;
    private final CpuLinearBackward linear;
    private final Scratch rows;
    private final Gradients plain = new ReferenceBackend().gradients();

    /** @param rows one block, for the rows of an expert: the other ones are CpuLinearBackward's meanwhile */
    CpuExpertGradients(Workers workers, CpuLinearBackward linear, Scratch rows) {
        this.workers = workers;
        this.linear = linear;
        this.rows = rows;
    }

    void expertInput(Tensor dx, Tensor dy, Tensor weight, Tensor experts) {
        if (dx == null) return;
        int out = weight.shape().dim(1), in = weight.shape().last();
        long to = address(dx), g = address(dy);
        each(experts, weight.shape().dim(0), dx.shape().dim(0), out, in, (expert, order, n, used, from, results) -> {
            gather(from, g, order, 1, out);
            MEMORY.asSlice(results, 4L * n * in).fill((byte) 0);
            linear.linearInput(matrix(results, n, in), matrix(from, n, out), weight.rows(expert, expert + 1).view(out, in));
            for (int i = 0; i < n; i++) {
                long row = to + 4L * (order[i] / used) * in;
                CpuRows.add(row, row, results + 4L * i * in, in);
            }
        });
    }

    void expertWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor experts) {
        int out = dy.shape().last(), in = x.shape().last();
        long g = address(dy), source = address(x);
        each(experts, (dWeight == null ? dBias : dWeight).shape().dim(0), x.shape().dim(0), out, in, (expert, order, n, used, from, inputs) -> {
            gather(from, g, order, 1, out);
            gather(inputs, source, order, used, in);
            linear.linearWeight(dWeight == null ? null : dWeight.rows(expert, expert + 1).view(out, in), dBias == null ? null : dBias.rows(expert, expert + 1).view(out),
                matrix(from, n, out), matrix(inputs, n, in));
        });
    }

    /** The rows that one expert has, {@code n} of them, and room for as many of two widths; {@code used} experts share a row of inputs. */
    private interface Expert { void run(int expert, int[] order, int n, int used, long first, long second); }

    private void each(Tensor experts, int count, int inputs, int width, int otherWidth, Expert body) {
        var chosen = Indices.of("expertLinear: expert", experts, count);
        if (chosen.count() == 0) return;
        int[] bounds = CpuExperts.bounds(chosen, count), order = CpuExperts.order(chosen, bounds);
        int most = 0;
        for (int expert = 0; expert < count; expert++) most = Math.max(most, bounds[expert + 1] - bounds[expert]);
        rows.reserve(Scratch.lines((long) most * width) + Scratch.lines((long) most * otherWidth));
        long first = rows.of(0), second = first + Scratch.lines((long) most * width);
        for (int expert = 0; expert < count; expert++) {
            int n = bounds[expert + 1] - bounds[expert];
            if (n > 0) body.run(expert, Arrays.copyOfRange(order, bounds[expert], bounds[expert + 1]), n, chosen.count() / inputs, first, second);
        }
    }

    private static void gather(long to, long from, int[] order, int share, int width) {
        for (int i = 0; i < order.length; i++) MEMORY.asSlice(to + 4L * i * width, 4L * width).copyFrom(MEMORY.asSlice(from + 4L * (order[i] / share) * width, 4L * width));
    }

    /** A few numbers a row: the plain loops, a part of the rows for each task. */
    void route(Tensor dScores, Tensor dWeights, Tensor experts, Tensor weights, Tensor scores, Routing routing) {
        workers.split(scores.shape().dim(0), Math.max(1, ROUTE_GRAIN / scores.shape().last()), (worker, first, end) -> plain.route(
            dScores == null ? null : dScores.rows(first, end), dWeights.rows(first, end), experts.rows(first, end), weights.rows(first, end), scores.rows(first, end), routing));
    }
}
