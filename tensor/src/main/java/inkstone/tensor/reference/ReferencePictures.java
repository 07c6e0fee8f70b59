package inkstone.tensor.reference;

import static inkstone.tensor.reference.ReferenceKernels.get;
import static inkstone.tensor.reference.ReferenceKernels.index;
import static inkstone.tensor.reference.ReferenceKernels.integer;
import static inkstone.tensor.reference.ReferenceKernels.row;
import static inkstone.tensor.reference.ReferenceKernels.set;
import static inkstone.tensor.reference.ReferenceKernels.sigmoid;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Convolution;
import inkstone.tensor.Resampling;
import inkstone.tensor.Tensor;

/** The kernels of pictures as their formulas read. */
final class ReferencePictures {
    private ReferencePictures() {}

    static void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution convolution) {
        int n = x.shape().dim(0), h = x.shape().dim(1), w = x.shape().dim(2), in = x.shape().last();
        int rows = y.shape().dim(1), columns = y.shape().dim(2), out = y.shape().last(), kh = weight.shape().dim(1), kw = weight.shape().dim(2);
        for (int o = 0; o < out; o++) {
            float[] kernel = row(weight, o, kh * kw * in);
            for (int i = 0; i < n; i++) for (int r = 0; r < rows; r++) for (int c = 0; c < columns; c++) {
                double sum = bias == null ? 0 : get(bias, o);
                for (int a = 0; a < kh; a++) for (int b = 0; b < kw; b++) {
                    int from = r * convolution.stride() + a - convolution.before(), at = c * convolution.stride() + b - convolution.before();
                    if (from < 0 || from >= h || at < 0 || at >= w) continue;
                    long pixel = (((long) i * h + from) * w + at) * in;
                    for (int k = 0; k < in; k++) sum += (double) kernel[(a * kw + b) * in + k] * get(x, pixel + k);
                }
                set(y, (((long) i * rows + r) * columns + c) * out + o, sum);
            }
        }
    }

    static void groupNorm(Tensor y, Tensor x, Tensor weight, Tensor bias, int groups, float eps, boolean silu) {
        int channels = x.shape().last(), size = channels / groups;
        for (int i = 0; i < x.shape().dim(0); i++) for (int group = 0; group < groups; group++) {
            var moments = Moments.of(x, i, group * size, size, eps);
            for (int pixel = 0; pixel < moments.pixels; pixel++) for (int c = group * size; c < (group + 1) * size; c++) {
                long at = ((long) i * moments.pixels + pixel) * channels + c;
                double z = (get(x, at) - moments.mean) * moments.inverse * get(weight, c) + get(bias, c);
                set(y, at, silu ? z * sigmoid(z) : z);
            }
        }
    }

    /** Mean and 1 / sqrt(variance + eps) of the channels from {@code from} on of picture i. */
    record Moments(int pixels, double mean, double inverse) {
        static Moments of(Tensor x, int i, int from, int size, float eps) {
            int channels = x.shape().last(), pixels = x.shape().dim(1) * x.shape().dim(2);
            double mean = 0, variance = 0, count = (double) pixels * size;
            for (int pixel = 0; pixel < pixels; pixel++) for (int c = from; c < from + size; c++) mean += get(x, ((long) i * pixels + pixel) * channels + c) / count;
            for (int pixel = 0; pixel < pixels; pixel++) for (int c = from; c < from + size; c++) {
                variance += Math.pow(get(x, ((long) i * pixels + pixel) * channels + c) - mean, 2) / count;
            }
            return new Moments(pixels, mean, 1 / Math.sqrt(variance + eps));
        }
    }

    /** Takes the share that pixel {@code from} of the one size has in pixel {@code to} of the other. */
    interface Share { void take(int to, int from, double share); }

    /** Along one direction. */
    static void shares(int from, int to, Resampling resampling, Share share) {
        for (int i = 0; i < to; i++) {
            switch (resampling) {
                case NEAREST -> share.take(i, (int) ((long) i * from / to), 1);
                case BILINEAR -> {
                    double at = Math.max(0, Math.min(from - 1, (i + 0.5) * from / to - 0.5));
                    int low = (int) at;
                    share.take(i, low, 1 - (at - low));
                    if (at > low) share.take(i, low + 1, at - low);
                }
                case AREA -> {
                    double start = (double) i * from / to, end = (double) (i + 1) * from / to;
                    for (int j = (int) start; j < Math.min(from, Math.ceil(end)); j++) share.take(i, j, (Math.min(end, j + 1) - Math.max(start, j)) / (end - start));
                }
            }
        }
    }

    static void resize(Tensor y, Tensor x, Resampling resampling) {
        var sums = new double[Math.toIntExact(y.shape().elements())];
        resized(x, y, resampling, (to, from, share) -> sums[to] += share * get(x, from));
        for (int i = 0; i < sums.length; i++) set(y, i, sums[i]);
    }

    /** The share that each element of x has in each of y. */
    static void resized(Tensor x, Tensor y, Resampling resampling, Share share) {
        int h = x.shape().dim(1), w = x.shape().dim(2), channels = x.shape().last(), rows = y.shape().dim(1), columns = y.shape().dim(2);
        for (int i = 0; i < x.shape().dim(0); i++) {
            int picture = i;
            shares(h, rows, resampling, (r, row, part) -> shares(w, columns, resampling, (c, column, other) -> {
                int to = ((picture * rows + r) * columns + c) * channels, from = ((picture * h + row) * w + column) * channels;
                for (int k = 0; k < channels; k++) share.take(to + k, from + k, part * other);
            }));
        }
    }

    static void crossAttention(Tensor y, Tensor q, Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape shape) {
        int valueDim = shape.valueHeadDim(), group = shape.heads() / shape.kvHeads(), keys = k.shape().dim(0) / Math.max(1, sequences);
        for (int row = 0; row < q.shape().dim(0); row++) for (int head = 0; head < shape.heads(); head++) {
            double[] p = probabilities(q, k, sequences, lengths, bias, shape, row, head);
            int first = row / (q.shape().dim(0) / sequences) * keys;
            for (int d = 0; d < valueDim; d++) {
                double sum = 0;
                for (int j = 0; j < p.length; j++) sum += p[j] * get(v, (long) (first + j) * shape.valueDim() + head / group * valueDim + d);
                set(y, (long) row * shape.outputDim() + head * valueDim + d, sum);
            }
        }
    }

    /** What head {@code head} of query {@code row} takes of each key of its sequence. */
    static double[] probabilities(Tensor q, Tensor k, int sequences, Tensor lengths, Tensor bias, AttentionShape shape, int row, int head) {
        int queries = q.shape().dim(0) / sequences, keys = k.shape().dim(0) / sequences, sequence = row / queries, group = shape.heads() / shape.kvHeads();
        int seen = lengths == null ? keys : index("crossAttention: length - 1", integer(lengths, sequence) - 1, sequence, keys) + 1;
        var p = new double[seen];
        double largest = Double.NEGATIVE_INFINITY, sum = 0;
        for (int j = 0; j < seen; j++) {
            double dot = 0;
            for (int d = 0; d < shape.headDim(); d++) {
                dot += (double) get(q, (long) row * shape.queryDim() + head * shape.headDim() + d)
                    * get(k, (long) (sequence * keys + j) * shape.keyDim() + head / group * shape.headDim() + d);
            }
            p[j] = dot * shape.scale() + (bias == null ? 0 : get(bias, ((long) head * queries + row % queries) * keys + j));
            largest = Math.max(largest, p[j]);
        }
        for (int j = 0; j < seen; j++) sum += p[j] = Math.exp(p[j] - largest);
        for (int j = 0; j < seen; j++) p[j] /= sum;
        return p;
    }

    static void modulate(Tensor y, Tensor x, Tensor scale, Tensor shift) {
        int d = x.shape().last(), rows = x.shape().rows();
        for (int r = 0; r < rows; r++) for (int i = 0; i < d; i++) {
            long at = (long) r * d + i;
            set(y, at, get(x, at) * (1.0 + (scale == null ? 0 : get(scale, shared(scale, r, rows) + i))) + (shift == null ? 0 : get(shift, shared(shift, r, rows) + i)));
        }
    }

    /** Where the row begins that row {@code r} of {@code rows} shares with its neighbours. */
    static long shared(Tensor t, int r, int rows) { return (long) (r / (rows / t.shape().dim(0))) * t.shape().last(); }

    static void gated(Tensor y, Tensor residual, Tensor x, Tensor gate) {
        int d = x.shape().last(), rows = x.shape().rows();
        for (int r = 0; r < rows; r++) for (int i = 0; i < d; i++) {
            long at = (long) r * d + i;
            set(y, at, get(residual, at) + (double) get(gate, shared(gate, r, rows) + i) * get(x, at));
        }
    }

    static void leakyRelu(Tensor y, Tensor x, float slope) {
        for (long i = 0; i < y.shape().elements(); i++) set(y, i, get(x, i) > 0 ? get(x, i) : (double) slope * get(x, i));
    }
}
