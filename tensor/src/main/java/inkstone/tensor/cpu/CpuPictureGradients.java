package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.CpuActivationGradients.addProduct;
import static inkstone.tensor.cpu.CpuRowGradients.destination;
import static inkstone.tensor.cpu.CpuRows.add;
import static inkstone.tensor.cpu.CpuRows.rowGrain;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;

/** Gradients of norms, sizes and modulation of pictures. */
final class CpuPictureGradients {
    private final Workers workers;
    private final Scratch scratch, shared;
    private final ColumnSums sums;

    /** @param shared one block, for what tasks leave to be put together */
    CpuPictureGradients(Workers workers, Scratch scratch, Scratch shared) {
        this.workers = workers;
        this.scratch = scratch;
        this.shared = shared;
        sums = new ColumnSums(workers, shared);
    }

    void groupNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) { throw new UnsupportedOperationException("groupNorm: no kernel here"); }
    void resize(Tensor dx, Tensor dy, Resampling resampling) { throw new UnsupportedOperationException("resize: no kernel here"); }

    // ---- modulation --------------------------------------------------------------------------------------------------------------------------------

    void modulate(Tensor dx, Tensor dScale, Tensor dShift, Tensor dy, Tensor x, Tensor scale) {
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

    void gated(Tensor dx, Tensor dGate, Tensor dy, Tensor x, Tensor gate) {
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
