package inkstone.tensor.reference;

import static inkstone.tensor.reference.ReferenceGradients.add;
import static inkstone.tensor.reference.ReferenceKernels.get;
import static inkstone.tensor.reference.ReferenceKernels.row;
import static inkstone.tensor.reference.ReferenceKernels.sigmoid;
import static inkstone.tensor.reference.ReferencePictures.probabilities;
import static inkstone.tensor.reference.ReferencePictures.shared;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Convolution;
import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;

/** The gradients of pictures as their formulas read. */
final class ReferencePictureGradients {
    private ReferencePictureGradients() {}

    static void conv2dInput(Tensor dx, Tensor dy, Tensor weight, Convolution convolution) {
        int kh = weight.shape().dim(1), kw = weight.shape().dim(2), in = weight.shape().last();
        var sums = new double[Math.toIntExact(dx.shape().elements())];
        for (int output = 0; output < weight.shape().dim(0); output++) {
            float[] kernel = row(weight, output, kh * kw * in);
            int o = output;
            windows(dx, dy, kh, kw, convolution, (from, to, tap) -> {
                for (int k = 0; k < in; k++) sums[from + k] += (double) kernel[tap * in + k] * get(dy, to + o);
            });
        }
        addAll(dx, sums);
    }

    static void conv2dWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Convolution convolution) {
        int out = dy.shape().last(), in = x.shape().last();
        if (dWeight != null) {
            int kh = dWeight.shape().dim(1), kw = dWeight.shape().dim(2);
            var sums = new double[Math.toIntExact(dWeight.shape().elements())];
            windows(x, dy, kh, kw, convolution, (from, to, tap) -> {
                for (int o = 0; o < out; o++) for (int k = 0; k < in; k++) sums[(o * kh * kw + tap) * in + k] += (double) get(dy, to + o) * get(x, from + k);
            });
            addAll(dWeight, sums);
        }
        var biases = new double[out];
        for (long i = 0; i < dy.shape().elements(); i++) biases[(int) (i % out)] += get(dy, i);
        addAll(dBias, biases);
    }

    private interface Tap { void take(int from, int to, int tap); }

    /** Every pixel {@code from} of x that a window's place {@code tap} meets for pixel {@code to} of y. */
    private static void windows(Tensor x, Tensor y, int kh, int kw, Convolution convolution, Tap each) {
        int h = x.shape().dim(1), w = x.shape().dim(2), in = x.shape().last(), rows = y.shape().dim(1), columns = y.shape().dim(2), out = y.shape().last();
        for (int i = 0; i < x.shape().dim(0); i++) for (int r = 0; r < rows; r++) for (int c = 0; c < columns; c++) for (int a = 0; a < kh; a++) for (int b = 0; b < kw; b++) {
            int from = r * convolution.stride() + a - convolution.before(), at = c * convolution.stride() + b - convolution.before();
            if (from >= 0 && from < h && at >= 0 && at < w) each.take(((i * h + from) * w + at) * in, ((i * rows + r) * columns + c) * out, a * kw + b);
        }
    }

    static void groupNorm(Tensor dx, Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        int channels = x.shape().last(), size = channels / groups;
        double[] weights = new double[channels], biases = new double[channels];
        for (int i = 0; i < x.shape().dim(0); i++) for (int group = 0; group < groups; group++) {
            var moments = ReferencePictures.Moments.of(x, i, group * size, size, eps);
            double gradient = 0, along = 0, count = (double) moments.pixels() * size;
            var inner = new double[moments.pixels() * size];
            for (int pixel = 0, j = 0; pixel < moments.pixels(); pixel++) for (int c = group * size; c < (group + 1) * size; c++, j++) {
                long at = ((long) i * moments.pixels() + pixel) * channels + c;
                double h = (get(x, at) - moments.mean()) * moments.inverse(), z = h * get(weight, c) + get(bias, c), s = sigmoid(z);
                double e = silu ? get(dy, at) * s * (1 + z * (1 - s)) : get(dy, at);
                inner[j] = e * get(weight, c);
                gradient += inner[j] / count;
                along += inner[j] * h / count;
                weights[c] += e * h;
                biases[c] += e;
            }
            for (int pixel = 0, j = 0; pixel < moments.pixels(); pixel++) for (int c = group * size; c < (group + 1) * size; c++, j++) {
                long at = ((long) i * moments.pixels() + pixel) * channels + c;
                add(dx, at, moments.inverse() * (inner[j] - gradient - (get(x, at) - moments.mean()) * moments.inverse() * along));
            }
        }
        addAll(dWeight, weights);
        addAll(dBias, biases);
    }

    static void resize(Tensor dx, Tensor dy, Resampling resampling) {
        var sums = new double[Math.toIntExact(dx.shape().elements())];
        ReferencePictures.resized(dx, dy, resampling, (to, from, share) -> sums[from] += share * get(dy, to));
        addAll(dx, sums);
    }

    static void crossAttention(Tensor dq, Tensor dk, Tensor dv, Tensor dy, Tensor q, Tensor k, Tensor v, Tensor y, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        int headDim = shape.headDim(), valueDim = shape.valueHeadDim(), group = shape.heads() / shape.kvHeads(), keyRows = k.shape().dim(0) / Math.max(1, sequences);
        double[] queries = new double[q.shape().dim(0) * shape.queryDim()], keys = new double[k.shape().dim(0) * shape.keyDim()], values = new double[k.shape().dim(0) * shape.valueDim()];
        for (int row = 0; row < q.shape().dim(0); row++) for (int head = 0; head < shape.heads(); head++) {
            double[] p = probabilities(q, k, sequences, lengths, bias, shape, row, head);
            int first = row / (q.shape().dim(0) / sequences) * keyRows, query = row * shape.queryDim() + head * headDim, output = row * shape.outputDim() + head * valueDim;
            double ownShare = 0;
            for (int d = 0; d < valueDim; d++) ownShare += (double) get(dy, output + d) * get(y, output + d);
            for (int j = 0; j < p.length; j++) {
                int key = (first + j) * shape.keyDim() + head / group * headDim, value = (first + j) * shape.valueDim() + head / group * valueDim;
                double dot = 0;
                for (int d = 0; d < valueDim; d++) {
                    dot += (double) get(dy, output + d) * get(v, value + d);
                    values[value + d] += p[j] * get(dy, output + d);
                }
                double dScore = p[j] * (dot - ownShare) * shape.scale();
                for (int d = 0; d < headDim; d++) {
                    queries[query + d] += dScore * get(k, key + d);
                    keys[key + d] += dScore * get(q, query + d);
                }
            }
        }
        addAll(dq, queries);
        addAll(dk, keys);
        addAll(dv, values);
    }

    static void modulate(Tensor dx, Tensor dScale, Tensor dShift, Tensor dy, Tensor x, Tensor scale) {
        int d = x.shape().last(), rows = x.shape().rows();
        for (int r = 0; r < rows; r++) for (int i = 0; i < d; i++) {
            long at = (long) r * d + i;
            add(dx, at, get(dy, at) * (1.0 + (scale == null ? 0 : get(scale, shared(scale, r, rows) + i))));
            if (dScale != null) add(dScale, shared(dScale, r, rows) + i, (double) get(dy, at) * get(x, at));
            if (dShift != null) add(dShift, shared(dShift, r, rows) + i, get(dy, at));
        }
    }

    static void gated(Tensor dx, Tensor dGate, Tensor dy, Tensor x, Tensor gate) {
        int d = x.shape().last(), rows = x.shape().rows();
        for (int r = 0; r < rows; r++) for (int i = 0; i < d; i++) {
            long at = (long) r * d + i;
            add(dx, at, (double) get(dy, at) * get(gate, shared(gate, r, rows) + i));
            if (dGate != null) add(dGate, shared(dGate, r, rows) + i, (double) get(dy, at) * get(x, at));
        }
    }

    static void leakyRelu(Tensor dx, Tensor dy, Tensor x, float slope) {
        for (long i = 0; i < x.shape().elements(); i++) add(dx, i, get(x, i) > 0 ? get(dy, i) : (double) slope * get(dy, i));
    }

    private static void addAll(Tensor destination, double[] sums) {
        for (int i = 0; i < sums.length; i++) add(destination, i, sums[i]);
    }
}
