package inkstone.tensor.reference;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import inkstone.tensor.AdamStates;
import inkstone.tensor.AdamStep;
import inkstone.tensor.AttentionShape;
import inkstone.tensor.Blocks;
import inkstone.tensor.Convolution;
import inkstone.tensor.DType;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Kernels;
import inkstone.tensor.Philox;
import inkstone.tensor.Recurrence;
import inkstone.tensor.Resampling;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/** Each kernel as its formula reads, sums in double precision. */
final class ReferenceKernels implements Kernels {
    @Override public void embedding(Tensor y, Tensor tokens, Tensor table) {
        int dim = table.shape().last();
        for (int i = 0; i < tokens.shape().dim(0); i++) {
            int token = index("embedding: token", integer(tokens, i), i, table.shape().dim(0));
            write(y, i, row(table, token, dim));
        }
    }

    @Override public void linear(Tensor y, Tensor x, Tensor weight, Tensor bias) {
        int n = x.shape().dim(0), in = weight.shape().last(), out = weight.shape().dim(0);
        for (int o = 0; o < out; o++) {
            float[] w = row(weight, o, in);
            for (int i = 0; i < n; i++) {
                double sum = bias == null ? 0 : get(bias, o);
                for (int k = 0; k < in; k++) sum += (double) w[k] * get(x, (long) i * in + k);
                set(y, (long) i * out + o, sum);
            }
        }
    }

    @Override public void add(Tensor y, Tensor a, Tensor b) {
        for (long i = 0; i < y.shape().elements(); i++) set(y, i, (double) get(a, i) + get(b, i));
    }

    @Override public void rmsNorm(Tensor y, Tensor x, Tensor weight, float eps) {
        int d = x.shape().last();
        for (int r = 0; r < x.shape().rows(); r++) {
            double squares = 0;
            for (int i = 0; i < d; i++) squares += Math.pow(get(x, (long) r * d + i), 2);
            double inverse = 1 / Math.sqrt(squares / d + eps);
            for (int i = 0; i < d; i++) set(y, (long) r * d + i, get(x, (long) r * d + i) * inverse * get(weight, i));
        }
    }

    @Override public void layerNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, float eps) {
        int d = x.shape().last();
        for (int r = 0; r < x.shape().rows(); r++) {
            double mean = 0, variance = 0;
            for (int i = 0; i < d; i++) mean += get(x, (long) r * d + i) / (double) d;
            for (int i = 0; i < d; i++) variance += Math.pow(get(x, (long) r * d + i) - mean, 2) / d;
            double inverse = 1 / Math.sqrt(variance + eps);
            long head = weight == null ? 0 : r % weight.shape().rows() * (long) d;
            for (int i = 0; i < d; i++) {
                set(y, (long) r * d + i, (get(x, (long) r * d + i) - mean) * inverse * (weight == null ? 1 : get(weight, head + i)) + (bias == null ? 0 : get(bias, head + i)));
            }
        }
    }

    @Override public void scale(Tensor y, Tensor x, float factor) {
        for (long i = 0; i < y.shape().elements(); i++) set(y, i, (double) get(x, i) * factor);
    }

    @Override public void softCap(Tensor y, Tensor x, float cap) {
        for (long i = 0; i < y.shape().elements(); i++) set(y, i, cap * Math.tanh(get(x, i) / (double) cap));
    }

    @Override public void rope(Tensor y, Tensor x, Tensor positions, Rope rope) {
        int width = x.shape().last(), headDim = rope.headDim(), half = rope.frequencies().shape().last();
        for (int r = 0; r < x.shape().dim(0); r++) {
            for (int head = 0; head < width; head += headDim) {
                long start = (long) r * width + head;
                for (int i = 0; i < half; i++) {
                    double angle = (double) integer(positions, r) * get(rope.frequencies(), i);
                    double cos = Math.cos(angle) * rope.magnitude(), sin = Math.sin(angle) * rope.magnitude();
                    boolean interleaved = rope.pairs() == Rope.Pairs.INTERLEAVED;
                    long first = start + (interleaved ? 2 * i : i), second = interleaved ? first + 1 : first + half;
                    double a = get(x, first), b = get(x, second);
                    set(y, first, a * cos - b * sin);
                    set(y, second, a * sin + b * cos);
                }
                for (int i = 2 * half; i < headDim; i++) set(y, start + i, get(x, start + i));
            }
        }
    }

    @Override public void swiglu(Tensor y, Tensor gate, Tensor up) {
        for (long i = 0; i < y.shape().elements(); i++) {
            double z = get(gate, i);
            set(y, i, z / (1 + Math.exp(-z)) * get(up, i));
        }
    }

    @Override public void gelu(Tensor y, Tensor x) {
        for (long i = 0; i < y.shape().elements(); i++) set(y, i, gelu(get(x, i)));
    }

    @Override public void geglu(Tensor y, Tensor gate, Tensor up) {
        for (long i = 0; i < y.shape().elements(); i++) set(y, i, gelu(get(gate, i)) * get(up, i));
    }

    static double gelu(double z) { return z / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z * z * z))); }

    @Override public void clampedSwiglu(Tensor y, Tensor gate, Tensor up, float alpha, float limit) {
        for (long i = 0; i < y.shape().elements(); i++) {
            double g = Math.min(get(gate, i), limit), u = Math.clamp(get(up, i), -limit, limit);
            set(y, i, g / (1 + Math.exp(-alpha * g)) * (u + 1));
        }
    }

    @Override public void map(Tensor y, Tensor x, Elementwise function) {
        for (long i = 0; i < y.shape().elements(); i++) {
            double z = get(x, i);
            set(y, i, switch (function) {
                case SILU -> z * sigmoid(z);
                case SIGMOID -> sigmoid(z);
                case TANH -> Math.tanh(z);
                case RELU_SQUARED -> Math.pow(Math.max(z, 0), 2);
                case ELU -> z > 0 ? z : Math.expm1(z);
                case GELU_ERF -> z * normalShare(z);
                case QUICK_GELU -> z * sigmoid(1.702 * z);
                case RECIPROCAL_ROOT -> 1 / Math.sqrt(z);
                case EXP -> Math.exp(z);
                case SOFTPLUS -> Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
            });
        }
    }

    /**
     * The share of a normal distribution below z, (1 + erf(z / sqrt(2))) / 2: by the series 1/2 + phi(z) (z + z³/3 + z⁵/15 ..) near 0, by the continued fraction of its tail beyond
     * (Abramowitz & Stegun 1964, 26.2.11 and 26.2.14).
     */
    static double normalShare(double z) {
        double density = Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI), far = Math.abs(z);
        if (far < 4) {
            double term = z, sum = z;
            for (int k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) sum += term *= z * z / k;
            return 0.5 + density * sum;
        }
        double fraction = far;
        for (int k = 60; k > 0; k--) fraction = far + k / fraction;
        return z < 0 ? density / fraction : 1 - density / fraction;
    }

    static double sigmoid(double z) { return 1 / (1 + Math.exp(-z)); }

    @Override public void mul(Tensor y, Tensor a, Tensor b) {
        for (long i = 0; i < y.shape().elements(); i++) set(y, i, (double) get(a, i) * get(b, i));
    }

    @Override public void scaleColumns(Tensor y, Tensor x, Tensor factors, Tensor divisors, Tensor bias) {
        int d = x.shape().last();
        for (long i = 0; i < y.shape().elements(); i++) {
            long j = i % d;
            set(y, i, (double) get(x, i) * get(factors, j) / (divisors == null ? 1 : get(divisors, j)) + (bias == null ? 0 : get(bias, j)));
        }
    }

    @Override public void rowLengths(Tensor lengths, Tensor weight, Tensor a, Tensor b, float scale) {
        int in = weight.shape().last(), rank = a.shape().dim(0);
        for (int o = 0; o < weight.shape().dim(0); o++) {
            float[] w = row(weight, o, in);
            double squares = 0;
            for (int k = 0; k < in; k++) {
                double change = 0;
                for (int r = 0; r < rank; r++) change += (double) get(b, (long) o * rank + r) * get(a, (long) r * in + k);
                squares += Math.pow(w[k] + scale * change, 2);
            }
            set(lengths, o, Math.sqrt(squares));
        }
    }

    @Override public void lerp(Tensor y, Tensor a, Tensor b, Tensor weight) {
        long weights = weight.shape().elements();
        for (long i = 0; i < y.shape().elements(); i++) set(y, i, get(a, i) + ((double) get(b, i) - get(a, i)) * get(weight, i % weights));
    }

    // ---- recurrent layers ------------------------------------------------------------------------------------------------------------------------------

    /** Where the state of a row begins; zeroed where the row is a sequence's first. */
    private static long state(String op, Recurrence recurrence, int row) {
        int width = recurrence.state().shape().last();
        long start = (long) index(op + ": slot", integer(recurrence.slots(), row), row, recurrence.state().shape().dim(0)) * width;
        if (integer(recurrence.positions(), row) == 0) for (int i = 0; i < width; i++) set(recurrence.state(), start + i, 0);
        return start;
    }

    @Override public void shift(Tensor y, Tensor x, Recurrence recurrence) {
        int d = x.shape().last();
        for (int row = 0; row < x.shape().dim(0); row++) {
            long state = state("shift", recurrence, row);
            for (int i = 0; i < d; i++) {
                set(y, (long) row * d + i, get(recurrence.state(), state + i));
                set(recurrence.state(), state + i, get(x, (long) row * d + i));
            }
        }
    }

    @Override public void causalConv(Tensor y, Tensor x, Tensor weight, Tensor bias, Recurrence recurrence) {
        int d = x.shape().last(), k = weight.shape().last();
        for (int row = 0; row < x.shape().dim(0); row++) {
            long state = state("causalConv", recurrence, row);
            for (int c = 0; c < d; c++) {
                double sum = bias == null ? 0 : get(bias, c);
                for (int j = 0; j < k; j++) {
                    double earlier = j == k - 1 ? get(x, (long) row * d + c) : get(recurrence.state(), state + (long) j * d + c);
                    sum += earlier * get(weight, (long) c * k + j);
                    if (j > 0) set(recurrence.state(), state + (j - 1L) * d + c, earlier);
                }
                set(y, (long) row * d + c, sum);
            }
        }
    }

    @Override public void selectiveScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {
        int d = x.shape().last(), states = a.shape().last();
        for (int row = 0; row < x.shape().dim(0); row++) {
            long state = state("selectiveScan", recurrence, row);
            for (int f = 0; f < d; f++) {
                double input = get(x, (long) row * d + f), t = get(dt, (long) row * d + f), step = t > 20 ? t : Math.log1p(Math.exp(t)), sum = get(skip, f) * input;
                for (int s = 0; s < states; s++) {
                    long at = (long) f * states + s;
                    set(recurrence.state(), state + at, Math.exp(step * get(a, at)) * get(recurrence.state(), state + at) + step * get(b, (long) row * states + s) * input);
                    sum += get(c, (long) row * states + s) * get(recurrence.state(), state + at);
                }
                set(y, (long) row * d + f, sum);
            }
        }
    }

    @Override public void ssdScan(Tensor y, Tensor x, Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {
        int d = x.shape().last(), heads = a.shape().last(), headDim = d / heads, states = recurrence.state().shape().last() / d, groups = b.shape().last() / states;
        for (int row = 0; row < x.shape().dim(0); row++) {
            long state = state("ssdScan", recurrence, row);
            for (int f = 0; f < d; f++) {
                int head = f / headDim;
                long shared = ((long) row * groups + head / (heads / groups)) * states;
                double input = get(x, (long) row * d + f), t = get(dt, (long) row * heads + head), step = t > 20 ? t : Math.log1p(Math.exp(t)), sum = get(skip, head) * input;
                for (int s = 0; s < states; s++) {
                    long at = state + (long) f * states + s;
                    set(recurrence.state(), at, Math.exp(step * get(a, head)) * get(recurrence.state(), at) + step * get(b, shared + s) * input);
                    sum += get(c, shared + s) * get(recurrence.state(), at);
                }
                set(y, (long) row * d + f, sum);
            }
        }
    }

    @Override public void gatedDelta(Tensor y, Tensor q, Tensor k, Tensor v, Tensor dt, Tensor rate, Tensor a, Tensor bias, boolean tiled, float eps, Recurrence recurrence) {
        int d = v.shape().last(), heads = a.shape().last(), valueDim = d / heads, keyDim = recurrence.state().shape().last() / d, keyHeads = q.shape().last() / keyDim;
        for (int row = 0; row < v.shape().dim(0); row++) {
            long state = state("gatedDelta", recurrence, row);
            for (int head = 0; head < heads; head++) {
                long from = ((long) row * keyHeads + (tiled ? head % keyHeads : head / (heads / keyHeads))) * keyDim, at = (long) row * heads + head;
                double queries = 0, keys = 0, t = (double) get(dt, at) + get(bias, head), kept = Math.exp(get(a, head) * (t > 20 ? t : Math.log1p(Math.exp(t))));
                for (int j = 0; j < keyDim; j++) {
                    queries += Math.pow(get(q, from + j), 2);
                    keys += Math.pow(get(k, from + j), 2);
                }
                queries = 1 / Math.max(Math.sqrt(queries), eps) / Math.sqrt(keyDim);
                keys = 1 / Math.max(Math.sqrt(keys), eps);
                for (int i = 0; i < valueDim; i++) {
                    long line = state + ((long) head * valueDim + i) * keyDim, feature = (long) row * d + (long) head * valueDim + i;
                    double known = 0, sum = 0;
                    for (int j = 0; j < keyDim; j++) known += kept * get(recurrence.state(), line + j) * get(k, from + j) * keys;
                    double added = (get(v, feature) - known) * sigmoid(get(rate, at)) * keys;
                    for (int j = 0; j < keyDim; j++) {
                        set(recurrence.state(), line + j, kept * get(recurrence.state(), line + j) + added * get(k, from + j));
                        sum += get(recurrence.state(), line + j) * get(q, from + j) * queries;
                    }
                    set(y, feature, sum);
                }
            }
        }
    }

    @Override public void wkv7(Tensor y, Tensor bonus, Tensor r, Tensor decay, Tensor k, Tensor v, Tensor rate, Tensor removal, Tensor replacement, Tensor weight,
                               int headDim, Recurrence recurrence) {
        int d = r.shape().last();
        double[] w = new double[headDim], q = new double[headDim], written = new double[headDim];
        for (int row = 0; row < r.shape().dim(0); row++) {
            long state = state("wkv7", recurrence, row);
            for (int head = 0; head < d; head += headDim) {
                long at = (long) row * d + head;
                double length = 0, agreement = 0;
                for (int j = 0; j < headDim; j++) {
                    w[j] = Math.exp(-Math.exp(-0.5) * sigmoid(get(decay, at + j)));
                    q[j] = (double) get(k, at + j) * get(removal, head + j);
                    length += q[j] * q[j];
                    written[j] = get(k, at + j) * (1 + (get(rate, at + j) - 1.0) * get(replacement, head + j));
                    agreement += get(r, at + j) * written[j] * get(weight, head + j);
                }
                for (int j = 0; j < headDim; j++) q[j] /= Math.max(Math.sqrt(length), 1e-12);
                for (int i = 0; i < headDim; i++) {
                    long line = state + ((long) head + i) * headDim;
                    double removed = 0, sum = 0, value = get(v, at + i);
                    for (int j = 0; j < headDim; j++) removed += get(recurrence.state(), line + j) * q[j];
                    for (int j = 0; j < headDim; j++) {
                        double kept = get(recurrence.state(), line + j) * w[j] - removed * q[j] * get(rate, at + j) + value * written[j];
                        set(recurrence.state(), line + j, kept);
                        sum += kept * get(r, at + j);
                    }
                    set(y, at + i, sum);
                    set(bonus, at + i, value * agreement);
                }
            }
        }
    }

    // ---- experts ---------------------------------------------------------------------------------------------------------------------------------------

    @Override public void route(Tensor experts, Tensor weights, Tensor scores, Tensor bias, Routing routing) {
        int count = scores.shape().last(), used = routing.used();
        for (int row = 0; row < scores.shape().dim(0); row++) {
            double[] probabilities = probabilities(scores, row, routing.scoring()), ranks = probabilities.clone();
            if (bias != null) for (int e = 0; e < count; e++) ranks[e] += get(bias, e);
            closeGroups(ranks, routing);
            double sum = 0;
            for (int j = 0; j < used; j++) {
                int best = largest(ranks);
                experts.data().set(JAVA_INT_UNALIGNED, 4L * (row * used + j), best);
                sum += probabilities[best];
                ranks[best] = Double.NEGATIVE_INFINITY;
            }
            for (int j = 0; j < used; j++) {
                double weight = probabilities[integer(experts, (long) row * used + j)];
                set(weights, (long) row * used + j, (routing.normalised() ? weight / sum : weight) * routing.scale());
            }
        }
    }

    private static double[] probabilities(Tensor scores, int row, Routing.Scoring scoring) {
        var p = new double[scores.shape().last()];
        for (int e = 0; e < p.length; e++) p[e] = get(scores, (long) row * p.length + e);
        if (scoring == Routing.Scoring.SIGMOID) {
            for (int e = 0; e < p.length; e++) p[e] = 1 / (1 + Math.exp(-p[e]));
            return p;
        }
        double largest = p[largest(p)], sum = 0;
        for (int e = 0; e < p.length; e++) sum += p[e] = Math.exp(p[e] - largest);
        for (int e = 0; e < p.length; e++) p[e] /= sum;
        return p;
    }

    /** Experts outside the best groups get a rank that is never chosen. */
    private static void closeGroups(double[] ranks, Routing routing) {
        if (routing.groups() == 1) return;
        int size = ranks.length / routing.groups();
        var best = new double[routing.groups()];
        for (int g = 0; g < best.length; g++) {
            var sorted = Arrays.copyOfRange(ranks, g * size, (g + 1) * size);
            Arrays.sort(sorted);
            best[g] = sorted[size - 1] + sorted[size - 2];
        }
        var open = new boolean[routing.groups()];
        for (int i = 0; i < routing.groupsUsed(); i++) {
            int group = largest(best);
            open[group] = true;
            best[group] = Double.NEGATIVE_INFINITY;
        }
        for (int e = 0; e < ranks.length; e++) if (!open[e / size]) ranks[e] = Double.NEGATIVE_INFINITY;
    }

    /** The index of the largest, the first of equals. */
    private static int largest(double[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
        return best;
    }

    @Override public void expertLinear(Tensor y, Tensor x, Tensor weight, Tensor bias, Tensor experts) {
        int m = y.shape().dim(0), out = weight.shape().dim(1), in = weight.shape().last(), count = weight.shape().dim(0);
        for (int i = 0; i < m; i++) {
            int expert = index("expertLinear: expert", integer(experts, i), i, count), source = i / (m / x.shape().dim(0));
            linear(y.rows(i, i + 1), x.rows(source, source + 1), weight.rows(expert, expert + 1).view(out, in),
                bias == null ? null : bias.rows(expert, expert + 1).view(out));
        }
    }

    @Override public void weightedSum(Tensor y, Tensor x, Tensor weights) {
        int d = x.shape().last(), used = weights.shape().last();
        for (int row = 0; row < y.shape().dim(0); row++) {
            for (int i = 0; i < d; i++) {
                double sum = 0;
                for (int j = 0; j < used; j++) sum += (double) get(weights, (long) row * used + j) * get(x, ((long) row * used + j) * d + i);
                set(y, (long) row * d + i, sum);
            }
        }
    }

    // ---- attention -------------------------------------------------------------------------------------------------------------------------------------

    @Override public void attention(Tensor y, Tensor q, Tensor k, Tensor v, Tensor starts, AttentionShape shape) {
        for (int row = 0; row < q.shape().dim(0); row++) {
            int start = index("attention: start", integer(starts, row), row, row + 1);
            int end = row + 1;
            while (!shape.causal() && end < q.shape().dim(0) && integer(starts, end) == start) end++;
            attend(y, q, row, k, v, end - start, position -> start + position, shape);
        }
    }

    @Override public void pagedAttention(Tensor y, Tensor q, Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape shape) {
        int pageSize = keys.shape().dim(1), maxPages = pageTable.shape().last();
        for (int row = 0; row < q.shape().dim(0); row++) {
            int last = index("pagedAttention: position", integer(positions, row), row, maxPages * pageSize);
            int sequence = index("pagedAttention: sequence", integer(sequences, row), row, pageTable.shape().dim(0));
            attend(y, q, row, keys, values, last + 1, position -> {
                int page = integer(pageTable, (long) sequence * maxPages + position / pageSize), pages = keys.shape().dim(0);
                if (page < 0 || page >= pages) throw new IllegalArgumentException("pagedAttention: page %d of sequence %d, expected 0 to %d".formatted(page, sequence, pages - 1));
                return (long) page * pageSize + position % pageSize;
            }, shape);
        }
    }

    /** Where the key of a position lies, in rows. */
    private interface KeyRow { long of(int position); }

    private static void attend(Tensor y, Tensor q, int row, Tensor k, Tensor v, int count, KeyRow keyRow, AttentionShape shape) {
        int headDim = shape.headDim(), valueHeadDim = shape.valueHeadDim(), group = shape.heads() / shape.kvHeads(), first = shape.firstSeen(count);
        var scores = new double[count];
        for (int head = 0; head < shape.heads(); head++) {
            long query = (long) row * shape.queryDim() + (long) head * headDim, output = (long) row * shape.outputDim() + (long) head * valueHeadDim;
            double sink = shape.sinks() == null ? Double.NEGATIVE_INFINITY : get(shape.sinks(), head), largest = sink;
            for (int p = first; p < count; p++) {
                var key = part(k, keyRow.of(p), head / group * headDim, headDim);
                double dot = 0;
                for (int d = 0; d < headDim; d++) dot += (double) get(q, query + d) * key[d];
                double score = dot * shape.scale();
                scores[p] = shape.softCap() == 0 ? score : shape.softCap() * Math.tanh(score / shape.softCap());
                largest = Math.max(largest, scores[p]);
            }
            double sum = Math.exp(sink - largest);
            for (int p = first; p < count; p++) sum += scores[p] = Math.exp(scores[p] - largest);
            var mix = new double[valueHeadDim];
            for (int p = first; p < count; p++) {
                var value = part(v, keyRow.of(p), head / group * valueHeadDim, valueHeadDim);
                for (int d = 0; d < valueHeadDim; d++) mix[d] += scores[p] * value[d];
            }
            for (int d = 0; d < valueHeadDim; d++) set(y, output + d, mix[d] / sum);
        }
    }

    @Override public void scatterRows(Tensor cache, Tensor x, Tensor slots) {
        int d = x.shape().last();
        for (int r = 0; r < x.shape().dim(0); r++) {
            long slot = index("scatterRows: slot", integer(slots, r), r, cache.shape().rows());
            var values = row(x, r, d);
            for (int i = 0; i < d; i += cache.dtype().blockSize) store(cache, slot * d + i, values, i);
        }
    }

    /** One block, or one number of a plain format. */
    private static void store(Tensor cache, long element, float[] values, int from) {
        var dtype = cache.dtype();
        var block = cache.data().asSlice(dtype.bytes(element), dtype.blockBytes);
        float largest = 0;
        for (int i = from; i < from + dtype.blockSize; i++) largest = Math.max(largest, Math.abs(values[i]));
        if (dtype.isQuantized() && !(Float.float16ToFloat(Float.floatToFloat16(largest / 127)) < Float.POSITIVE_INFINITY)) {
            block.fill((byte) 0).set(JAVA_SHORT_UNALIGNED, 0, Float.floatToFloat16(Float.NaN));
            return;
        }
        Blocks.fromFloats(dtype, Arrays.copyOfRange(values, from, from + dtype.blockSize), block, 0, dtype.blockSize);
    }

    @Override public void gatherRows(Tensor y, Tensor x, Tensor rows) {
        int d = x.shape().last();
        for (int r = 0; r < rows.shape().dim(0); r++) write(y, r, row(x, index("gatherRows: row", integer(rows, r), r, x.shape().dim(0)), d));
    }

    @Override public void concat(Tensor y, Tensor a, Tensor b) {
        int left = a.shape().last(), right = b.shape().last(), width = left + right;
        for (int r = 0; r < y.shape().dim(0); r++) {
            for (int i = 0; i < width; i++) set(y, (long) r * width + i, i < left ? get(a, (long) r * left + i) : get(b, (long) r * right + i - left));
        }
    }

    @Override public void columns(Tensor y, Tensor x, int from) {
        int width = y.shape().last(), d = x.shape().last();
        for (int r = 0; r < y.shape().dim(0); r++) for (int i = 0; i < width; i++) set(y, (long) r * width + i, get(x, (long) r * d + from + i));
    }

    @Override public void largest(Tensor y, Tensor x) {
        int d = x.shape().last(), k = y.shape().last() / 2;
        for (int row = 0; row < x.shape().dim(0); row++) {
            long start = (long) row * d;
            var order = IntStream.range(0, d).boxed().sorted(Comparator.<Integer>comparingDouble(i -> get(x, start + i) + 0.0).reversed()).toList();  // + 0: one zero, not two
            for (int j = 0; j < k; j++) {
                set(y, (long) row * 2 * k + j, get(x, start + order.get(j)));
                set(y, (long) row * 2 * k + k + j, order.get(j));
            }
        }
    }

    // ---- training --------------------------------------------------------------------------------------------------------------------------------------

    @Override public void dropout(Tensor y, Tensor x, float rate, long key) {
        for (long i = 0; i < y.shape().elements(); i++) set(y, i, Philox.uniform(i, key) < rate ? 0 : get(x, i) / (1 - rate));
    }

    @Override public void sum(Tensor y, Tensor x) {
        double sum = 0;
        for (long i = 0; i < x.shape().elements(); i++) sum += get(x, i);
        set(y, 0, sum);
    }

    @Override public void sumOfSquares(Tensor y, Tensor x) {
        double sum = 0;
        for (long i = 0; i < x.shape().elements(); i++) sum += Math.pow(get(x, i), 2);
        set(y, 0, sum);
    }

    @Override public void crossEntropy(Tensor y, Tensor logits, Tensor targets) {
        int classes = logits.shape().last();
        for (int r = 0; r < logits.shape().dim(0); r++) {
            int target = target(targets, r, classes);
            set(y, r, target < 0 ? 0 : logSum(logits, r) - get(logits, (long) r * classes + target));
        }
    }

    static int target(Tensor targets, int row, int classes) { return index("crossEntropy: target + 1", integer(targets, row) + 1, row, classes + 1) - 1; }

    /** ln of the sum of the exponentials of a row. */
    static double logSum(Tensor x, int row) {
        int width = x.shape().last();
        double largest = Double.NEGATIVE_INFINITY, sum = 0;
        for (int i = 0; i < width; i++) largest = Math.max(largest, get(x, (long) row * width + i));
        for (int i = 0; i < width; i++) sum += Math.exp(get(x, (long) row * width + i) - largest);
        return largest + Math.log(sum);
    }

    @Override public void adamW(Tensor weight, Tensor gradient, Tensor m, Tensor v, AdamStep step) {
        int count = Math.toIntExact(weight.shape().elements());
        float[] mean = states(m, count), square = states(v, count);
        boolean roots = v.dtype().isQuantized();
        double meanRate = step.rate() / (1 - Math.pow(step.beta1(), step.step())), squareShare = 1 / (1 - Math.pow(step.beta2(), step.step()));
        for (int i = 0; i < count; i++) {
            double g = (double) get(gradient, i) * step.gradient();
            mean[i] = (float) (step.beta1() * mean[i] + (1 - step.beta1()) * g);
            double before = roots ? (double) square[i] * square[i] : square[i], variance = step.beta2() * before + (1 - step.beta2()) * g * g;
            square[i] = (float) (roots ? Math.sqrt(variance) : variance);
            set(weight, i, get(weight, i) * (1 - (double) step.rate() * step.decay()) - meanRate * mean[i] / (Math.sqrt(variance * squareShare) + step.eps()));
        }
        keep(m, mean, step.key(), 0);
        keep(v, square, step.key(), 1);
    }

    private static float[] states(Tensor state, int count) {
        var values = new float[count];
        Blocks.toFloats(state.dtype(), state.data(), 0, values, count);
        if (state.dtype().isQuantized()) for (int i = 0; i < count; i++) values[i] *= AdamStates.UNIT;
        return values;
    }

    /** As floats, or as {@link AdamStates}. */
    private static void keep(Tensor state, float[] values, long key, int which) {
        if (state.dtype() == DType.F32) {
            for (int i = 0; i < values.length; i++) set(state, i, values[i]);
            return;
        }
        AdamStates.store(state.data(), values, key, which);
    }

    @Override public void average(Tensor average, Tensor weight, float share) {
        for (long i = 0; i < average.shape().elements(); i++) set(average, i, get(average, i) + ((double) get(weight, i) - get(average, i)) * share);
    }

    // ---- elements --------------------------------------------------------------------------------------------------------------------------------------

    static float get(Tensor t, long i) {
        return t.dtype() == DType.F32 ? t.data().get(JAVA_FLOAT_UNALIGNED, i * 4) : Float.float16ToFloat(t.data().get(JAVA_SHORT_UNALIGNED, i * 2));
    }

    static void set(Tensor t, long i, double value) {
        if (t.dtype() == DType.F32) t.data().set(JAVA_FLOAT_UNALIGNED, i * 4, (float) value);
        else t.data().set(JAVA_SHORT_UNALIGNED, i * 2, Float.floatToFloat16((float) value));
    }

    static int integer(Tensor t, long i) { return t.data().get(JAVA_INT_UNALIGNED, i * 4); }

    static int index(String name, int index, int row, int limit) {
        if (index < 0 || index >= limit) throw new IllegalArgumentException("%s %d at row %d, expected 0 to %d".formatted(name, index, row, limit - 1));
        return index;
    }

    static float[] row(Tensor t, int row, int length) {
        var values = new float[length];
        Blocks.toFloats(t.dtype(), t.data(), t.dtype().bytes(length) * row, values, length);
        return values;
    }

    /** Elements from .. from + count - 1 of a row, whole blocks. */
    private static float[] part(Tensor t, long row, int from, int count) {
        long first = row * t.shape().last() + from;
        var values = new float[count];
        if (t.dtype().isQuantized()) Blocks.toFloats(t.dtype(), t.data(), t.dtype().bytes(first), values, count);
        else for (int i = 0; i < count; i++) values[i] = get(t, first + i);
        return values;
    }

    private static void write(Tensor y, int row, float[] values) {
        for (int i = 0; i < values.length; i++) set(y, (long) row * values.length + i, values[i]);
    }

    @Override public void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution convolution) { ReferencePictures.conv2d(y, x, weight, bias, convolution); }
    @Override public void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        ReferencePictures.groupNorm(y, x, weight, bias, groups, eps, silu);
    }
    @Override public void resize(Tensor y, Tensor x, Resampling resampling) { ReferencePictures.resize(y, x, resampling); }
    @Override public void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        ReferencePictures.crossAttention(y, q, k, v, sequences, lengths, bias, shape);
    }
    @Override public void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift) { ReferencePictures.modulate(y, x, scale, shift); }
    @Override public void gated(Tensor y, Tensor residual, Tensor x, Tensor gate) { ReferencePictures.gated(y, residual, x, gate); }
    @Override public void leakyRelu(Tensor y, Tensor x, float slope) { ReferencePictures.leakyRelu(y, x, slope); }
}
