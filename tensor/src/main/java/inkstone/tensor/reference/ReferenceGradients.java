package inkstone.tensor.reference;

import static inkstone.tensor.reference.ReferenceKernels.get;
import static inkstone.tensor.reference.ReferenceKernels.index;
import static inkstone.tensor.reference.ReferenceKernels.integer;
import static inkstone.tensor.reference.ReferenceKernels.logSum;
import static inkstone.tensor.reference.ReferenceKernels.normalShare;
import static inkstone.tensor.reference.ReferenceKernels.row;
import static inkstone.tensor.reference.ReferenceKernels.set;
import static inkstone.tensor.reference.ReferenceKernels.sigmoid;
import static inkstone.tensor.reference.ReferenceKernels.target;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Convolution;
import inkstone.tensor.Elementwise;
import inkstone.tensor.Gradients;
import inkstone.tensor.Philox;
import inkstone.tensor.Resampling;
import inkstone.tensor.Rope;
import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;

/** Each gradient as its formula reads, sums in double precision. */
final class ReferenceGradients implements Gradients {
    @Override public void embedding(Tensor dTable, Tensor tokens, Tensor dy) {
        int dim = dy.shape().last();
        for (int i = 0; i < tokens.shape().dim(0); i++) {
            long token = index("embedding: token", integer(tokens, i), i, dTable.shape().dim(0));
            for (int d = 0; d < dim; d++) add(dTable, token * dim + d, get(dy, (long) i * dim + d));
        }
    }

    @Override public void linearInput(Tensor dx, Tensor dy, Tensor weight) {
        int n = dy.shape().dim(0), in = weight.shape().last(), out = weight.shape().dim(0);
        var sums = new double[n * in];
        for (int o = 0; o < out; o++) {
            float[] w = row(weight, o, in);
            for (int i = 0; i < n; i++) for (int k = 0; k < in; k++) sums[i * in + k] += (double) w[k] * get(dy, (long) i * out + o);
        }
        for (int i = 0; i < sums.length; i++) add(dx, i, sums[i]);
    }

    @Override public void linearWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x) {
        int n = dy.shape().dim(0), in = x.shape().last(), out = dy.shape().last();
        for (int o = 0; o < out; o++) {
            for (int k = 0; dWeight != null && k < in; k++) {
                double sum = 0;
                for (int i = 0; i < n; i++) sum += (double) get(dy, (long) i * out + o) * get(x, (long) i * in + k);
                add(dWeight, (long) o * in + k, sum);
            }
            double sum = 0;
            for (int i = 0; i < n; i++) sum += get(dy, (long) i * out + o);
            add(dBias, o, sum);
        }
    }

    @Override public void rmsNorm(Tensor dx, Tensor dWeight, Tensor dy, Tensor x, Tensor weight, float eps) {
        int d = x.shape().last();
        var sums = new double[d];
        for (int row = 0; row < x.shape().rows(); row++) {
            long at = (long) row * d;
            double squares = 0, dot = 0;
            for (int i = 0; i < d; i++) squares += Math.pow(get(x, at + i), 2);
            double r = 1 / Math.sqrt(squares / d + eps);
            for (int i = 0; i < d; i++) dot += (double) get(dy, at + i) * get(weight, i) * get(x, at + i);
            for (int i = 0; i < d; i++) {
                sums[i] += get(dy, at + i) * get(x, at + i) * r;
                add(dx, at + i, r * ((double) get(dy, at + i) * get(weight, i) - get(x, at + i) * r * r * dot / d));
            }
        }
        for (int i = 0; i < d; i++) add(dWeight, i, sums[i]);
    }

    @Override public void layerNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, float eps) {
        int d = x.shape().last(), heads = weight == null ? 1 : weight.shape().rows();
        double[] weights = new double[heads * d], biases = new double[heads * d];
        for (int row = 0; row < x.shape().rows(); row++) {
            long at = (long) row * d;
            int head = row % heads * d;
            double mean = 0, variance = 0, gradient = 0, along = 0;
            for (int i = 0; i < d; i++) mean += get(x, at + i) / (double) d;
            for (int i = 0; i < d; i++) variance += Math.pow(get(x, at + i) - mean, 2) / d;
            double r = 1 / Math.sqrt(variance + eps);
            for (int i = 0; i < d; i++) {
                double g = get(dy, at + i) * (weight == null ? 1.0 : get(weight, head + i)), h = (get(x, at + i) - mean) * r;
                gradient += g / d;
                along += g * h / d;
                weights[head + i] += get(dy, at + i) * h;
                biases[head + i] += get(dy, at + i);
            }
            for (int i = 0; i < d; i++) {
                double h = (get(x, at + i) - mean) * r;
                add(dx, at + i, r * (get(dy, at + i) * (weight == null ? 1.0 : get(weight, head + i)) - gradient - h * along));
            }
        }
        for (int i = 0; i < heads * d; i++) {
            add(dWeight, i, weights[i]);
            add(dBias, i, biases[i]);
        }
    }

    @Override public void scale(Tensor dx, Tensor dy, float factor) {
        for (long i = 0; i < dy.shape().elements(); i++) add(dx, i, (double) get(dy, i) * factor);
    }

    @Override public void softCap(Tensor dx, Tensor dy, Tensor y, float cap) {
        for (long i = 0; i < dy.shape().elements(); i++) add(dx, i, get(dy, i) * (1 - Math.pow(get(y, i) / (double) cap, 2)));
    }

    @Override public void map(Tensor dx, Tensor dy, Tensor x, Elementwise function) {
        for (long i = 0; i < dy.shape().elements(); i++) {
            double z = get(x, i), s = sigmoid(z);
            add(dx, i, get(dy, i) * switch (function) {
                case SILU -> s * (1 + z * (1 - s));
                case SIGMOID -> s * (1 - s);
                case TANH -> 1 - Math.pow(Math.tanh(z), 2);
                case RELU_SQUARED -> 2 * Math.max(z, 0);
                case ELU -> z > 0 ? 1 : Math.exp(z);
                case GELU_ERF -> normalShare(z) + z * Math.exp(-z * z / 2) / Math.sqrt(2 * Math.PI);
                case QUICK_GELU -> sigmoid(1.702 * z) * (1 + 1.702 * z * sigmoid(-1.702 * z));
                case RECIPROCAL_ROOT -> -0.5 / (z * Math.sqrt(z));
                case EXP -> Math.exp(z);
                case SOFTPLUS -> s;
            });
        }
    }

    @Override public void mul(Tensor da, Tensor db, Tensor dy, Tensor a, Tensor b) {
        for (long i = 0; i < dy.shape().elements(); i++) {
            add(da, i, (double) get(dy, i) * get(b, i));
            add(db, i, (double) get(dy, i) * get(a, i));
        }
    }

    @Override public void scaleColumns(Tensor dx, Tensor dFactors, Tensor dBias, Tensor dy, Tensor x, Tensor factors, Tensor divisors) {
        int d = dy.shape().last(), rows = dy.shape().dim(0);
        for (int j = 0; j < d; j++) {
            double by = divisors == null ? 1 : get(divisors, j), factorSum = 0, biasSum = 0;
            for (int r = 0; r < rows; r++) {
                long i = (long) r * d + j;
                add(dx, i, (double) get(dy, i) * get(factors, j) / by);
                factorSum += (double) get(dy, i) * get(x, i) / by;
                biasSum += get(dy, i);
            }
            add(dFactors, j, factorSum);
            add(dBias, j, biasSum);
        }
    }

    @Override public void lerp(Tensor da, Tensor db, Tensor dWeight, Tensor dy, Tensor a, Tensor b, Tensor weight) {
        int weights = Math.toIntExact(weight.shape().elements());
        var sums = new double[weights];
        for (int i = 0; i < dy.shape().elements(); i++) {
            double g = get(dy, i), w = get(weight, i % weights);
            add(da, i, g * (1 - w));
            add(db, i, g * w);
            sums[i % weights] += g * ((double) get(b, i) - get(a, i));
        }
        for (int i = 0; i < weights; i++) add(dWeight, i, sums[i]);
    }

    @Override public void rope(Tensor dx, Tensor dy, Tensor positions, Rope rope) {
        int width = dy.shape().last(), headDim = rope.headDim(), half = rope.frequencies().shape().last();
        boolean interleaved = rope.pairs() == Rope.Pairs.INTERLEAVED;
        for (int r = 0; r < dy.shape().dim(0); r++) {
            for (int head = 0; head < width; head += headDim) {
                long start = (long) r * width + head;
                for (int i = 0; i < half; i++) {
                    double angle = (double) integer(positions, r) * get(rope.frequencies(), i);
                    double cos = Math.cos(angle) * rope.magnitude(), sin = Math.sin(angle) * rope.magnitude();
                    long first = start + (interleaved ? 2 * i : i), second = interleaved ? first + 1 : first + half;
                    double a = get(dy, first), b = get(dy, second);
                    add(dx, first, a * cos + b * sin);
                    add(dx, second, b * cos - a * sin);
                }
                for (int i = 2 * half; i < headDim; i++) add(dx, start + i, get(dy, start + i));
            }
        }
    }

    @Override public void swiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) {
        for (long i = 0; i < dy.shape().elements(); i++) {
            double z = get(gate, i), s = sigmoid(z), g = get(dy, i);
            add(dGate, i, g * get(up, i) * s * (1 + z * (1 - s)));
            add(dUp, i, g * z * s);
        }
    }

    @Override public void gelu(Tensor dx, Tensor dy, Tensor x) {
        for (long i = 0; i < dy.shape().elements(); i++) add(dx, i, get(dy, i) * geluSlope(get(x, i)));
    }

    @Override public void geglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up) {
        for (long i = 0; i < dy.shape().elements(); i++) {
            add(dGate, i, (double) get(dy, i) * get(up, i) * geluSlope(get(gate, i)));
            add(dUp, i, get(dy, i) * ReferenceKernels.gelu(get(gate, i)));
        }
    }

    private static double geluSlope(double z) {
        double c = Math.sqrt(2 / Math.PI), tanh = Math.tanh(c * (z + 0.044715 * z * z * z));
        return (1 + tanh) / 2 + z / 2 * (1 - tanh * tanh) * c * (1 + 3 * 0.044715 * z * z);
    }

    @Override public void clampedSwiglu(Tensor dGate, Tensor dUp, Tensor dy, Tensor gate, Tensor up, float alpha, float limit) {
        for (long i = 0; i < dy.shape().elements(); i++) {
            double g = Math.min(get(gate, i), limit), u = Math.clamp(get(up, i), -limit, limit), s = sigmoid(alpha * g);
            if (get(gate, i) < limit) add(dGate, i, get(dy, i) * (u + 1) * s * (1 + alpha * g * (1 - s)));
            if (Math.abs(get(up, i)) < limit) add(dUp, i, get(dy, i) * g * s);
        }
    }

    @Override public void attention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, Tensor starts, AttentionShape shape) {
        int n = q.shape().dim(0), headDim = shape.headDim(), valueDim = shape.valueHeadDim(), group = shape.heads() / shape.kvHeads();
        double[] keys = new double[n * shape.keyDim()], values = new double[n * shape.valueDim()];
        for (int row = 0; row < n; row++) {
            int start = index("attention: start", integer(starts, row), row, row + 1), end = row + 1;
            while (!shape.causal() && end < n && integer(starts, end) == start) end++;
            int count = end - start, first = shape.firstSeen(count);
            var p = new double[count];
            for (int head = 0; head < shape.heads(); head++) {
                int query = row * shape.queryDim() + head * headDim, output = row * shape.outputDim() + head * valueDim;
                double sink = shape.sinks() == null ? Double.NEGATIVE_INFINITY : get(shape.sinks(), head), largest = sink, ownShare = 0;
                for (int j = first; j < count; j++) {
                    double dot = 0;
                    for (int d = 0; d < headDim; d++) dot += (double) get(q, query + d) * get(k, key(start + j, head / group, shape) + d);
                    p[j] = shape.softCap() == 0 ? dot * shape.scale() : shape.softCap() * Math.tanh(dot * shape.scale() / shape.softCap());
                    largest = Math.max(largest, p[j]);
                }
                var slope = new double[count];
                for (int j = first; j < count; j++) slope[j] = shape.scale() * (shape.softCap() == 0 ? 1 : 1 - Math.pow(p[j] / shape.softCap(), 2));
                double sum = Math.exp(sink - largest);
                for (int j = first; j < count; j++) sum += p[j] = Math.exp(p[j] - largest);
                for (int d = 0; d < valueDim; d++) ownShare += (double) get(dy, output + d) * get(y, output + d);
                var queries = new double[headDim];
                for (int j = first; j < count; j++) {
                    int key = key(start + j, head / group, shape), value = (start + j) * shape.valueDim() + head / group * valueDim;
                    double probability = p[j] / sum, dot = 0;
                    for (int d = 0; d < valueDim; d++) {
                        dot += (double) get(dy, output + d) * get(v, value + d);
                        values[value + d] += probability * get(dy, output + d);
                    }
                    double dScore = probability * (dot - ownShare) * slope[j];
                    for (int d = 0; d < headDim; d++) {
                        queries[d] += dScore * get(k, key + d);
                        keys[key + d] += dScore * get(q, query + d);
                    }
                }
                for (int d = 0; d < headDim; d++) add(dq, query + d, queries[d]);
            }
        }
        for (int i = 0; i < keys.length; i++) add(dk, i, keys[i]);
        for (int i = 0; i < values.length; i++) add(dv, i, values[i]);
    }

    private static int key(int row, int head, AttentionShape shape) { return row * shape.keyDim() + head * shape.headDim(); }

    @Override public void expertInput(Tensor dx, Tensor dy, Tensor weight, Tensor experts) {
        int m = dy.shape().dim(0), out = weight.shape().dim(1), in = weight.shape().last(), count = weight.shape().dim(0);
        for (int i = 0; i < m; i++) {
            int expert = index("expertLinear: expert", integer(experts, i), i, count), source = i / (m / dx.shape().dim(0));
            linearInput(dx.rows(source, source + 1), dy.rows(i, i + 1), weight.rows(expert, expert + 1).view(out, in));
        }
    }

    @Override public void expertWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor experts) {
        int m = dy.shape().dim(0), out = dy.shape().last(), in = x.shape().last(), count = (dWeight == null ? dBias : dWeight).shape().dim(0);
        for (int i = 0; i < m; i++) {
            int expert = index("expertLinear: expert", integer(experts, i), i, count), source = i / (m / x.shape().dim(0));
            linearWeight(dWeight == null ? null : dWeight.rows(expert, expert + 1).view(out, in), dBias == null ? null : dBias.rows(expert, expert + 1).view(out),
                dy.rows(i, i + 1), x.rows(source, source + 1));
        }
    }

    @Override public void weightedSum(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor weights) {
        int d = x.shape().last(), used = weights.shape().last();
        for (int i = 0; i < weights.shape().elements(); i++) {
            long from = (long) i * d, to = (long) (i / used) * d;
            double dot = 0;
            for (int j = 0; j < d; j++) {
                dot += (double) get(dy, to + j) * get(x, from + j);
                add(dx, from + j, (double) get(dy, to + j) * get(weights, i));
            }
            add(dWeights, i, dot);
        }
    }

    @Override public void route(Tensor dScores, Tensor dWeights, Tensor experts, Tensor weights, Tensor scores, Routing routing) {
        int count = scores.shape().last(), used = routing.used();
        for (int row = 0; row < scores.shape().dim(0); row++) {
            long from = (long) row * used, to = (long) row * count;
            double logSum = logSum(scores, row), chosen = 0, mean = 0;
            var p = new double[count];
            for (int c = 0; c < count; c++) p[c] = routing.scoring() == Routing.Scoring.SOFTMAX ? Math.exp(get(scores, to + c) - logSum) : sigmoid(get(scores, to + c));
            for (int j = 0; j < used; j++) chosen += p[integer(experts, from + j)];
            for (int j = 0; j < used; j++) mean += (double) get(dWeights, from + j) * get(weights, from + j) / routing.scale();
            var dp = new double[count];
            for (int j = 0; j < used; j++) {
                double g = get(dWeights, from + j) * (double) routing.scale();
                dp[integer(experts, from + j)] = routing.normalised() ? (g - routing.scale() * mean) / chosen : g;
            }
            double along = 0;
            for (int c = 0; c < count; c++) along += dp[c] * p[c];
            for (int c = 0; c < count; c++) add(dScores, to + c, routing.scoring() == Routing.Scoring.SOFTMAX ? p[c] * (dp[c] - along) : dp[c] * p[c] * (1 - p[c]));
        }
    }

    @Override public void concat(Tensor da, Tensor db, Tensor dy) {
        int width = dy.shape().last(), left = da != null ? da.shape().last() : width - db.shape().last(), right = width - left;
        for (int r = 0; r < dy.shape().dim(0); r++) {
            for (int i = 0; i < left; i++) add(da, (long) r * left + i, get(dy, (long) r * width + i));
            for (int i = 0; i < right; i++) add(db, (long) r * right + i, get(dy, (long) r * width + left + i));
        }
    }

    @Override public void columns(Tensor dx, Tensor dy, int from) {
        int width = dy.shape().last(), d = dx.shape().last();
        for (int r = 0; r < dy.shape().dim(0); r++) for (int i = 0; i < width; i++) add(dx, (long) r * d + from + i, get(dy, (long) r * width + i));
    }

    @Override public void gatherRows(Tensor dx, Tensor dy, Tensor rows) {
        int d = dy.shape().last();
        for (int r = 0; r < rows.shape().dim(0); r++) {
            long to = (long) index("gatherRows: row", integer(rows, r), r, dx.shape().dim(0)) * d;
            for (int i = 0; i < d; i++) add(dx, to + i, get(dy, (long) r * d + i));
        }
    }

    @Override public void dropout(Tensor dx, Tensor dy, float rate, long key) {
        for (long i = 0; i < dy.shape().elements(); i++) if (Philox.uniform(i, key) >= rate) add(dx, i, get(dy, i) / (1 - rate));
    }

    @Override public void sum(Tensor dx, Tensor dy) {
        for (long i = 0; i < dx.shape().elements(); i++) add(dx, i, get(dy, 0));
    }

    @Override public void crossEntropy(Tensor dLogits, Tensor dy, Tensor logits, Tensor targets) {
        int classes = logits.shape().last();
        for (int r = 0; r < logits.shape().dim(0); r++) {
            int target = target(targets, r, classes);
            if (target < 0) continue;
            double logSum = logSum(logits, r);
            for (int c = 0; c < classes; c++) add(dLogits, (long) r * classes + c, get(dy, r) * (Math.exp(get(logits, (long) r * classes + c) - logSum) - (c == target ? 1 : 0)));
        }
    }

    /** Adds to a destination, if there is one. */
    static void add(Tensor destination, long i, double value) {
        if (destination != null) set(destination, i, get(destination, i) + value);
    }

    @Override public void conv2dInput(Tensor dx, Tensor dy, Tensor weight, Convolution convolution) { ReferencePictureGradients.conv2dInput(dx, dy, weight, convolution); }
    @Override public void conv2dWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Convolution convolution) {
        ReferencePictureGradients.conv2dWeight(dWeight, dBias, dy, x, convolution);
    }
    @Override public void groupNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        ReferencePictureGradients.groupNorm(dx, dWeight, dBias, dy, x, weight, bias, groups, eps, silu);
    }
    @Override public void resize(Tensor dx, Tensor dy, Resampling resampling) { ReferencePictureGradients.resize(dx, dy, resampling); }
    @Override public void crossAttention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        ReferencePictureGradients.crossAttention(dq, dk, dv, dy, q, k, v, y, sequences, lengths, bias, shape);
    }
    @Override public void modulate(Tensor dx, Tensor dScale, Tensor dShift, Tensor dy, Tensor x, Tensor scale) {
        ReferencePictureGradients.modulate(dx, dScale, dShift, dy, x, scale);
    }
    @Override public void gated(Tensor dx, Tensor dGate, Tensor dy, Tensor x, Tensor gate) { ReferencePictureGradients.gated(dx, dGate, dy, x, gate); }
    @Override public void leakyRelu(Tensor dx, Tensor dy, Tensor x, float slope) { ReferencePictureGradients.leakyRelu(dx, dy, x, slope); }
}
