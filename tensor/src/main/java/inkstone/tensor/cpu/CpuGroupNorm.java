package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.CpuRowGradients.destination;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.address;

import inkstone.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;

/**
 * Norms over groups of channels, and their gradient. Memory is read once for the moments and once more for what is made of them: a block of pixels is read twice while it lies
 * in the caches, for the means of its channels and then for the squares of what lies beside them, and the moments of blocks are put together in double precision and in order
 * (Chan, Golub & LeVeque 1979), so that a mean far from 0 takes no digits from the variance. Blocks depend on the shape alone.
 */
final class CpuGroupNorm {
    /** Floats of a block, and its pixels at least: what is kept of a block stays small beside it. */
    private static final int BLOCK = 1 << 14, LEAST_PIXELS = 32;
    private static final ValueLayout.OfDouble DOUBLE = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ORDER);

    private final Workers workers;
    private final Scratch scratch, shared;

    /** @param shared one block, for what tasks leave to be put together */
    CpuGroupNorm(Workers workers, Scratch scratch, Scratch shared) {
        this.workers = workers;
        this.scratch = scratch;
        this.shared = shared;
    }

    /** One call, and where in the shared block its parts lie. */
    private record Call(long x, long weight, long bias, int n, int pixels, int channels, int groups, float eps, boolean silu, long base) {
        static Call of(Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
            return new Call(address(x), address(weight), address(bias), x.shape().dim(0), x.shape().dim(1) * x.shape().dim(2), x.shape().last(), groups, eps, silu, 0);
        }
        Call at(long base) { return new Call(x, weight, bias, n, pixels, channels, groups, eps, silu, base); }

        int size() { return channels / groups; }
        int blockPixels() { return Math.max(LEAST_PIXELS, BLOCK / channels); }
        int blocks() { return Math.ceilDiv(pixels, blockPixels()); }
        int tasks() { return n * blocks(); }
        int picture(int task) { return task / blocks(); }
        /** Pixels of a task, and the byte offset of the first in x. */
        int count(int task) { return Math.min(blockPixels(), pixels - task % blocks() * blockPixels()); }
        long offset(int task) { return 4L * ((long) picture(task) * pixels + task % blocks() * blockPixels()) * channels; }
        /** Pixels whose exponentials are taken at once. */
        int piece() { return Math.max(1, CpuActivations.PIECE / channels); }
        long pieceBytes() { return Scratch.lines((long) piece() * channels); }
        long row() { return Scratch.lines(channels); }
        long scratchBytes() { return 3 * row() + 2 * pieceBytes(); }

        /** Mean and summed squared distances from it, of a block and group: doubles [n][blocks][groups][2]. */
        long ofBlock(int task, int group) { return base + 16L * ((long) task * groups + group); }
        /** Mean and 1 / sqrt(variance + eps) of a picture and group: doubles [n][groups][2]. */
        long ofPicture(int picture, int group) { return ofBlock(tasks(), 0) + 16L * (picture * groups + group); }
        /**
         * Floats of each channel, [n][5][channels]: the result is (x - mean) · slope + shift, where the shift makes up for what the mean lost when it was rounded;
         * the gradient is e · slope - (x - mean) · along - level.
         */
        long mean(int picture) { return Math.ceilDiv(ofPicture(n, 0), 64) * 64 + 5 * row() * picture; }
        long slope(int picture) { return mean(picture) + row(); }
        long shift(int picture) { return mean(picture) + 2 * row(); }
        long along(int picture) { return mean(picture) + 3 * row(); }
        long level(int picture) { return mean(picture) + 4 * row(); }
        /** Sums of e and of e (x - mean) over a block: floats [n][blocks][2][channels]. */
        long sums(int task) { return mean(n) + 2 * row() * task; }
        long sharedBytes(boolean gradient) { return sums(gradient ? tasks() : 0) - base + 64; }
    }

    void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        var call = prepared(Call.of(x, weight, bias, groups, eps, silu), false);
        long to = address(y);
        // the last blocks first: they may still be in the caches
        workers.run(call.tasks(), (worker, i) -> {
            int task = call.tasks() - 1 - i, count = call.count(task);
            long offset = call.offset(task);
            if (silu) silu(to + offset, call, task, scratch.of(worker), scratch.lanes(worker)); else normalise(to + offset, call.x + offset, call.mean(call.picture(task)), call.row(), call.channels, count);
        });
    }

    /** With its moments and what follows from them. */
    private Call prepared(Call plan, boolean gradient) {
        shared.reserve(plan.sharedBytes(gradient));
        scratch.reserve(plan.scratchBytes());
        var call = plan.at(shared.of(0));
        workers.run(call.tasks(), (worker, task) -> moments(call, task, scratch.of(worker)));
        workers.split(call.n * call.groups, Math.max(1, (1 << 12) / (call.blocks() + call.size())), (_, from, end) -> {
            for (int i = from; i < end; i++) merge(call, i / call.groups, i % call.groups);
        });
        return call;
    }

    // ---- moments -----------------------------------------------------------------------------------------------------------------------------------

    private static void moments(Call call, int task, long scratch) {
        int channels = call.channels, count = call.count(task), size = call.size();
        long x = call.x + call.offset(task), means = scratch, distances = means + call.row(), squares = distances + call.row();
        MEMORY.asSlice(scratch, 3 * call.row()).fill((byte) 0);
        for (int p = 0; p < count; p++) CpuRows.add(means, means, x + 4L * p * channels, channels);
        CpuActivations.scale(means, means, 1f / count, channels);
        distances(distances, squares, x, means, channels, count);
        for (int group = 0; group < call.groups; group++) {
            double mean = 0, sum = 0;
            for (int c = group * size; c < (group + 1) * size; c++) mean += MEMORY.get(FLOAT, means + 4L * c) + (double) MEMORY.get(FLOAT, distances + 4L * c) / count;
            mean /= size;
            for (int c = group * size; c < (group + 1) * size; c++) {
                double distance = MEMORY.get(FLOAT, distances + 4L * c), own = MEMORY.get(FLOAT, means + 4L * c) + distance / count;
                sum += MEMORY.get(FLOAT, squares + 4L * c) - distance * distance / count + count * (own - mean) * (own - mean);
            }
            MEMORY.set(DOUBLE, call.ofBlock(task, group), mean);
            MEMORY.set(DOUBLE, call.ofBlock(task, group) + 8, sum);
        }
    }

    /** distances += x - means, squares += (x - means)² over some pixels. */
    private static void distances(long distances, long squares, long x, long means, int channels, int pixels) {
        for (int p = 0; p < pixels; p++, x += 4L * channels) {
            int i = 0;
            for (int end = channels - L; i <= end; i += L) {                                                          // body
                var distance = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).sub(FloatVector.fromMemorySegment(F, MEMORY, means + 4L * i, ORDER));
                FloatVector.fromMemorySegment(F, MEMORY, distances + 4L * i, ORDER).add(distance).intoMemorySegment(MEMORY, distances + 4L * i, ORDER);
                FloatVector.fromMemorySegment(F, MEMORY, squares + 4L * i, ORDER).add(distance.mul(distance)).intoMemorySegment(MEMORY, squares + 4L * i, ORDER);
            }
            for (; i < channels; i++) {                                                                               // scalar tail
                float distance = MEMORY.get(FLOAT, x + 4L * i) - MEMORY.get(FLOAT, means + 4L * i);
                MEMORY.set(FLOAT, distances + 4L * i, MEMORY.get(FLOAT, distances + 4L * i) + distance);
                MEMORY.set(FLOAT, squares + 4L * i, MEMORY.get(FLOAT, squares + 4L * i) + distance * distance);
            }
        }
    }

    /** The moments of a picture and group from those of its blocks, and what its channels need of them. */
    private static void merge(Call call, int picture, int group) {
        int blocks = call.blocks(), size = call.size();
        double mean = 0, sum = 0;
        for (int task = picture * blocks; task < (picture + 1) * blocks; task++) mean += MEMORY.get(DOUBLE, call.ofBlock(task, group)) * call.count(task) / call.pixels;
        for (int task = picture * blocks; task < (picture + 1) * blocks; task++) {
            double apart = MEMORY.get(DOUBLE, call.ofBlock(task, group)) - mean;
            sum += MEMORY.get(DOUBLE, call.ofBlock(task, group) + 8) + apart * apart * call.count(task) * size;
        }
        double inverse = 1 / Math.sqrt(sum / ((double) call.pixels * size) + call.eps);
        MEMORY.set(DOUBLE, call.ofPicture(picture, group), mean);
        MEMORY.set(DOUBLE, call.ofPicture(picture, group) + 8, inverse);
        for (int c = group * size; c < (group + 1) * size; c++) {
            double slope = inverse * MEMORY.get(FLOAT, call.weight + 4L * c);
            MEMORY.set(FLOAT, call.mean(picture) + 4L * c, (float) mean);
            MEMORY.set(FLOAT, call.slope(picture) + 4L * c, (float) slope);
            MEMORY.set(FLOAT, call.shift(picture) + 4L * c, (float) (MEMORY.get(FLOAT, call.bias + 4L * c) + ((float) mean - mean) * slope));
        }
    }

    // ---- results -----------------------------------------------------------------------------------------------------------------------------------

    /** y = (x - mean) · slope + shift of some pixels; slope and shift lie one and two rows behind mean. */
    private static void normalise(long y, long x, long mean, long row, int channels, int pixels) {
        for (int p = 0; p < pixels; p++, x += 4L * channels, y += 4L * channels) {
            int i = 0;
            for (int end = channels - L; i <= end; i += L) {                                                          // body
                var scaled = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).sub(FloatVector.fromMemorySegment(F, MEMORY, mean + 4L * i, ORDER))
                    .mul(FloatVector.fromMemorySegment(F, MEMORY, mean + row + 4L * i, ORDER));
                scaled.add(FloatVector.fromMemorySegment(F, MEMORY, mean + 2 * row + 4L * i, ORDER)).intoMemorySegment(MEMORY, y + 4L * i, ORDER);
            }
            for (; i < channels; i++) {                                                                               // scalar tail
                float scaled = (MEMORY.get(FLOAT, x + 4L * i) - MEMORY.get(FLOAT, mean + 4L * i)) * MEMORY.get(FLOAT, mean + row + 4L * i);
                MEMORY.set(FLOAT, y + 4L * i, scaled + MEMORY.get(FLOAT, mean + 2 * row + 4L * i));
            }
        }
    }

    private static void silu(long y, Call call, int task, long scratch, long lanes) {
        int channels = call.channels;
        long x = call.x + call.offset(task), z = scratch;
        for (int p = 0, rows; p < call.count(task); p += rows) {
            rows = Math.min(call.piece(), call.count(task) - p);
            long to = y + 4L * p * channels;
            normalise(z, x + 4L * p * channels, call.mean(call.picture(task)), call.row(), channels, rows);
            Exponential.exp(to, z, rows * channels, -1, 0, lanes);
            CpuActivations.share(to, z, rows * channels);
        }
    }

    // ---- gradient ----------------------------------------------------------------------------------------------------------------------------------

    void gradient(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        var call = prepared(Call.of(x, weight, bias, groups, eps, silu), true);
        long g = address(dy), to = destination(dx), toWeight = destination(dWeight), toBias = destination(dBias);
        workers.run(call.tasks(), (worker, task) -> {
            long sums = call.sums(task), row = call.row(), mean = call.mean(call.picture(task));
            MEMORY.asSlice(sums, 2 * row).fill((byte) 0);
            pieces(call, g, task, scratch.of(worker), scratch.lanes(worker), (offset, e, rows) -> sums(sums, sums + row, e, call.x + offset, mean, call.channels, rows));
        });
        workers.split(groups, Math.max(1, (1 << 12) / (call.tasks() * call.size() + 1)), (_, from, end) -> {
            for (int group = from; group < end; group++) merge(call, group, toWeight, toBias);
        });
        if (to == 0) return;
        workers.run(call.tasks(), (worker, i) -> {
            int task = call.tasks() - 1 - i;
            long mean = call.mean(call.picture(task));
            pieces(call, g, task, scratch.of(worker), scratch.lanes(worker), (offset, e, rows) -> descend(to + offset, e, call.x + offset, mean, call.row(), call.channels, rows));
        });
    }

    /** Takes what some pixels, {@code offset} bytes into x, get from behind the activation. */
    private interface Piece { void take(long offset, long e, int pixels); }

    /** e = dy silu'(z), or dy itself, of the pixels of a task. */
    private static void pieces(Call call, long dy, int task, long scratch, long lanes, Piece piece) {
        int channels = call.channels, count = call.count(task);
        long offset = call.offset(task), z = scratch, e = z + call.pieceBytes();
        if (!call.silu) {
            piece.take(offset, dy + offset, count);
            return;
        }
        for (int p = 0, rows; p < count; p += rows, offset += 4L * rows * channels) {
            rows = Math.min(call.piece(), count - p);
            normalise(z, call.x + offset, call.mean(call.picture(task)), call.row(), channels, rows);
            Exponential.exp(e, z, rows * channels, -1, 0, lanes);
            CpuActivationGradients.siluSlope(e, z, 1, rows * channels);
            CpuActivations.multiply(e, dy + offset, rows * channels);
            piece.take(offset, e, rows);
        }
    }

    /** level += e, along += e (x - mean) over some pixels. */
    private static void sums(long level, long along, long e, long x, long mean, int channels, int pixels) {
        for (int p = 0; p < pixels; p++, x += 4L * channels, e += 4L * channels) {
            int i = 0;
            for (int end = channels - L; i <= end; i += L) {                                                          // body
                var distance = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).sub(FloatVector.fromMemorySegment(F, MEMORY, mean + 4L * i, ORDER));
                var given = FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER);
                FloatVector.fromMemorySegment(F, MEMORY, level + 4L * i, ORDER).add(given).intoMemorySegment(MEMORY, level + 4L * i, ORDER);
                FloatVector.fromMemorySegment(F, MEMORY, along + 4L * i, ORDER).add(given.mul(distance)).intoMemorySegment(MEMORY, along + 4L * i, ORDER);
            }
            for (; i < channels; i++) {                                                                               // scalar tail
                float distance = MEMORY.get(FLOAT, x + 4L * i) - MEMORY.get(FLOAT, mean + 4L * i), given = MEMORY.get(FLOAT, e + 4L * i);
                MEMORY.set(FLOAT, level + 4L * i, MEMORY.get(FLOAT, level + 4L * i) + given);
                MEMORY.set(FLOAT, along + 4L * i, MEMORY.get(FLOAT, along + 4L * i) + given * distance);
            }
        }
    }

    /** The sums of a group's channels, pictures and blocks in order: gradients of weight and bias, and what dx of each picture needs. */
    private static void merge(Call call, int group, long dWeight, long dBias) {
        int size = call.size(), first = group * size;
        var weights = new double[size];
        var biases = new double[size];
        for (int picture = 0; picture < call.n; picture++) {
            double mean = MEMORY.get(DOUBLE, call.ofPicture(picture, group)), inverse = MEMORY.get(DOUBLE, call.ofPicture(picture, group) + 8), apart = (float) mean - mean;
            double level = 0, along = 0;
            for (int c = 0; c < size; c++) {
                double e = 0, h = 0;
                for (int task = picture * call.blocks(); task < (picture + 1) * call.blocks(); task++) {
                    e += MEMORY.get(FLOAT, call.sums(task) + 4L * (first + c));
                    h += MEMORY.get(FLOAT, call.sums(task) + call.row() + 4L * (first + c));
                }
                h = (h + e * apart) * inverse;
                weights[c] += h;
                biases[c] += e;
                level += e * MEMORY.get(FLOAT, call.weight + 4L * (first + c));
                along += h * MEMORY.get(FLOAT, call.weight + 4L * (first + c));
            }
            level *= inverse / ((double) call.pixels * size);
            along *= inverse * inverse / ((double) call.pixels * size);
            for (int c = first; c < first + size; c++) {
                MEMORY.set(FLOAT, call.along(picture) + 4L * c, (float) along);
                MEMORY.set(FLOAT, call.level(picture) + 4L * c, (float) (level + apart * along));
            }
        }
        for (int c = 0; c < size; c++) {
            if (dWeight != 0) MEMORY.set(FLOAT, dWeight + 4L * (first + c), (float) (MEMORY.get(FLOAT, dWeight + 4L * (first + c)) + weights[c]));
            if (dBias != 0) MEMORY.set(FLOAT, dBias + 4L * (first + c), (float) (MEMORY.get(FLOAT, dBias + 4L * (first + c)) + biases[c]));
        }
    }

    /** dx += e · slope - (x - mean) · along - level of some pixels; slope, along and level lie one, three and four rows behind mean. */
    private static void descend(long dx, long e, long x, long mean, long row, int channels, int pixels) {
        for (int p = 0; p < pixels; p++, x += 4L * channels, e += 4L * channels, dx += 4L * channels) {
            int i = 0;
            for (int end = channels - L; i <= end; i += L) {                                                          // body
                var along = FloatVector.fromMemorySegment(F, MEMORY, x + 4L * i, ORDER).sub(FloatVector.fromMemorySegment(F, MEMORY, mean + 4L * i, ORDER))
                    .mul(FloatVector.fromMemorySegment(F, MEMORY, mean + 3 * row + 4L * i, ORDER));
                var given = FloatVector.fromMemorySegment(F, MEMORY, e + 4L * i, ORDER).mul(FloatVector.fromMemorySegment(F, MEMORY, mean + row + 4L * i, ORDER));
                var change = given.sub(along).sub(FloatVector.fromMemorySegment(F, MEMORY, mean + 4 * row + 4L * i, ORDER));
                FloatVector.fromMemorySegment(F, MEMORY, dx + 4L * i, ORDER).add(change).intoMemorySegment(MEMORY, dx + 4L * i, ORDER);
            }
            for (; i < channels; i++) {                                                                               // scalar tail
                float along = (MEMORY.get(FLOAT, x + 4L * i) - MEMORY.get(FLOAT, mean + 4L * i)) * MEMORY.get(FLOAT, mean + 3 * row + 4L * i);
                float change = MEMORY.get(FLOAT, e + 4L * i) * MEMORY.get(FLOAT, mean + row + 4L * i) - along - MEMORY.get(FLOAT, mean + 4 * row + 4L * i);
                MEMORY.set(FLOAT, dx + 4L * i, MEMORY.get(FLOAT, dx + 4L * i) + change);
            }
        }
    }
}
