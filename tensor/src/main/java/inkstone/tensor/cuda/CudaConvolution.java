package inkstone.tensor.cuda;

import inkstone.tensor.Convolution;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/**
 * Convolutions and their gradients on the tensor cores (convolution.cuh): products of windows, which are never in memory, and weights of any format. Pictures are rounded to bfloat16 in scratch
 * memory, channels padded to multiples of 8; so are float weights whose channels are not. Windows of one pixel are a linear layer.
 */
final class CudaConvolution {
    /** Coordinates of pixels are kept in 16 bits. */
    private static final int MOST_PIXELS = 32_000;
    private static final int SUMS_BLOCK = 256;

    private final CudaLinear linear;
    private final CudaProducts products;
    private final Gpu.Scratch scratch;
    private final Map<DType, Kernel> forward = new EnumMap<>(DType.class), input = new EnumMap<>(DType.class);
    private final Kernel weight, weightSums;

    CudaConvolution(Gpu gpu, CudaLinear linear) {
        this.linear = linear;
        products = new CudaProducts(gpu);
        scratch = gpu.scratch();
        for (var format : DType.values()) {
            if (format == DType.I32) continue;
            var name = "convolution_" + format.name().toLowerCase(Locale.ROOT);
            forward.put(format, gpu.kernel(name, name));
            input.put(format, gpu.kernel(name, name + "_input"));
        }
        weight = gpu.kernel("convolution", "convolution_weight");
        weightSums = gpu.kernel("convolution", "convolution_weight_sums");
    }

    void conv2d(Tensor y, Tensor x, Tensor weight, Tensor bias, Convolution convolution) {
        if (y.shape().dim(0) == 0) return;
        if (isLinear(weight, convolution)) {
            linear.linear(rows(y), rows(x), matrix(weight), bias);
            return;
        }
        requireSizes(x, y, convolution);
        int places = y.shape().rows(), out = y.shape().last(), in = x.shape().last(), kh = weight.shape().dim(1), kw = weight.shape().dim(2), k = depth(kh * kw, in);
        long tiles = Math.ceilDiv(places, CudaProducts.TALL) * (long) Math.ceilDiv(out, CudaProducts.COLUMNS), partBytes = products.partBytes(tiles, places, out, k);
        var rounded = new Rounded(x, weight, partBytes);
        int split = products.split(tiles, k), number = Math.ceilDiv(Math.ceilDiv(k, CudaProducts.SLICE), split);
        boolean whole = number == 1;
        rounded.with(forward.get(rounded.format).with(whole ? y.data().address() : rounded.parts), whole ? bias : null, true)
            .with(kh).with(kw).with(y.shape().dim(1)).with(y.shape().dim(2)).with(convolution.stride()).with(convolution.before()).with(out).with(split)
            .launch(tiles, number, 1, CudaProducts.BLOCK, CudaProducts.SHARED);
        if (!whole) products.sum(y.data().address(), rounded.parts, bias, (long) places * out, out, number, false);
    }

    /** Where the bfloat16 pictures, the weights and the parts of a sum lie. */
    private final class Rounded {
        final DType format;
        final long pictures, weight, tapBytes, rowBytes, parts;
        private final Tensor x;

        Rounded(Tensor x, Tensor w, long partBytes) {
            this.x = x;
            int in = w.shape().last(), taps = w.shape().dim(1) * w.shape().dim(2), channels = x.shape().last();
            long rows = (long) w.shape().dim(0) * taps, pictureBytes = CudaProducts.roundedBytes(x.shape().rows(), channels), weightBytes = CudaProducts.weightBytes(w.dtype(), rows, in);
            pictures = scratch.address(pictureBytes + weightBytes + partBytes);
            parts = pictures + pictureBytes + weightBytes;
            products.round(pictures, x, 0, 1, x.shape().rows());
            boolean isRounded = weightBytes > 0;
            if (isRounded) products.round(pictures + pictureBytes, w.dtype(), w.data().address(), 0, 1, rows, in);
            format = isRounded ? DType.BF16 : w.dtype();
            weight = isRounded ? pictures + pictureBytes : w.data().address();
            tapBytes = isRounded ? 2 * CudaProducts.padded(in) : format.bytes(in);
            rowBytes = taps * tapBytes;
        }

        /** The kernel's arguments from the pictures to the numbers of a pixel. */
        Kernel with(Kernel kernel, Tensor bias, boolean isForward) {
            kernel.with(pictures).with(weight);
            if (isForward) kernel.with(bias);
            return kernel.with(rowBytes).with(tapBytes).with(x.shape().dim(0)).with(x.shape().dim(1)).with(x.shape().dim(2)).with(x.shape().last()).with((int) CudaProducts.padded(x.shape().last()));
        }
    }

    void conv2dInput(Tensor dx, Tensor dy, Tensor weight, Convolution convolution) {
        if (dx == null || dy.shape().dim(0) == 0) return;
        if (isLinear(weight, convolution)) {
            linear.linearInput(rows(dx), rows(dy), matrix(weight));
            return;
        }
        requireSizes(dx, dy, convolution);
        int pictures = dx.shape().dim(0), h = dx.shape().dim(1), w = dx.shape().dim(2), in = dx.shape().last(), stride = convolution.stride();
        int kh = weight.shape().dim(1), kw = weight.shape().dim(2), k = depth(kh * kw, dy.shape().last()), down = Math.min(stride, h), across = Math.min(stride, w);
        long places = (long) pictures * Math.ceilDiv(h, stride) * Math.ceilDiv(w, stride), tiles = Math.ceilDiv(places, CudaProducts.TALL) * Math.ceilDiv(in, CudaProducts.COLUMNS);
        // with a stride the kinds of pixels share out the multiprocessors, and a kind's sums are not where parts could be added to them
        boolean divisible = stride == 1;
        var rounded = new Rounded(dy, weight, divisible ? products.partBytes(tiles, places, in, k) : 0);
        int split = divisible ? products.split(tiles, k) : Math.ceilDiv(k, CudaProducts.SLICE), number = Math.ceilDiv(Math.ceilDiv(k, CudaProducts.SLICE), split);
        boolean whole = number == 1;
        rounded.with(input.get(rounded.format).with(whole ? dx.data().address() : rounded.parts), null, false)
            .with(kh).with(kw).with(h).with(w).with(stride).with(convolution.before()).with(in).with(across).with(split).with(whole)
            .launch(tiles, number, down * across, CudaProducts.BLOCK, CudaProducts.SHARED);
        if (!whole) products.sum(dx.data().address(), rounded.parts, null, places * in, in, number, true);
    }

    void conv2dWeight(Tensor dWeight, Tensor dBias, Tensor dy, Tensor x, Convolution convolution) {
        if (dy.shape().dim(0) == 0) return;
        boolean isLinear = dWeight == null || isLinear(dWeight, convolution);
        if (isLinear || dBias != null) linear.linearWeight(isLinear && dWeight != null ? matrix(dWeight) : null, dBias, rows(dy), rows(x));
        if (isLinear) return;
        requireSizes(x, dy, convolution);
        int places = dy.shape().rows(), out = dy.shape().last(), in = x.shape().last(), padded = (int) CudaProducts.padded(in), kh = dWeight.shape().dim(1), kw = dWeight.shape().dim(2);
        int n = kh * kw * padded;
        long tiles = Math.ceilDiv(out, CudaProducts.TALL) * (long) Math.ceilDiv(n, CudaProducts.COLUMNS), dyBytes = CudaProducts.roundedBytes(places, out);
        long xBytes = CudaProducts.roundedBytes(x.shape().rows(), in);
        int split = products.split(tiles, places), number = Math.ceilDiv(Math.ceilDiv(places, CudaProducts.SLICE), split);
        boolean whole = number == 1 && padded == in;
        long rounded = scratch.address(dyBytes + xBytes + (whole ? 0 : CudaProducts.aligned(4L * number * out * n))), parts = rounded + dyBytes + xBytes;
        products.round(rounded, dy, 0, 1, places);
        products.round(rounded + dyBytes, x, 0, 1, x.shape().rows());
        weight.with(whole ? dWeight.data().address() : parts).with(rounded).with(rounded + dyBytes).with(places).with(x.shape().dim(1)).with(x.shape().dim(2)).with((int) CudaProducts.padded(out))
            .with(padded).with(kh).with(kw).with(dy.shape().dim(1)).with(dy.shape().dim(2)).with(divisor(dy.shape().dim(1))).with(divisor(dy.shape().dim(2))).with(convolution.stride())
            .with(convolution.before()).with(out).with(split).with(whole).launch(tiles, number, 1, CudaProducts.BLOCK, CudaProducts.SHARED);
        if (whole) return;
        long count = dWeight.shape().elements();
        weightSums.with(dWeight).with(parts).with(count).with(in).with(padded).with((long) out * n).with(number).launch(Math.ceilDiv(count, SUMS_BLOCK), SUMS_BLOCK);
    }

    /** What is summed for windows of so many taps: slices do not cross from one to the next. */
    private static int depth(int taps, int channels) { return taps * Math.ceilDiv(channels, CudaProducts.SLICE) * CudaProducts.SLICE; }

    /** What the kernel divides by d with: a shift in the high half, a factor in the low one. */
    private static long divisor(int d) {
        int shift = Integer.SIZE - Integer.numberOfLeadingZeros(d - 1);
        return (long) shift << 32 | (((1L << shift) - d << 32) / d + 1 & 0xffffffffL);
    }

    private static void requireSizes(Tensor x, Tensor y, Convolution convolution) {
        int most = Math.max(Math.max(x.shape().dim(1), x.shape().dim(2)) + convolution.before() + convolution.after(), Math.max(y.shape().dim(1), y.shape().dim(2)));
        if (most > MOST_PIXELS) {
            throw new UnsupportedOperationException("cuda: convolutions take pictures of up to %d pixels a side with their padding, got %s; cut them into tiles".formatted(MOST_PIXELS, x));
        }
    }

    /** Whether windows are the pixels themselves. */
    private static boolean isLinear(Tensor weight, Convolution convolution) {
        return weight.shape().dim(1) == 1 && weight.shape().dim(2) == 1 && convolution.stride() == 1 && convolution.before() == 0 && convolution.after() == 0;
    }

    /** Pictures as rows of pixels. */
    private static Tensor rows(Tensor pictures) { return Tensor.of(pictures.dtype(), pictures.data(), pictures.shape().rows(), pictures.shape().last()); }

    /** A weight [out, 1, 1, in] as the matrix that it is. */
    private static Tensor matrix(Tensor weight) { return Tensor.of(weight.dtype(), weight.data(), weight.shape().dim(0), weight.shape().last()); }
}
