package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.B;
import static inkstone.tensor.cpu.Lanes.F;
import static inkstone.tensor.cpu.Lanes.FLOAT;
import static inkstone.tensor.cpu.Lanes.I;
import static inkstone.tensor.cpu.Lanes.L;
import static inkstone.tensor.cpu.Lanes.MEMORY;
import static inkstone.tensor.cpu.Lanes.ORDER;
import static inkstone.tensor.cpu.Lanes.SHORT;
import static inkstone.tensor.cpu.Lanes.TWO_PARTS;
import static inkstone.tensor.cpu.Lanes.address;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.LT;
import static jdk.incubator.vector.VectorOperators.MAX;

import inkstone.tensor.AdamStates;
import inkstone.tensor.AdamStep;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/** Steps of weights along their gradients, everything read and written once. Parallel over ranges. */
final class CpuOptimizer {
    private static final int GRAIN = 1 << 13, PIECE = 1 << 10;
    private static final int BLOCK = 32, BLOCK_BYTES = 34;

    private final Workers workers;
    private final Scratch scratch;

    CpuOptimizer(Workers workers, Scratch scratch) {
        this.workers = workers;
        this.scratch = scratch;
    }

    /** The numbers of a step as loops take them: {@code rest} is 1 - beta, {@code share} what v is divided by, and {@code rootShare} its root. */
    private record Numbers(float gradient, float beta1, float rest1, float beta2, float rest2, float rate, float share, float rootShare, float eps, float decay) {
        static Numbers of(AdamStep step) {
            double share = 1 / (1 - Math.pow(step.beta2(), step.step()));
            return new Numbers(step.gradient(), step.beta1(), 1 - step.beta1(), step.beta2(), 1 - step.beta2(), (float) (step.rate() / (1 - Math.pow(step.beta1(), step.step()))),
                (float) share, (float) Math.sqrt(share), step.eps(), step.rate() * step.decay());
        }
    }

    void adamW(Tensor weight, Tensor gradient, Tensor m, Tensor v, AdamStep step) {
        int count = Math.toIntExact(weight.shape().elements());
        long w = address(weight), g = address(gradient), mean = address(m), square = address(v);
        var numbers = Numbers.of(step);
        if (m.dtype() == DType.F32) {
            workers.split(count, GRAIN, (worker, first, end) -> step(w + 4L * first, g + 4L * first, mean + 4L * first, square + 4L * first, end - first, numbers));
            return;
        }
        var expand = Expand.of(m.dtype());
        scratch.reserve(16L * PIECE);
        workers.split(count, GRAIN, (worker, first, end) -> {
            long means = scratch.of(worker), roots = means + 4L * PIECE, even = roots + 4L * PIECE, odd = even + 4L * PIECE, lanes = scratch.lanes(worker);
            for (int i = first; i < end; i += PIECE) {
                int n = Math.min(PIECE, end - i);
                long blocks = (long) i / BLOCK * BLOCK_BYTES;
                expand.row(mean + blocks, means, n, lanes);
                expand.row(square + blocks, roots, n, lanes);
                stepOfRoots(w + 4L * i, g + 4L * i, means, roots, n, numbers);
                RandomWords.fill(even, odd, i / 2, n / 2, step.key());                 // of numbers 2 i + 0 and 2 i + 1 for every i
                store(mean + blocks, means, even, n, -127);
                store(square + blocks, roots, odd, n, 1);
            }
        });
    }

    private static void step(long weight, long gradient, long m, long v, int count, Numbers n) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var g = FloatVector.fromMemorySegment(F, MEMORY, gradient + 4L * i, ORDER).mul(n.gradient);
            var mean = FloatVector.fromMemorySegment(F, MEMORY, m + 4L * i, ORDER).mul(n.beta1).add(g.mul(n.rest1));
            var square = FloatVector.fromMemorySegment(F, MEMORY, v + 4L * i, ORDER).mul(n.beta2).add(g.mul(g).mul(n.rest2));
            mean.intoMemorySegment(MEMORY, m + 4L * i, ORDER);
            square.intoMemorySegment(MEMORY, v + 4L * i, ORDER);
            var w = FloatVector.fromMemorySegment(F, MEMORY, weight + 4L * i, ORDER);
            var change = mean.mul(n.rate).div(square.mul(n.share).sqrt().add(n.eps));
            w.sub(w.mul(n.decay).add(change)).intoMemorySegment(MEMORY, weight + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float g = MEMORY.get(FLOAT, gradient + 4L * i) * n.gradient, w = MEMORY.get(FLOAT, weight + 4L * i);
            float mean = MEMORY.get(FLOAT, m + 4L * i) * n.beta1 + g * n.rest1, square = MEMORY.get(FLOAT, v + 4L * i) * n.beta2 + g * g * n.rest2;
            MEMORY.set(FLOAT, m + 4L * i, mean);
            MEMORY.set(FLOAT, v + 4L * i, square);
            MEMORY.set(FLOAT, weight + 4L * i, w - (w * n.decay + mean * n.rate / ((float) Math.sqrt(square * n.share) + n.eps)));
        }
    }

    /** The same with the roots of v; both states come in units of {@link AdamStates#UNIT} and leave as they are. Whole blocks. */
    private static void stepOfRoots(long weight, long gradient, long m, long roots, int count, Numbers n) {
        for (int i = 0; i < count; i += L) {                                                                          // body
            var g = FloatVector.fromMemorySegment(F, MEMORY, gradient + 4L * i, ORDER).mul(n.gradient);
            var mean = FloatVector.fromMemorySegment(F, MEMORY, m + 4L * i, ORDER).mul(AdamStates.UNIT).mul(n.beta1).add(g.mul(n.rest1));
            var before = FloatVector.fromMemorySegment(F, MEMORY, roots + 4L * i, ORDER).mul(AdamStates.UNIT);
            var root = before.mul(before).mul(n.beta2).add(g.mul(g).mul(n.rest2)).sqrt();
            mean.intoMemorySegment(MEMORY, m + 4L * i, ORDER);
            root.intoMemorySegment(MEMORY, roots + 4L * i, ORDER);
            var w = FloatVector.fromMemorySegment(F, MEMORY, weight + 4L * i, ORDER);
            var change = mean.mul(n.rate).div(root.mul(n.rootShare).add(n.eps));
            w.sub(w.mul(n.decay).add(change)).intoMemorySegment(MEMORY, weight + 4L * i, ORDER);
        }
    }

    /** As {@link AdamStates#store}, with a random word for each float; what is above 0 keeps at least {@code least} levels. Overwrites the floats. */
    private static void store(long blocks, long floats, long words, int count, int least) {
        var quad = FloatVector.SPECIES_128;
        for (long end = floats + 4L * count; floats != end; floats += 4 * BLOCK, words += 4 * BLOCK, blocks += BLOCK_BYTES) {
            var most = FloatVector.zero(quad);
            for (int j = 0; j < BLOCK; j += 4) most = most.max(FloatVector.fromMemorySegment(quad, MEMORY, floats + 4 * j, ORDER).abs());
            short scale = AdamStates.scale(Math.max(Math.max(most.lane(0), most.lane(1)), Math.max(most.lane(2), most.lane(3))));
            float level = Float.float16ToFloat(scale);
            MEMORY.set(SHORT, blocks, scale);
            if (level == 0) level = Float.POSITIVE_INFINITY;                                                          // then everything is 0
            for (int j = 0; j < BLOCK; j += L) {                                                                      // body: down to an integer after a random fraction
                var x = FloatVector.fromMemorySegment(F, MEMORY, floats + 4 * j, ORDER).mul(1 / AdamStates.UNIT).div(level);
                var random = (FloatVector) IntVector.fromMemorySegment(I, MEMORY, words + 4 * j, ORDER).lanewise(LSHR, 8).castShape(F, 0);
                var sum = x.add(random.mul(0x1p-24f));
                var whole = (IntVector) sum.castShape(I, 0);
                whole = whole.sub(1, sum.compare(LT, (FloatVector) whole.castShape(F, 0)).cast(I)).max(-127).min(127);
                whole.lanewise(MAX, least, x.compare(GT, 0).cast(I)).intoMemorySegment(MEMORY, floats + 4 * j, ORDER);
            }
            for (int j = 0; j < BLOCK; j += B.length()) {                                                             // body: as bytes
                var bytes = (ByteVector) IntVector.fromMemorySegment(I, MEMORY, floats + 4 * j, ORDER).castShape(B, 0);
                if (TWO_PARTS) bytes = bytes.or((ByteVector) IntVector.fromMemorySegment(I, MEMORY, floats + 4 * (j + L), ORDER).castShape(B, -1));
                bytes.intoMemorySegment(MEMORY, blocks + 2 + j, ORDER);
            }
        }
    }

    void average(Tensor average, Tensor weight, float share) {
        long to = address(average), from = address(weight);
        workers.split(Math.toIntExact(average.shape().elements()), GRAIN, (worker, first, end) -> average(to + 4L * first, from + 4L * first, share, end - first));
    }

    private static void average(long average, long weight, float share, int count) {
        int i = 0;
        for (int end = count - L; i <= end; i += L) {                                                                 // body
            var before = FloatVector.fromMemorySegment(F, MEMORY, average + 4L * i, ORDER);
            var way = FloatVector.fromMemorySegment(F, MEMORY, weight + 4L * i, ORDER).sub(before).mul(share);
            before.add(way).intoMemorySegment(MEMORY, average + 4L * i, ORDER);
        }
        for (; i < count; i++) {                                                                                      // scalar tail
            float before = MEMORY.get(FLOAT, average + 4L * i);
            MEMORY.set(FLOAT, average + 4L * i, before + (MEMORY.get(FLOAT, weight + 4L * i) - before) * share);
        }
    }
}
