package inkstone.tensor;

import static inkstone.tensor.OpCase.op;

import inkstone.tensor.OpCase.Activation;
import inkstone.tensor.OpCase.Ints;
import inkstone.tensor.OpCase.Weight;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.stream.IntStream;

/** Every operation in every format and at awkward sizes, one line a case. A new operation is a new line here. */
final class OpCases {
    /** What keys and values may be kept in. */
    private static final DType[] CACHES = {DType.F32, DType.F16, DType.Q8_0};

    private OpCases() {}

    /** All, or with {@code -Dinkstone.cases=NAME,..} those whose name begins so. */
    static List<OpCase> asked() {
        var names = System.getProperty("inkstone.cases", "").split(",");
        var found = all().stream().filter(c -> Arrays.stream(names).anyMatch(c.name()::startsWith)).toList();
        int every = Integer.getInteger("inkstone.every", 1);
        return IntStream.range(0, found.size()).filter(i -> i % every == 0).mapToObj(found::get).toList();
    }

    static List<OpCase> all() {
        var cases = new ArrayList<OpCase>();
        for (var format : DType.values()) {
            if (format == DType.I32) continue;
            int block = Math.max(32, format.blockSize), odd = format.blockSize == 256 ? 768 : 288;
            for (int n : new int[] {0, 1, 2, 5, 7, 8, 9, 33}) {
                linear(cases, format, n, block, 7);
                linear(cases, format, n, odd, 172);
                if (!format.isQuantized()) linear(cases, format, n, 172, 37);
                if (format == DType.F32) linear(cases, format, n, 1, 5);
            }
            linear(cases, format, 1, 1024, 288);                   // more than one task of dots
            linear(cases, format, 4, 1024, 130);
            linear(cases, format, 13, 1024 + block, 70);           // more than one slice of k
            if (format == DType.F32 || format == DType.Q4_K) linear(cases, format, 9, block, 1100);     // more than one slice of outputs, for dx
            if (format == DType.F32) linear(cases, format, 1061, 37, 45);                               // and of rows, for dWeight
            linear(cases, format, 130, block, 300);                // more than one of a GPU's tall tiles
            if (format.isQuantized()) linear(cases, format, 1, 4096 + block, 19);
            int dim = format.isQuantized() ? 3 * block : 45;
            cases.add(op("embedding " + format, ints(3, 0, 9, 3, 7, 1, 1), weight(format, 10, dim)).exactly(in -> in.get(0).embedding(in.get(1))));
        }
        cases.add(op("linear with bias, dots", x(1, 40), weight(DType.F32, 19, 40), weight(DType.F32, 19)).run(in -> in.get(0).linear(in.get(1), in.get(2))));
        cases.add(op("linear with bias, few rows", x(3, 40), weight(DType.F16, 19, 40), weight(DType.F32, 19)).run(in -> in.get(0).linear(in.get(1), in.get(2))));
        cases.add(op("linear with bias, panels", x(15, 40), weight(DType.BF16, 69, 40), weight(DType.F32, 69)).run(in -> in.get(0).linear(in.get(1), in.get(2))));
        for (int[] d : new int[][] {{1, 1}, {1, 5}, {7, 172}, {33, 288}, {40, 1024}}) rows(cases, d[0], d[1]);
        pictures(cases);
        for (var format : DType.values()) {
            if (format == DType.I32) continue;
            cases.add(op("rowLengths " + format, x(1, 1), weight(format, 70, 768), weight(DType.F32, 3, 768), weight(DType.F32, 70, 3)).forward()
                .run(in -> Tensor.rowLengths(in.get(0).scope(), in.get(1), in.get(2), in.get(3), 0.7f)));
        }
        cases.add(op("layerNorm of heads", x(15, 48), weight(DType.F32, 5, 48)).run(in -> in.get(0).layerNorm(in.get(1), null, 1e-3f)));
        // enough rows for the gradients of weights to be added up in parts
        cases.add(op("rmsNorm of many rows", x(150, 301), weight(DType.F32, 301)).run(in -> in.get(0).rmsNorm(in.get(1), 1e-5f)));
        cases.add(op("layerNorm of many heads", x(260, 20), weight(DType.F32, 2, 20), weight(DType.F32, 2, 20)).run(in -> in.get(0).layerNorm(in.get(1), in.get(2), 1e-3f)));
        for (var pairs : Rope.Pairs.values()) {
            rope(cases, pairs, 1, 1, 2, 1, 1f);
            rope(cases, pairs, 7, 3, 64, 32, 1f);
            rope(cases, pairs, 33, 2, 80, 16, 1.19f);              // partial rotary, with YaRN's magnitude
        }
        cases.add(op("rope far along", x(4, 3 * 10), ints(4095, 131_071, 1_048_575, 10_000_000), weight(DType.F32, 4)).frozen()
            .run(in -> in.get(0).rope(in.get(1), new Rope(in.get(2), 1, Rope.Pairs.HALVES, 10))));
        for (var format : DType.values()) {
            if (format == DType.I32) continue;
            for (int n : new int[] {0, 1, 3, 40}) experts(cases, format, n, 5, 2, Math.max(64, format.blockSize), 96);
            experts(cases, format, 13, 3, 3, Math.max(32, format.blockSize), 7);
            if (format == DType.F32 || format == DType.Q8_0) experts(cases, format, 210, 2, 1, 64, 300);
        }
        for (int n : new int[] {11, 75}) {
            int d = n == 11 ? 20 : 300;
            recurrent(cases, "shift", n, d, List.of(x(n, d)), (in, r) -> in.get(0).shift(r));
            recurrent(cases, "causalConv", n, 3 * d, List.of(x(n, d), weight(DType.F32, d, 4), weight(DType.F32, d)), (in, r) -> in.get(0).causalConv(in.get(1), in.get(2), r));
            for (int states : new int[] {16, 5, 40}) {
                recurrent(cases, "selectiveScan " + states, n, 20 * states, List.of(x(n, 20), x(n, 20), x(n, states), x(n, states), x(20, states), weight(DType.F32, 20)),
                    (in, r) -> in.get(0).selectiveScan(in.get(1), in.get(2), in.get(3), in.get(4).map(Elementwise.RELU_SQUARED).scale(-1), in.get(5), r));
            }
            for (int states : new int[] {16, 5, 128}) {
                recurrent(cases, "ssdScan " + states, n, 24 * states, List.of(x(n, 24), x(n, 4), x(n, 2 * states), x(n, 2 * states), x(1, 4), weight(DType.F32, 4)),
                    (in, r) -> in.get(0).ssdScan(in.get(1), in.get(2), in.get(3), in.get(4).map(Elementwise.RELU_SQUARED).scale(-1).view(4), in.get(5), states, r));
            }
            for (boolean tiled : new boolean[] {false, true}) {
                for (int keyDim : new int[] {21, 128}) {
                    recurrent(cases, "gatedDelta " + keyDim + (tiled ? " tiled" : ""), n, 24 * keyDim,
                        List.of(x(n, 24), x(n, 2 * keyDim), x(n, 2 * keyDim), x(n, 4), x(n, 4), x(1, 4), weight(DType.F32, 4)), (in, r) -> in.get(0).gatedDelta(in.get(1), in.get(2),
                            in.get(3), in.get(4), in.get(5).map(Elementwise.RELU_SQUARED).scale(-1).view(4), in.get(6), keyDim, tiled, 1e-3f, r));
                }
            }
            for (int headDim : new int[] {64, 24}) {
                int width = 2 * headDim;
                recurrent(cases, "wkv7 " + headDim, n, width * headDim,
                    List.of(x(n, width), x(n, width), x(n, width), x(n, width), x(n, width), weight(DType.F32, width), weight(DType.F32, width), weight(DType.F32, width)),
                    (in, r) -> {
                        var wkv = in.get(0).wkv7(in.get(1), in.get(2), in.get(3), in.get(4).map(Elementwise.SIGMOID), in.get(5), in.get(6), in.get(7), headDim, r);
                        return wkv.y().concat(wkv.bonus());
                    });
            }
        }
        for (int[] d : new int[][] {{0, 7, 2}, {3, 1, 1}, {5, 40, 3}, {2, 600, 256}, {33, 4500, 1}, {2, 33_000, 1}, {1, 33_000, 64}, {1, 20_000, 256}}) {
            var name = "largest %d of [%d, %d]".formatted(d[2], d[0], d[1]);
            cases.add(op(name, x(d[0], d[1])).forward().exactly(in -> in.get(0).largest(d[2])));
            cases.add(op(name + ", all equal", x(d[0], d[1])).forward().exactly(in -> in.get(0).scale(0).largest(d[2])));
            cases.add(op(name + ", not all numbers", x(d[0], d[1])).forward().exactly(in -> in.get(0).scale(1e38f).scale(10).scale(0).largest(d[2]).columns(d[2], 2 * d[2])));
        }
        for (int n : new int[] {1, 33}) {
            route(cases, n, 1, Routing.softmax(1));
            route(cases, n, 60, Routing.softmax(4));
            route(cases, n, 7, new Routing(2, Routing.Scoring.SOFTMAX, false, 1.5f, 1, 1));
            route(cases, n, 64, new Routing(6, Routing.Scoring.SIGMOID, true, 2.5f, 8, 3));
        }
        var heads82 = new AttentionShape(8, 2, 16, 0.25f);
        for (var special : new AttentionShape[] {heads82.withWindow(6), heads82.withWindow(64), heads82.withSoftCap(2), heads82.withWindow(70).withSoftCap(30),
            heads82.withValueHeadDim(24), new AttentionShape(4, 1, 40, 0.2f).withValueHeadDim(33).withWindow(1)}) {
            for (boolean sinks : new boolean[] {false, true}) {
                attention(cases, special, sinks, 1, 20, 150);
                paged(cases, DType.F16, special, sinks, 32, new int[][] {{69, 70}, {0, 10}, {30, 163}});
                paged(cases, DType.F32, special, sinks, 5, new int[][] {{12, 13}, {129, 130}, {3, 4}});
            }
        }
        var heads42 = new AttentionShape(4, 2, 32, 0.2f);
        for (var special : new AttentionShape[] {heads42.withWindow(6), heads42.withWindow(300).withSoftCap(2), heads42.withValueHeadDim(64)}) {
            for (boolean sinks : new boolean[] {false, true}) {
                for (var cache : CACHES) paged(cases, cache, special, sinks, 32, new int[][] {{600, 601}, {250, 258}, {30, 70}});
            }
        }
        attention(cases, heads82.bidirectional(), false, 1, 20, 150);
        attention(cases, new AttentionShape(4, 2, 136, 0.1f).withValueHeadDim(48), false, 5, 66);
        // long enough for the keys of a sequence to be shared out among tasks on the way back
        var heads21 = new AttentionShape(2, 1, 8, 0.3f);
        for (var special : new AttentionShape[] {heads21, heads21.withWindow(90), heads21.bidirectional()}) attention(cases, special, false, 3, 1100);
        for (int[] heads : new int[][] {{1, 1, 1}, {4, 4, 8}, {6, 2, 5}, {9, 3, 64}, {8, 1, 48}, {2, 2, 172}}) {
            attention(cases, heads, 1);
            attention(cases, heads, 7);
            attention(cases, heads, 1, 20, 12);
            attention(cases, heads, 3, 70);
            for (var cache : CACHES) {
                if (heads[2] % cache.blockSize != 0) continue;
                paged(cases, cache, heads, 32, new int[][] {{0, 1}});
                paged(cases, cache, heads, 32, new int[][] {{69, 70}, {0, 10}, {30, 63}});      // decoding, prefill and its continuation in one batch
                paged(cases, cache, heads, 5, new int[][] {{12, 13}, {129, 130}, {3, 4}});
                paged(cases, cache, heads, 1, new int[][] {{0, 66}});
            }
        }
        attention(cases, new AttentionShape(4, 2, 288, 0.06f).withValueHeadDim(272).withWindow(30), true, 3, 40);
        // few rows of a sequence, on both sides of where positions are split and of where panels take over; 1 to 8 columns to a key, and latents
        for (int[] heads : new int[][] {{3, 3, 32}, {6, 3, 64}, {12, 3, 32}, {5, 1, 32}, {7, 1, 96}, {16, 2, 32}, {20, 1, 20}}) {
            for (var cache : CACHES) {
                if (heads[2] % cache.blockSize == 0) paged(cases, cache, heads, 32, new int[][] {{600, 601}, {254, 257}, {120, 128}, {100, 109}, {255, 256}, {256, 257}});
            }
        }
        // single rows of sequences, as in decoding, with few and many query heads to a key head
        for (int[] heads : new int[][] {{3, 1, 32}, {14, 2, 32}, {11, 1, 64}}) {
            for (var cache : CACHES) paged(cases, cache, heads, 32, new int[][] {{600, 601}, {254, 255}, {0, 1}});
        }
        paged(cases, DType.F16, new AttentionShape(12, 2, 20, 0.2f).withValueHeadDim(36).withWindow(40).withSoftCap(3), true, 5, new int[][] {{255, 256}, {17, 18}, {38, 39}});
        // heads wider than a GPU's usual tile, latents of 576 and 512 among them
        for (var cache : CACHES) paged(cases, cache, new AttentionShape(6, 1, 576, 0.04f).withValueHeadDim(512), true, 32, new int[][] {{300, 301}, {17, 20}});
        paged(cases, DType.F16, new AttentionShape(2, 1, 300, 0.06f).withValueHeadDim(40), false, 32, new int[][] {{60, 90}});
        for (var cache : CACHES) paged(cases, cache, new AttentionShape(66, 1, 96, 0.1f).withValueHeadDim(64), false, 32, new int[][] {{300, 301}, {17, 20}});
        return cases;
    }

    private static Activation x(int... dims) { return new Activation(dims); }
    private static Weight weight(DType dtype, int... dims) { return new Weight(dtype, dims); }
    private static Ints ints(int... values) { return new Ints(0, values); }

    private static void linear(List<OpCase> cases, DType format, int n, int in, int out) {
        cases.add(op("linear %s [%d, %d] -> %d".formatted(format, n, in, out), x(n, in), weight(format, out, in)).run(i -> i.get(0).linear(i.get(1), null)));
    }

    private static void rows(List<OpCase> cases, int n, int d) {
        String shape = " [%d, %d]".formatted(n, d);
        var random = new Random(n);
        var chosen = random.ints(n + 3, 0, n).toArray();
        var slots = new ArrayList<Integer>();
        for (int i = 0; i < 2 * n; i++) slots.add(i);
        Collections.shuffle(slots, random);
        var targets = slots.stream().limit(n).mapToInt(i -> i).toArray();
        cases.add(op("add" + shape, x(n, d), x(n, d)).exactly(in -> in.get(0).add(in.get(1))));
        var norm = op("rmsNorm" + shape, x(n, d), weight(DType.F32, d));
        // a row of one element is always 1 or -1: its gradient is what rounding leaves
        cases.add((d == 1 ? norm.forward() : norm).run(in -> in.get(0).rmsNorm(in.get(1), 1e-5f)));
        cases.add(op("swiglu" + shape, x(n, d), x(n, d)).run(in -> in.get(0).swiglu(in.get(1))));
        cases.add(op("layerNorm" + shape, x(n, d), weight(DType.F32, d), weight(DType.F32, d)).run(in -> in.get(0).layerNorm(in.get(1), in.get(2), 1e-3f)));
        cases.add(op("gelu" + shape, x(n, d)).run(in -> in.get(0).gelu()));
        cases.add(op("geglu" + shape, x(n, d), x(n, d)).run(in -> in.get(0).geglu(in.get(1))));
        cases.add(op("clampedSwiglu" + shape, x(n, d), x(n, d)).run(in -> in.get(0).clampedSwiglu(in.get(1), 1.702f, 0.7f)));
        cases.add(op("scale" + shape, x(n, d)).exactly(in -> in.get(0).scale(0.3f)));
        cases.add(op("softCap" + shape, x(n, d)).run(in -> in.get(0).softCap(2)));
        cases.add(op("softCap 30" + shape, x(n, d)).run(in -> in.get(0).softCap(30)));
        for (var function : Elementwise.values()) {
            boolean positive = function == Elementwise.RECIPROCAL_ROOT;
            cases.add(op(function + shape, x(n, d)).run(in -> (positive ? in.get(0).map(Elementwise.EXP) : in.get(0)).map(function)));
        }
        cases.add(op("mul" + shape, x(n, d), x(n, d)).exactly(in -> in.get(0).mul(in.get(1))));
        cases.add(op("lerp" + shape, x(n, d), x(n, d), x(n, d)).run(in -> in.get(0).lerp(in.get(1), in.get(2))));
        cases.add(op("lerp by one row" + shape, x(n, d), x(n, d), weight(DType.F32, d)).run(in -> in.get(0).lerp(in.get(1), in.get(2))));
        cases.add(op("scaleColumns" + shape, x(n, d), weight(DType.F32, d), weight(DType.F32, d)).run(in -> in.get(0).scaleColumns(in.get(1), null, in.get(2))));
        cases.add(op("scaleColumns, divided" + shape, x(n, d), weight(DType.F32, d), weight(DType.F32, d)).frozen().run(in -> in.get(0).scaleColumns(in.get(1), in.get(2), null)));
        cases.add(op("concat" + shape, x(n, d), x(n, 3)).exactly(in -> in.get(0).concat(in.get(1))));
        cases.add(op("dropout" + shape, x(n, d)).run(in -> in.get(0).dropout(0.3f)));
        cases.add(op("sum" + shape, x(n, d)).run(in -> in.get(0).sum()));
        cases.add(op("crossEntropy" + shape, x(n, d), ints(random.ints(n, -1, d).toArray())).run(in -> in.get(0).crossEntropy(in.get(1))));
        cases.add(op("columns" + shape, x(n, d)).exactly(in -> in.get(0).columns(d / 3, d)));
        cases.add(op("gatherRows" + shape, x(n, d), ints(chosen)).exactly(in -> in.get(0).gatherRows(in.get(1))));
        for (var cache : CACHES) {
            if (d % cache.blockSize != 0) continue;
            cases.add(op("scatterRows " + cache + shape, x(n, d), weight(cache, n, 2, d), ints(targets)).forward().exactly(in -> {
                in.get(0).scatterRows(in.get(1), in.get(2));
                return in.get(1);
            }));
        }
    }

    private static void rope(List<OpCase> cases, Rope.Pairs pairs, int n, int heads, int headDim, int frequencies, float magnitude) {
        var positions = new Random(n).ints(n, 0, 5000).toArray();
        cases.add(op("rope %s [%d, %d x %d] rotary %d".formatted(pairs, n, heads, headDim, 2 * frequencies), x(n, heads * headDim), ints(positions), weight(DType.F32, frequencies))
            .frozen().run(in -> in.get(0).rope(in.get(1), new Rope(in.get(2), magnitude, pairs, headDim))));
    }

    /** A layer of experts without its gate: up and down again. */
    private static void experts(List<OpCase> cases, DType format, int n, int count, int used, int in, int out) {
        var chosen = new int[n * used];
        var random = new Random(n);
        for (int i = 0; i < chosen.length; i++) chosen[i] = random.nextInt(count);
        cases.add(op("expertLinear %s [%d, %d] -> %d, %d of %d".formatted(format, n, in, out, used, count), x(n, in), weight(format, count, out, in),
            weight(DType.F32, count, out), ints(chosen)).run(i -> i.get(0).expertLinear(i.get(1), i.get(2), i.get(3))));
        cases.add(op("expertLinear %s, a row for each, no bias".formatted(format), x(n * used, in), weight(format, count, out, in), ints(chosen))
            .run(i -> i.get(0).expertLinear(i.get(1), null, i.get(2))));
    }

    /** Five rows that begin a sequence and six that go on with another, or two, forty and more: what comes out, and the states that are left. */
    private static void recurrent(List<OpCase> cases, String op, int n, int width, List<OpCase.Input> inputs, BiFunction<List<Tensor>, Recurrence, Tensor> run) {
        var all = new ArrayList<>(inputs);
        int at = inputs.size();
        int[] slots = new int[n], positions = new int[n], lengths = n == 11 ? new int[] {0, 5, 6} : new int[] {2, 40, 33}, from = {1, 0, 7};
        for (int row = 0, i = 0; i < lengths.length; i++) {
            for (int j = 0; j < lengths[i]; j++, row++) {
                slots[row] = new int[] {3, 2, 0}[i];
                positions[row] = from[i] + j;
            }
        }
        all.add(weight(DType.F32, 4, width));
        all.add(ints(slots));
        all.add(ints(positions));
        var name = "%s, %d rows".formatted(op, n);
        var array = all.toArray(OpCase.Input[]::new);
        cases.add(op(name, array).forward().run(in -> run.apply(in, new Recurrence(in.get(at), in.get(at + 1), in.get(at + 2)))));
        cases.add(op(name + ", state", array).forward().run(in -> {
            run.apply(in, new Recurrence(in.get(at), in.get(at + 1), in.get(at + 2)));
            return in.get(at);
        }));
    }

    private static void route(List<OpCase> cases, int n, int count, Routing routing) {
        var name = "route [%d, %d] %s".formatted(n, count, routing);
        cases.add(op(name, x(n, count), weight(DType.F32, count)).frozen().run(in -> in.get(0).route(in.get(1), routing).weights()));
        cases.add(op(name + ", which", x(n, count), x(n, 5), weight(DType.F32, count, 3, 5)).frozen().run(in -> {
            var choice = in.get(0).route(null, routing);
            return in.get(1).expertLinear(in.get(2), null, choice.experts()).weightedSum(choice.weights());
        }));
    }

    private static AttentionShape shape(int[] heads) { return new AttentionShape(heads[0], heads[1], heads[2], (float) (1 / Math.sqrt(heads[2]))); }

    private static String text(AttentionShape shape, boolean sinks) {
        return "%d/%d x %d>%d, window %d, cap %s%s".formatted(shape.heads(), shape.kvHeads(), shape.headDim(), shape.valueHeadDim(), shape.window(), shape.softCap(),
            (sinks ? ", sinks" : "") + (shape.causal() ? "" : ", both sides"));
    }

    private static void pictures(List<OpCase> cases) {
        for (var format : new DType[] {DType.F32, DType.F16, DType.BF16, DType.Q8_0, DType.Q4_0}) {
            int block = Math.max(32, format.blockSize);
            convolution(cases, format, 1, 7, 5, block, 3, 9, Convolution.same(3));
            convolution(cases, format, 2, 17, 13, block, 3, 70, Convolution.same(3));
        }
        convolution(cases, DType.F32, 0, 4, 4, 3, 3, 8, Convolution.same(3));
        convolution(cases, DType.F32, 2, 6, 5, 4, 1, 19, Convolution.same(1));
        convolution(cases, DType.F32, 1, 9, 8, 3, 5, 4, new Convolution(1, 0));
        convolution(cases, DType.F32, 2, 10, 7, 5, 3, 33, new Convolution(2, 1));
        convolution(cases, DType.F32, 1, 8, 10, 6, 3, 12, new Convolution(2, 0, 1));
        convolution(cases, DType.F32, 2, 8, 8, 4, 4, 6, new Convolution(2, 1));
        convolution(cases, DType.F32, 1, 9, 12, 3, 4, 5, new Convolution(4, 0));                                             // patches, and a remainder that no window meets
        convolution(cases, DType.F32, 1, 33, 40, 48, 3, 64, Convolution.same(3));                                            // more than one task and slice
        convolution(cases, DType.F32, 2, 5, 4, 7, 1, 40, new Convolution(2, 0));                                             // pixels that no window meets
        convolution(cases, DType.F32, 1, 4, 5, 6, 3, 5, new Convolution(2, 4, 3));                                           // windows that meet no pixel
        convolution(cases, DType.F32, 1, 5, 4, 128, 3, 130, Convolution.same(3));                                            // slices of a window, there and back
        convolution(cases, DType.F32, 2, 4, 3, 256, 3, 35, new Convolution(2, 1));                                           // more numbers in a window than are gathered at a time
        for (var format : new DType[] {DType.BF16, DType.Q8_0, DType.Q4_K}) convolution(cases, format, 1, 3, 5, 256, 3, 36, Convolution.same(3));
        cases.add(op("conv2d of wide windows", x(2, 5, 11, 6), weight(DType.F32, 7, 2, 5, 6)).run(in -> in.get(0).conv2d(in.get(1), null, new Convolution(1, 1, 2))));
        cases.add(op("conv2d of a linear layer's window, many pixels", x(2, 11, 9, 40), weight(DType.F16, 33, 1, 1, 40)).run(in -> in.get(0).conv2d(in.get(1), null, Convolution.same(1))));
        cases.add(op("conv2d without bias", x(1, 6, 6, 8), weight(DType.F32, 5, 3, 3, 8)).run(in -> in.get(0).conv2d(in.get(1), null, Convolution.same(3))));
        for (var c : new Convolution[] {new Convolution(2, 1), new Convolution(2, 3), new Convolution(1, 0), new Convolution(3, 0, 1)}) {
            cases.add(op("convTranspose2d " + c, x(2, 5, 6, 7), weight(DType.F32, 7, 4, 4, 9), weight(DType.F32, 9)).run(in -> in.get(0).convTranspose2d(in.get(1), in.get(2), c)));
        }
        cases.add(op("convTranspose2d F16", x(1, 5, 6, 7), weight(DType.F16, 7, 4, 4, 20)).run(in -> in.get(0).convTranspose2d(in.get(1), null, new Convolution(2, 1))));
        for (var silu : new boolean[] {false, true}) {
            for (int[] d : new int[][] {{1, 1, 1, 2, 1}, {2, 5, 3, 12, 3}, {1, 9, 9, 64, 32}, {3, 8, 8, 40, 8}, {1, 20, 17, 96, 1}, {1, 40, 33, 64, 32}, {0, 3, 3, 8, 2}}) {
                cases.add(op("groupNorm%s %s".formatted(silu ? " and silu" : "", Arrays.toString(d)), x(d[0], d[1], d[2], d[3]), weight(DType.F32, d[3]), weight(DType.F32, d[3]))
                    .run(in -> in.get(0).groupNorm(d[4], in.get(1), in.get(2), 1e-3f, silu)));
            }
        }
        // a mean of a thousand deviations
        cases.add(op("groupNorm of pixels far from 0", x(2, 30, 31, 24), weight(DType.F32, 24), weight(DType.F32, 24)).forward()
            .run(in -> in.get(0).scale(1e-3f).add(in.get(0).scale(0).map(Elementwise.EXP)).groupNorm(4, in.get(1), in.get(2), 1e-12f, false)));
        cases.add(op("groupNorm of many channels", x(1, 6, 7, 2570), weight(DType.F32, 2570), weight(DType.F32, 2570)).run(in -> in.get(0).groupNorm(10, in.get(1), in.get(2), 1e-3f, true)));
        for (var resampling : Resampling.values()) for (int[] to : new int[][] {{10, 14}, {5, 7}, {3, 2}, {8, 9}, {1, 1}}) {
            cases.add(op("resize %s to %s".formatted(resampling, Arrays.toString(to)), x(2, 5, 7, 19)).run(in -> in.get(0).resize(to[0], to[1], resampling)));
        }
        for (var resampling : Resampling.values()) {
            cases.add(op("resize %s of none".formatted(resampling), x(0, 5, 7, 3)).run(in -> in.get(0).resize(10, 3, resampling)));
            cases.add(op("resize %s, more than one task".formatted(resampling), x(2, 33, 40, 64)).run(in -> in.get(0).resize(66, 80, resampling)));
            cases.add(op("resize %s, much smaller".formatted(resampling), x(1, 64, 50, 3)).run(in -> in.get(0).resize(7, 9, resampling)));
        }
        for (int[] d : new int[][] {{1, 1, 5}, {3, 4, 40}, {2, 33, 172}, {2, 70, 1024}}) {
            int n = d[0] * d[1];
            cases.add(op("modulate " + Arrays.toString(d), x(n, d[2]), x(d[0], d[2]), x(d[0], d[2])).run(in -> in.get(0).modulate(in.get(1), in.get(2))));
            cases.add(op("modulate, scale alone " + Arrays.toString(d), x(n, d[2]), x(d[0], d[2])).run(in -> in.get(0).modulate(in.get(1), null)));
            cases.add(op("modulate, shift alone " + Arrays.toString(d), x(n, d[2]), x(d[0], d[2])).run(in -> in.get(0).modulate(null, in.get(1))));
            cases.add(op("gated " + Arrays.toString(d), x(n, d[2]), x(n, d[2]), x(d[0], d[2])).run(in -> in.get(0).gated(in.get(1), in.get(2))));
            cases.add(op("layerNorm without weight " + Arrays.toString(d), x(n, d[2])).run(in -> in.get(0).layerNorm(null, null, 1e-3f)));
        }
        // few elements or very many: of some thousands, which finite differences still take, a few lie so near to 0 that they change sides
        for (int[] d : new int[][] {{1, 5}, {12, 40}, {140, 1024}}) cases.add(op("leakyRelu " + Arrays.toString(d), x(d)).run(in -> in.get(0).leakyRelu(0.2f)));
        crossAttention(cases, new AttentionShape(2, 2, 16, 0.25f), 1, 1, 1);
        crossAttention(cases, new AttentionShape(8, 8, 40, 0.16f), 2, 20, 77);
        crossAttention(cases, new AttentionShape(4, 2, 32, 0.2f).withValueHeadDim(48), 3, 7, 5);
        crossAttention(cases, new AttentionShape(1, 1, 160, 0.08f), 2, 65, 12);
        crossAttention(cases, new AttentionShape(2, 2, 64, 0.125f), 2, 130, 130);
        crossAttention(cases, new AttentionShape(2, 2, 8, 0.3f), 2, 110, 1100);                                              // keys shared out among tasks on the way back
        crossAttention(cases, new AttentionShape(3, 3, 40, 0.2f), 3, 64, 16);
        crossAttention(cases, new AttentionShape(2, 1, 20, 0.2f), 1, 200, 70);                                           // more than one task of rows
        crossAttention(cases, new AttentionShape(1, 1, 512, 0.044f), 1, 40, 40);                                             // the middle of Stable Diffusion's autoencoder
        var heads = new AttentionShape(3, 3, 24, 0.2f).bidirectional();
        cases.add(op("crossAttention, lengths", x(3 * 6, heads.queryDim()), x(3 * 9, heads.keyDim()), x(3 * 9, heads.valueDim()), ints(9, 1, 4))
            .run(in -> in.get(0).crossAttention(in.get(1), in.get(2), 3, in.get(3), null, heads)));
        cases.add(op("crossAttention, bias", x(2 * 70, 24), x(2 * 150, 24), x(2 * 150, 24), weight(DType.F32, 3, 70, 150)).frozen()
            .run(in -> in.get(0).crossAttention(in.get(1), in.get(2), 2, null, in.get(3), new AttentionShape(3, 3, 8, 0.3f).bidirectional())));
        cases.add(op("crossAttention, bias and lengths", x(2 * 6, heads.queryDim()), x(2 * 9, heads.keyDim()), x(2 * 9, heads.valueDim()), ints(5, 9), weight(DType.F32, 3, 6, 9)).frozen()
            .run(in -> in.get(0).crossAttention(in.get(1), in.get(2), 2, in.get(3), in.get(4), heads)));
    }

    private static void convolution(List<OpCase> cases, DType format, int n, int h, int w, int in, int window, int out, Convolution convolution) {
        cases.add(op("conv2d %s [%d, %d, %d, %d] by %d to %d, %s".formatted(format, n, h, w, in, window, out, convolution), x(n, h, w, in), weight(format, out, window, window, in),
            weight(DType.F32, out)).run(i -> i.get(0).conv2d(i.get(1), i.get(2), convolution)));
    }

    private static void crossAttention(List<OpCase> cases, AttentionShape shape, int sequences, int queries, int keys) {
        var heads = shape.bidirectional();
        cases.add(op("crossAttention %s, %d times %d to %d".formatted(text(heads, false), sequences, queries, keys), x(sequences * queries, heads.queryDim()), x(sequences * keys, heads.keyDim()),
            x(sequences * keys, heads.valueDim())).run(in -> in.get(0).crossAttention(in.get(1), in.get(2), sequences, null, null, heads)));
    }

    private static void attention(List<OpCase> cases, int[] heads, int... lengths) { attention(cases, shape(heads), false, lengths); }

    /** Packed sequences of these lengths. */
    private static void attention(List<OpCase> cases, AttentionShape shape, boolean sinks, int... lengths) {
        int n = 0;
        for (int length : lengths) n += length;
        var starts = new int[n];
        for (int row = 0, i = 0; i < lengths.length; row += lengths[i++]) Arrays.fill(starts, row, row + lengths[i], row);
        cases.add(op("attention %s, sequences %s".formatted(text(shape, sinks), Arrays.toString(lengths)),
            x(n, shape.queryDim()), x(n, shape.keyDim()), x(n, shape.valueDim()), ints(starts), weight(DType.F32, shape.heads()))
            .frozen().run(in -> in.get(0).attention(in.get(1), in.get(2), in.get(3), sinks ? shape.withSinks(in.get(4)) : shape)));
    }

    private static void paged(List<OpCase> cases, DType cache, int[] heads, int pageSize, int[][] ranges) { paged(cases, cache, shape(heads), false, pageSize, ranges); }

    /** Rows at positions from .. to - 1 of one sequence each, pages in shuffled order. */
    private static void paged(List<OpCase> cases, DType cache, AttentionShape shape, boolean sinks, int pageSize, int[][] ranges) {
        var positions = new ArrayList<Integer>();
        var sequences = new ArrayList<Integer>();
        int maxPages = 0;
        for (int s = 0; s < ranges.length; s++) {
            maxPages = Math.max(maxPages, Math.ceilDiv(ranges[s][1], pageSize));
            for (int p = ranges[s][0]; p < ranges[s][1]; p++) {
                positions.add(p);
                sequences.add(s);
            }
        }
        int pages = ranges.length * maxPages + 2;
        var order = new ArrayList<Integer>();
        for (int i = 0; i < pages; i++) order.add(i);
        Collections.shuffle(order, new Random(pages));
        var table = order.stream().limit((long) ranges.length * maxPages).mapToInt(i -> i).toArray();
        cases.add(op("pagedAttention %s %s, pages of %d, positions %s".formatted(cache, text(shape, sinks), pageSize, Arrays.deepToString(ranges)),
            x(positions.size(), shape.queryDim()), weight(cache, pages, pageSize, shape.keyDim()), weight(cache, pages, pageSize, shape.valueDim()),
            ints(array(positions)), ints(array(sequences)), new Ints(maxPages, table), weight(DType.F32, shape.heads()))
            .forward().run(in -> in.get(0).pagedAttention(in.get(1), in.get(2), in.get(3), in.get(4), in.get(5), sinks ? shape.withSinks(in.get(6)) : shape)));
    }

    private static int[] array(List<Integer> values) { return values.stream().mapToInt(i -> i).toArray(); }
}
