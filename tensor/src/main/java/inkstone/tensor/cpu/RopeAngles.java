package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.FLOAT;

import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import java.util.Arrays;

/**
 * Cosines and sines [rows][pairs] of a rope, computed in double precision and kept for the next call: queries and keys of every layer of a step, and their gradients, turn by
 * the same angles. Computing them anew each time took five sixths of the kernel at 256 rows.
 */
final class RopeAngles {
    private final Workers workers;
    private int[] positions = {};
    private float[] frequencies = {};
    private float magnitude;
    float[] cos = {}, sin = {};

    RopeAngles(Workers workers) { this.workers = workers; }

    /** Makes the angles those of these positions. */
    void take(Tensor positions, Rope rope) {
        int[] at = positions.data().toArray(Lanes.INT);
        float[] radians = rope.frequencies().data().toArray(FLOAT);
        if (magnitude == rope.magnitude() && Arrays.equals(this.positions, at) && Arrays.equals(frequencies, radians)) return;
        this.positions = at;
        frequencies = radians;
        magnitude = rope.magnitude();
        int rows = at.length, pairs = radians.length;
        if (cos.length < rows * pairs) {
            cos = new float[rows * pairs];
            sin = new float[rows * pairs];
        }
        workers.split(rows, CpuRows.rowGrain(64 * pairs), (worker, first, end) -> {
            for (int r = first; r < end; r++) {
                for (int i = 0; i < pairs; i++) {
                    double angle = (double) at[r] * radians[i];
                    cos[r * pairs + i] = (float) (Math.cos(angle) * magnitude);
                    sin[r * pairs + i] = (float) (Math.sin(angle) * magnitude);
                }
            }
        });
    }
}
