package inkstone.tensor;

import java.lang.foreign.MemorySegment;
import java.util.function.UnaryOperator;

/**
 * A contiguous row-major array of one {@link DType} in some backend's memory. An activation belongs to a {@link Scope} and dies at its reset; a weight
 * has no scope and lives as long as the file it came from. Operations check shapes, allocate their result in the receiver's scope and call one kernel:
 * so an expression starts from data, for example {@code tokens.embedding(table)}.
 */
public final class Tensor {
    private final Scope scope;
    private final Shape shape;
    private final DType dtype;
    private final MemorySegment data;
    /** Of an activation: which of its scope's arenas it lies in. */
    private final int depth;
    /** Of a view: what it is a part of, and how the gradient of that becomes its own. */
    private final Tensor whole;
    private final UnaryOperator<Tensor> part;
    private boolean learns;
    private Tensor gradient;

    private Tensor(Scope scope, Shape shape, DType dtype, MemorySegment data, int depth, Tensor whole, UnaryOperator<Tensor> part) {
        this.scope = scope;
        this.shape = shape;
        this.dtype = dtype;
        this.data = data;
        this.depth = depth;
        this.whole = whole;
        this.part = part;
    }

    Tensor(Scope scope, Shape shape, DType dtype, MemorySegment data, int depth) { this(scope, shape, dtype, data, depth, null, null); }

    /** A weight or cache: memory the caller owns, no scope. Its address need not be aligned: safetensors files promise nothing. */
    public static Tensor of(DType dtype, MemorySegment data, int... dims) {
        var shape = new Shape(dims);
        long expected = dtype.bytes(shape.elements());
        require(shape.last() % dtype.blockSize == 0, "%s needs rows of whole blocks of %d, got %s", dtype, dtype.blockSize, shape);
        require(data.byteSize() == expected, "%s %s takes %d bytes, got %d", dtype, shape, expected, data.byteSize());
        return new Tensor(null, shape, dtype, data, 0);
    }

    /** A weight that learns, F32: memory the caller owns, and memory of the same size in which its gradient gathers until the caller clears it. */
    public static Tensor learning(MemorySegment data, MemorySegment gradient, int... dims) {
        var weight = of(DType.F32, data, dims);
        weight.learns = true;
        weight.gradient = of(DType.F32, gradient, dims);
        return weight;
    }

    public Shape shape() { return shape; }
    public DType dtype() { return dtype; }
    public MemorySegment data() { return data; }
    /** The scope that owns the memory; null for weights. */
    public Scope scope() { return scope; }

    @Override public String toString() { return dtype + " " + shape; }

    // ---- host access -------------------------------------------------------------------------------------------------------------------------------

    /** Copies an F32 activation to the host. */
    public float[] toFloats() {
        requireFloat("toFloats");
        var host = new float[Math.toIntExact(shape.elements())];
        scope.backend().download(MemorySegment.ofArray(host), data);
        return host;
    }

    public Tensor set(float... values) {
        require(dtype == DType.F32 && values.length == shape.elements(), "set: %s cannot take %d floats", this, values.length);
        scope.backend().upload(data, MemorySegment.ofArray(values));
        return this;
    }

    public Tensor set(int... values) {
        require(dtype == DType.I32 && values.length == shape.elements(), "set: %s cannot take %d ints", this, values.length);
        scope.backend().upload(data, MemorySegment.ofArray(values));
        return this;
    }

    // ---- views -------------------------------------------------------------------------------------------------------------------------------------

    /** The same memory with other dimensions, for example each head as a row of its own. */
    public Tensor view(int... dims) {
        var seen = new Shape(dims);
        require(seen.elements() == shape.elements() && seen.last() % dtype.blockSize == 0, "view: %s cannot be seen as %s", this, seen);
        return new Tensor(scope, seen, dtype, data, depth, this, gradient -> gradient.view(dims));
    }

    /** The same memory from index {@code from} to {@code to - 1} of the first dimension. */
    public Tensor rows(int from, int to) {
        require(0 <= from && from <= to && to <= shape.dim(0) && (shape.rank() > 1 || !dtype.isQuantized()), "rows: %s has no part %d to %d", this, from, to);
        var dims = shape.toArray();
        dims[0] = to - from;
        long bytes = shape.dim(0) == 0 ? 0 : dtype.bytes(shape.elements() / shape.dim(0));
        return new Tensor(scope, new Shape(dims), dtype, data.asSlice(from * bytes, (to - from) * bytes), depth, this, gradient -> gradient.rows(from, to));
    }

    /**
     * {@code block} of this activation, keeping only the result: the memory of everything else that it made is handed out again, so the layers of a model need the memory
     * of one. Nothing but the result may be used afterwards.
     */
    public Tensor local(UnaryOperator<Tensor> block) { return scope.local(this, block, false); }

    /**
     * As {@link #local}, and in every training scope the block is computed once more on the way back: for blocks that are small to compute and large to keep, such as logits.
     */
    public Tensor recomputed(UnaryOperator<Tensor> block) { return scope.local(this, block, true); }

    // ---- gradients ---------------------------------------------------------------------------------------------------------------------------------

    /** Whether a gradient is wanted: of weights that learn, and of what was computed from them in a training scope. */
    public boolean learns() { return whole == null ? learns : whole.learns(); }

    /** F32 of the same shape, to which backward kernels add; null where none is wanted. Of an activation it is zeros until then, and dies with it. */
    public Tensor gradient() {
        if (!learns()) return null;
        if (whole != null) return part.apply(whole.gradient());
        if (gradient == null) gradient = new Tensor(scope, shape, DType.F32, scope.gradient(data.byteSize(), depth), depth);
        return gradient;
    }

    /** This activation as something that learns, although it came from nothing that does: for the gradient of a result by its input. */
    public Tensor learning() {
        require(scope != null && scope.training() && dtype == DType.F32, "learning: %s is no F32 activation of a training scope", this);
        learns = true;
        return this;
    }

    /** Whether any gradient has come to this. */
    private boolean reached() { return whole == null ? gradient != null : whole.reached(); }

    /** Adds a gradient. One that nobody reads or changes from now on ({@code last}) is taken as it is by the first that has none. */
    void gradientFrom(Tensor other, boolean last) {
        if (!learns()) return;
        if (last && scope != null && whole == null && gradient == null && other.depth <= depth) gradient = other; else other.gradients().scale(gradient(), other, 1);
    }

    /** Marks this as computed from something that learns; {@code backward} carries its gradient on. */
    Tensor recorded(Runnable backward) {
        learns = true;
        scope.record(() -> { if (reached()) backward.run(); });
        return this;
    }

    private Tensor record(Runnable backward, Tensor... inputs) {
        if (!scope.recording()) return this;
        for (var input : inputs) if (input != null && input.learns()) return recorded(backward);
        return this;
    }

    /** For an operation whose gradient nobody has written. */
    private Tensor recordNothing(String op, Tensor... inputs) {
        return record(() -> { throw new UnsupportedOperationException("%s has no gradient: models with it can be run, not trained".formatted(op)); }, inputs);
    }

    // ---- operations --------------------------------------------------------------------------------------------------------------------------------

    /** Rows of a table: this I32 [n], table [vocabulary, dim] -> [n, dim]. */
    public Tensor embedding(Tensor table) {
        require(scope != null, "embedding: an operation starts from data, not from a weight");
        require(dtype == DType.I32 && shape.rank() == 1 && table.shape.rank() == 2 && table.dtype != DType.I32,
            "embedding: expected I32 [n] and a table [vocabulary, dim], got %s and %s", this, table);
        Tensor y = scope.tensor(DType.F32, shape.dim(0), table.shape.last());
        kernels().embedding(y, this, table);
        return y.record(() -> gradients().embedding(table.gradient(), this, y.gradient()), table);
    }

    /** y = x Wᵀ + bias: this F32 [n, in], weight [out, in] in any weight format, bias F32 [out] or null -> [n, out]. */
    public Tensor linear(Tensor weight, Tensor bias) {
        requireFloat("linear");
        require(shape.rank() == 2 && weight.shape.rank() == 2 && shape.last() == weight.shape.last(), "linear: x %s does not fit weight %s", shape, weight.shape);
        require(weight.dtype != DType.I32, "linear: I32 is no weight format");
        require(bias == null || bias.dtype == DType.F32 && bias.shape.equals(new Shape(weight.shape.dim(0))), "linear: weight %s does not fit bias %s", weight.shape, bias);
        Tensor y = scope.tensor(DType.F32, shape.dim(0), weight.shape.dim(0));
        kernels().linear(y, this, weight, bias);
        return y.record(() -> {
            if (learns()) gradients().linearInput(gradient(), y.gradient(), weight);
            if (weight.learns() || bias != null && bias.learns()) gradients().linearWeight(weight.gradient(), bias == null ? null : bias.gradient(), y.gradient(), this);
        }, this, weight, bias);
    }

    public Tensor add(Tensor other) {
        requireFloat("add");
        require(other.dtype == DType.F32 && shape.equals(other.shape), "add: %s does not fit %s", this, other);
        Tensor y = like();
        kernels().add(y, this, other);
        return y.record(() -> {
            other.gradientFrom(y.gradient(), false);
            gradientFrom(y.gradient(), true);
        }, this, other);
    }

    /** y = x / sqrt(mean(x²) + eps) · weight, over the last axis (Zhang & Sennrich 2019, arXiv:1910.07467). weight F32 [d]. */
    public Tensor rmsNorm(Tensor weight, float eps) {
        requireFloat("rmsNorm");
        require(weight.dtype == DType.F32 && weight.shape.equals(new Shape(shape.last())), "rmsNorm: x has %d features, weight is %s", shape.last(), weight);
        Tensor y = like();
        kernels().rmsNorm(y, this, weight, eps);
        return y.record(() -> gradients().rmsNorm(gradient(), weight.gradient(), y.gradient(), this, weight, eps), this, weight);
    }

    /**
     * y = (x - mean(x)) / sqrt(variance(x) + eps) · weight + bias, over the last axis (Ba et al. 2016, arXiv:1607.06450). weight F32 [d], or [heads, d] where rows of
     * this are heads in turn, or null for ones and no bias; bias of the same shape or null.
     */
    public Tensor layerNorm(Tensor weight, Tensor bias, float eps) {
        requireFloat("layerNorm");
        require(weight == null || weight.dtype == DType.F32 && weight.shape.last() == shape.last() && weight.shape.rank() <= 2 && shape.rows() % weight.shape.rows() == 0,
            "layerNorm: x is %s, weight %s", shape, weight);
        require(bias == null || weight != null && bias.dtype == DType.F32 && bias.shape.equals(weight.shape), "layerNorm: weight is %s, bias %s", weight, bias);
        Tensor y = like();
        kernels().layerNorm(y, this, weight, bias, eps);
        return y.record(() -> gradients().layerNorm(gradient(), gradient(weight), gradient(bias), y.gradient(), this, weight, eps), this, weight, bias);
    }

    /** this · factor */
    public Tensor scale(float factor) {
        requireFloat("scale");
        Tensor y = like();
        kernels().scale(y, this, factor);
        return y.record(() -> gradients().scale(gradient(), y.gradient(), factor), this);
    }

    /** cap · tanh(this / cap) (Gemma Team 2024, arXiv:2408.00118). */
    public Tensor softCap(float cap) {
        requireFloat("softCap");
        require(cap > 0 && cap < Float.POSITIVE_INFINITY, "softCap: expected a cap above 0, got %s", cap);
        Tensor y = like();
        kernels().softCap(y, this, cap);
        return y.record(() -> gradients().softCap(gradient(), y.gradient(), y, cap), this);
    }

    /** function(this), element by element. */
    public Tensor map(Elementwise function) {
        requireFloat("map");
        Tensor y = like();
        kernels().map(y, this, function);
        return y.record(() -> gradients().map(gradient(), y.gradient(), this, function), this);
    }

    public Tensor mul(Tensor other) {
        requireFloat("mul");
        require(other.dtype == DType.F32 && shape.equals(other.shape), "mul: %s does not fit %s", this, other);
        Tensor y = like();
        kernels().mul(y, this, other);
        return y.record(() -> gradients().mul(gradient(), other.gradient(), y.gradient(), this, other), this, other);
    }

    /** Each column by a number of its own: this F32 [n, d] · factors / divisors + bias, each F32 [d]; divisors, which are constants to every gradient, and bias may be null. See {@link Kernels#scaleColumns}. */
    public Tensor scaleColumns(Tensor factors, Tensor divisors, Tensor bias) {
        requireFloat("scaleColumns");
        for (var t : new Tensor[] {factors, divisors, bias}) {
            require(t == null || t.dtype == DType.F32 && t.shape.equals(new Shape(shape.last())), "scaleColumns: %s does not fit %s", this, t);
        }
        Tensor y = like();
        kernels().scaleColumns(y, this, factors, divisors, bias);
        return y.record(() -> gradients().scaleColumns(gradient(), factors.gradient(), bias == null ? null : bias.gradient(), y.gradient(), this, factors, divisors), this, factors, bias);
    }

    /** Lengths of the rows of weight + scale · b a, F32 [out] in {@code scope}; constants to every gradient. See {@link Kernels#rowLengths}. */
    public static Tensor rowLengths(Scope scope, Tensor weight, Tensor a, Tensor b, float scale) {
        require(weight.shape.rank() == 2 && weight.dtype != DType.I32 && a.dtype == DType.F32 && a.shape.rank() == 2 && b.dtype == DType.F32 && b.shape.rank() == 2
            && a.shape.last() == weight.shape.last() && b.shape.dim(0) == weight.shape.dim(0) && b.shape.last() == a.shape.dim(0),
            "rowLengths: weight %s does not fit a %s, b %s", weight, a, b);
        Tensor lengths = scope.tensor(DType.F32, weight.shape.dim(0));
        scope.backend().kernels().rowLengths(lengths, weight, a, b, scale);
        return lengths;
    }

    /** this + (other - this) · weight: all F32 [n, d], or weight [d] for every row. */
    public Tensor lerp(Tensor other, Tensor weight) {
        requireFloat("lerp");
        require(shape.rank() == 2 && other.dtype == DType.F32 && shape.equals(other.shape), "lerp: %s does not fit %s", this, other);
        require(weight.dtype == DType.F32 && (weight.shape.equals(shape) || weight.shape.equals(new Shape(shape.last()))), "lerp: %s does not fit weight %s", this, weight);
        Tensor y = like();
        kernels().lerp(y, this, other, weight);
        return y.record(() -> gradients().lerp(gradient(), other.gradient(), weight.gradient(), y.gradient(), this, other, weight), this, other, weight);
    }

    /** Turns each head by its row's position, I32 [n] (Su et al. 2021, arXiv:2104.09864). */
    public Tensor rope(Tensor positions, Rope rope) {
        requireFloat("rope");
        require(shape.rank() == 2 && shape.last() % rope.headDim() == 0, "rope: rows of %d are not whole heads of %d", shape.last(), rope.headDim());
        var frequencies = rope.frequencies();
        require(frequencies.dtype == DType.F32 && frequencies.shape.rank() == 1 && 2 * frequencies.shape.last() <= rope.headDim(),
            "rope: expected at most %d frequencies F32 for heads of %d, got %s", rope.headDim() / 2, rope.headDim(), frequencies);
        requireRowInts("rope", "positions", positions);
        Tensor y = like();
        kernels().rope(y, this, positions, rope);
        return y.record(() -> gradients().rope(gradient(), y.gradient(), positions, rope), this);
    }

    /** silu(this) · up (Shazeer 2020, arXiv:2002.05202). */
    public Tensor swiglu(Tensor up) {
        requireGate("swiglu", up);
        Tensor y = like();
        kernels().swiglu(y, this, up);
        return y.record(() -> gradients().swiglu(gradient(), up.gradient(), y.gradient(), this, up), this, up);
    }

    /** gelu(this), the tanh form; see {@link Kernels#gelu}. */
    public Tensor gelu() {
        requireFloat("gelu");
        Tensor y = like();
        kernels().gelu(y, this);
        return y.record(() -> gradients().gelu(gradient(), y.gradient(), this), this);
    }

    /** gelu(this) · up (Shazeer 2020, arXiv:2002.05202). */
    public Tensor geglu(Tensor up) {
        requireGate("geglu", up);
        Tensor y = like();
        kernels().geglu(y, this, up);
        return y.record(() -> gradients().geglu(gradient(), up.gradient(), y.gradient(), this, up), this, up);
    }

    /** The gate of gpt-oss; see {@link Kernels#clampedSwiglu}. */
    public Tensor clampedSwiglu(Tensor up, float alpha, float limit) {
        requireGate("clampedSwiglu", up);
        require(alpha > 0 && limit > 0, "clampedSwiglu: expected alpha and limit above 0, got %s and %s", alpha, limit);
        Tensor y = like();
        kernels().clampedSwiglu(y, this, up, alpha, limit);
        return y.record(() -> gradients().clampedSwiglu(gradient(), up.gradient(), y.gradient(), this, up, alpha, limit), this, up);
    }

    /**
     * This with a share {@code rate} of its elements set to 0 and the others divided by 1 - rate (Srivastava et al. 2014), in a training scope; itself elsewhere. Which ones
     * depends on the scope's seed and on how many dropouts came before in the step.
     */
    public Tensor dropout(float rate) {
        requireFloat("dropout");
        require(rate >= 0 && rate < 1, "dropout: expected a rate from 0 to below 1, got %s", rate);
        if (rate == 0 || !scope.training()) return this;
        long key = scope.nextDrop();
        Tensor y = like();
        kernels().dropout(y, this, rate, key);
        return y.record(() -> gradients().dropout(gradient(), y.gradient(), rate, key), this);
    }

    /** The sum of all elements: [1]. */
    public Tensor sum() {
        requireFloat("sum");
        Tensor y = scope.tensor(DType.F32, 1);
        kernels().sum(y, this);
        return y.record(() -> gradients().sum(gradient(), y.gradient()), this);
    }

    /** Softmax cross-entropy of each row of these logits F32 [n, classes] with its target I32 [n]: [n], 0 where the target is -1. See {@link Kernels#crossEntropy}. */
    public Tensor crossEntropy(Tensor targets) {
        requireFloat("crossEntropy");
        require(shape.rank() == 2, "crossEntropy: expected logits [n, classes], got %s", this);
        requireRowInts("crossEntropy", "targets", targets);
        Tensor y = scope.tensor(DType.F32, shape.dim(0));
        kernels().crossEntropy(y, this, targets);
        return y.record(() -> gradients().crossEntropy(gradient(), y.gradient(), this, targets), this);
    }

    /** Chooses experts by these scores [n, count]; bias F32 [count], added for the choice alone, or null. See {@link Routing}. */
    public Routing.Choice route(Tensor bias, Routing routing) {
        requireFloat("route");
        require(shape.rank() == 2 && shape.last() >= routing.used(), "route: expected scores of at least %d experts, got %s", routing.used(), shape);
        require(bias == null || bias.dtype == DType.F32 && bias.shape.equals(new Shape(shape.last())), "route: scores %s do not fit bias %s", shape, bias);
        int groupSize = shape.last() / routing.groups();
        require(shape.last() % routing.groups() == 0 && (routing.groups() == 1 || groupSize >= 2 && routing.groupsUsed() * groupSize >= routing.used()),
            "route: %d experts do not stand in %d groups, %d of which hold %d", shape.last(), routing.groups(), routing.groupsUsed(), routing.used());
        int n = shape.dim(0);
        var choice = new Routing.Choice(scope.tensor(DType.I32, n, routing.used()), scope.tensor(DType.F32, n, routing.used()));
        kernels().route(choice.experts(), choice.weights(), this, bias, routing);
        choice.weights().record(() -> gradients().route(gradient(), choice.weights().gradient(), choice.experts(), choice.weights(), this, routing), this);
        return choice;
    }

    /**
     * Each row through the expert chosen for it: this F32 [n, in], weight [count, out, in] in any weight format, bias F32 [count, out] or null, experts I32 of
     * m = n · used elements -> [m, out], row i from row i / used of this. See {@link Kernels#expertLinear}.
     */
    public Tensor expertLinear(Tensor weight, Tensor bias, Tensor experts) {
        requireFloat("expertLinear");
        require(shape.rank() == 2 && weight.shape.rank() == 3 && shape.last() == weight.shape.last(), "expertLinear: x %s does not fit weight %s", shape, weight.shape);
        require(weight.dtype != DType.I32, "expertLinear: I32 is no weight format");
        require(bias == null || bias.dtype == DType.F32 && bias.shape.equals(new Shape(weight.shape.dim(0), weight.shape.dim(1))),
            "expertLinear: weight %s does not fit bias %s", weight.shape, bias);
        int n = shape.dim(0), m = Math.toIntExact(experts.shape.elements());
        require(experts.dtype == DType.I32 && (n == 0 ? m == 0 : m % n == 0), "expertLinear: experts %s are not some for each of %d rows", experts, n);
        Tensor y = scope.tensor(DType.F32, m, weight.shape.dim(1));
        kernels().expertLinear(y, this, weight, bias, experts);
        return y.record(() -> {
            if (learns()) gradients().expertInput(gradient(), y.gradient(), weight, experts);
            if (weight.learns() || bias != null && bias.learns()) gradients().expertWeight(weight.gradient(), bias == null ? null : bias.gradient(), y.gradient(), this, experts);
        }, this, weight, bias);
    }

    /** Rows belonging together, added with weights F32 [n, used]: this F32 [n · used, d] -> [n, d]. */
    public Tensor weightedSum(Tensor weights) {
        requireFloat("weightedSum");
        require(shape.rank() == 2 && weights.dtype == DType.F32 && weights.shape.rank() == 2 && shape.dim(0) == weights.shape.elements(),
            "weightedSum: rows %s do not fit weights %s", shape, weights);
        Tensor y = scope.tensor(DType.F32, weights.shape.dim(0), shape.last());
        kernels().weightedSum(y, this, weights);
        return y.record(() -> gradients().weightedSum(gradient(), weights.gradient(), y.gradient(), this, weights), this, weights);
    }

    /** Attention of these queries among the rows of a packed batch; see {@link Kernels#attention}. */
    public Tensor attention(Tensor k, Tensor v, Tensor starts, AttentionShape heads) {
        requireQueries("attention", heads);
        require(k.dtype == DType.F32 && k.shape.equals(new Shape(shape.dim(0), heads.keyDim())) && v.dtype == DType.F32
            && v.shape.equals(new Shape(shape.dim(0), heads.valueDim())), "attention: queries %s do not fit keys %s, values %s", this, k, v);
        requireRowInts("attention", "starts", starts);
        Tensor y = scope.tensor(DType.F32, shape.dim(0), heads.outputDim());
        kernels().attention(y, this, k, v, starts, heads);
        return y.record(() -> gradients().attention(gradient(), k.gradient(), v.gradient(), y.gradient(), this, k, v, y, starts, heads), this, k, v);
    }

    /** Causal attention of these queries over a paged cache; see {@link Kernels#pagedAttention}. */
    public Tensor pagedAttention(Tensor keys, Tensor values, Tensor positions, Tensor sequences, Tensor pageTable, AttentionShape heads) {
        requireQueries("pagedAttention", heads);
        require(heads.causal(), "pagedAttention: attention to both sides needs all rows at once, not a cache");
        require(keys.shape.rank() == 3 && keys.shape.last() == heads.keyDim() && values.dtype == keys.dtype
            && values.shape.equals(new Shape(keys.shape.dim(0), keys.shape.dim(1), heads.valueDim())),
            "pagedAttention: cache of keys %s and values %s does not hold %d kvHeads of %d and %d", keys, values, heads.kvHeads(), heads.headDim(), heads.valueHeadDim());
        requireCache("pagedAttention", keys);
        require(heads.headDim() % keys.dtype.blockSize == 0 && heads.valueHeadDim() % keys.dtype.blockSize == 0,
            "pagedAttention: heads of %d and %d are not whole blocks of %s", heads.headDim(), heads.valueHeadDim(), keys.dtype);
        requireRowInts("pagedAttention", "positions", positions);
        requireRowInts("pagedAttention", "sequences", sequences);
        require(pageTable.dtype == DType.I32 && pageTable.shape.rank() == 2, "pagedAttention: expected a page table I32 [sequences, maxPages], got %s", pageTable);
        Tensor y = scope.tensor(DType.F32, shape.dim(0), heads.outputDim());
        kernels().pagedAttention(y, this, keys, values, positions, sequences, pageTable, heads);
        return y.recordNothing("pagedAttention", this);
    }

    // ---- pictures: [n, height, width, channels] ---------------------------------------------------------------------------------------------------

    /** Convolution: this F32 [n, h, w, in], weight [out, kh, kw, in] in any format, bias F32 [out] or null -> [n, h', w', out]. See {@link Kernels#conv2d}. */
    public Tensor conv2d(Tensor weight, Tensor bias, Convolution convolution) {
        requirePictures("conv2d");
        requireWindow("conv2d", weight, bias, weight.shape.rank() == 4 && weight.shape.last() == shape.last(), 0);
        int rows = convolution.places(shape.dim(1), weight.shape.dim(1)), columns = convolution.places(shape.dim(2), weight.shape.dim(2));
        require(rows > 0 && columns > 0, "conv2d: pictures %s are smaller than the window of %s with %s", shape, weight, convolution);
        Tensor y = scope.tensor(DType.F32, shape.dim(0), rows, columns, weight.shape.dim(0));
        kernels().conv2d(y, this, weight, bias, convolution);
        return y.record(() -> {
            if (learns()) gradients().conv2dInput(gradient(), y.gradient(), weight, convolution);
            if (weight.learns() || bias != null && bias.learns()) gradients().conv2dWeight(weight.gradient(), gradient(bias), y.gradient(), this, convolution);
        }, this, weight, bias);
    }

    /**
     * Transposed convolution (Dumoulin & Visin 2016, arXiv:1603.07285), which spreads each pixel over a window: this F32 [n, h, w, in], weight [in, kh, kw, out] in any format, bias
     * F32 [out] or null -> [n, (h - 1) · stride + kh - before - after, .., out].
     */
    public Tensor convTranspose2d(Tensor weight, Tensor bias, Convolution convolution) {
        requirePictures("convTranspose2d");
        requireWindow("convTranspose2d", weight, bias, weight.shape.rank() == 4 && weight.shape.dim(0) == shape.last(), 3);
        int rows = convolution.size(shape.dim(1), weight.shape.dim(1)), columns = convolution.size(shape.dim(2), weight.shape.dim(2));
        require(rows > 0 && columns > 0, "convTranspose2d: nothing is left of pictures %s, weight %s with %s", shape, weight, convolution);
        Tensor y = scope.tensor(DType.F32, shape.dim(0), rows, columns, weight.shape.last());
        scope.backend().clear(y.data);
        gradients().conv2dInput(y, this, weight, convolution);
        y.record(() -> {
            if (learns()) {
                Tensor dx = like();
                kernels().conv2d(dx, y.gradient(), weight, null, convolution);
                gradientFrom(dx, true);
            }
            if (weight.learns()) gradients().conv2dWeight(weight.gradient(), null, this, y.gradient(), convolution);
        }, this, weight);
        return bias == null ? y : y.modulate(null, bias.view(1, bias.shape.last()));
    }

    /** Norm over groups of channels of each picture, then silu where {@code silu}: weight and bias F32 [c]. See {@link Kernels#groupNorm}. */
    public Tensor groupNorm(int groups, Tensor weight, Tensor bias, float eps, boolean silu) {
        requirePictures("groupNorm");
        require(groups > 0 && shape.last() % groups == 0, "groupNorm: %d channels are not %d groups", shape.last(), groups);
        for (var t : new Tensor[] {weight, bias}) require(t.dtype == DType.F32 && t.shape.equals(new Shape(shape.last())), "groupNorm: %s does not fit %s", this, t);
        Tensor y = like();
        kernels().groupNorm(y, this, weight, bias, groups, eps, silu);
        return y.record(() -> gradients().groupNorm(gradient(), weight.gradient(), bias.gradient(), y.gradient(), this, weight, bias, groups, eps, silu), this, weight, bias);
    }

    /** These pictures with other heights and widths. */
    public Tensor resize(int height, int width, Resampling resampling) {
        requirePictures("resize");
        require(height > 0 && width > 0, "resize: expected a height and width of 1 or more, got %d and %d", height, width);
        Tensor y = scope.tensor(DType.F32, shape.dim(0), height, width, shape.last());
        kernels().resize(y, this, resampling);
        return y.record(() -> gradients().resize(gradient(), y.gradient(), resampling), this);
    }

    /** Attention of {@code sequences} sequences of queries to as many of keys; see {@link Kernels#crossAttention}. lengths I32 [sequences] and bias F32 [heads, n, m] may be null. */
    public Tensor crossAttention(Tensor k, Tensor v, int sequences, Tensor lengths, Tensor bias, AttentionShape heads) {
        requireQueries("crossAttention", heads);
        require(!heads.causal() && heads.softCap() == 0 && heads.sinks() == null, "crossAttention: expected attention to both sides without cap and sinks, got %s", heads);
        require(sequences > 0 && shape.dim(0) % sequences == 0 && k.shape.dim(0) % sequences == 0 && k.shape.dim(0) > 0,
            "crossAttention: queries %s and keys %s are not %d sequences", this, k, sequences);
        require(k.dtype == DType.F32 && k.shape.equals(new Shape(k.shape.dim(0), heads.keyDim())) && v.dtype == DType.F32 && v.shape.equals(new Shape(k.shape.dim(0), heads.valueDim())),
            "crossAttention: queries %s do not fit keys %s, values %s", this, k, v);
        require(lengths == null || lengths.dtype == DType.I32 && lengths.shape.equals(new Shape(sequences)), "crossAttention: expected lengths I32 [%d], got %s", sequences, lengths);
        require(bias == null || bias.dtype == DType.F32 && bias.shape.equals(new Shape(heads.heads(), shape.dim(0) / sequences, k.shape.dim(0) / sequences)),
            "crossAttention: queries %s and keys %s of %d sequences do not fit bias %s", this, k, sequences, bias);
        Tensor y = scope.tensor(DType.F32, shape.dim(0), heads.outputDim());
        kernels().crossAttention(y, this, k, v, sequences, lengths, bias, heads);
        if (bias != null) y.recordNothing("crossAttention's bias", bias);
        return y.record(() -> gradients().crossAttention(gradient(), k.gradient(), v.gradient(), y.gradient(), this, k, v, y, sequences, lengths, bias, heads), this, k, v);
    }

    /** this · (1 + scale) + shift with one row of scale and shift F32 [s, d] for so many rows of this, [.., d]; either may be null. See {@link Kernels#modulate}. */
    public Tensor modulate(Tensor scale, Tensor shift) {
        requireFloat("modulate");
        for (var t : new Tensor[] {scale, shift}) if (t != null) requireShared("modulate", t);
        Tensor y = like();
        kernels().modulate(y, this, scale, shift);
        return y.record(() -> gradients().modulate(gradient(), gradient(scale), gradient(shift), y.gradient(), this, scale), this, scale, shift);
    }

    /** this + gate · x with one row of gate F32 [s, d] for so many rows of x, [.., d]. */
    public Tensor gated(Tensor x, Tensor gate) {
        requireFloat("gated");
        require(x.dtype == DType.F32 && shape.equals(x.shape), "gated: %s does not fit %s", this, x);
        requireShared("gated", gate);
        Tensor y = like();
        kernels().gated(y, this, x, gate);
        return y.record(() -> {
            gradients().gated(x.gradient(), gate.gradient(), y.gradient(), x, gate);
            gradientFrom(y.gradient(), true);
        }, this, x, gate);
    }

    /** this where it is above 0, slope · this elsewhere; with slope 0 the rectifier. */
    public Tensor leakyRelu(float slope) {
        requireFloat("leakyRelu");
        Tensor y = like();
        kernels().leakyRelu(y, this, slope);
        return y.record(() -> gradients().leakyRelu(gradient(), y.gradient(), this, slope), this);
    }

    // ---- recurrent layers --------------------------------------------------------------------------------------------------------------------------

    /** For each row the one before it in its sequence. */
    public Tensor shift(Recurrence recurrence) {
        requireRecurrence("shift", recurrence, shape.last());
        Tensor y = like();
        kernels().shift(y, this, recurrence);
        return y.recordNothing("shift", this);
    }

    /** Each feature convolved with the rows before; weight F32 [d, k], bias F32 [d] or null. See {@link Kernels#causalConv}. */
    public Tensor causalConv(Tensor weight, Tensor bias, Recurrence recurrence) {
        require(weight.dtype == DType.F32 && weight.shape.rank() == 2 && weight.shape.dim(0) == shape.last() && weight.shape.last() >= 2,
            "causalConv: x %s does not fit weight %s", shape, weight);
        require(bias == null || bias.dtype == DType.F32 && bias.shape.equals(new Shape(shape.last())), "causalConv: x %s does not fit bias %s", shape, bias);
        requireRecurrence("causalConv", recurrence, (weight.shape.last() - 1) * shape.last());
        Tensor y = like();
        kernels().causalConv(y, this, weight, bias, recurrence);
        return y.recordNothing("causalConv", this, weight, bias);
    }

    /** This through a selective state space; see {@link Kernels#selectiveScan}. */
    public Tensor selectiveScan(Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, Recurrence recurrence) {
        int d = shape.last(), states = a.shape.last();
        require(dt.dtype == DType.F32 && dt.shape.equals(shape) && a.dtype == DType.F32 && a.shape.equals(new Shape(d, states)) && skip.dtype == DType.F32
            && skip.shape.equals(new Shape(d)), "selectiveScan: x %s does not fit dt %s, a %s, skip %s", shape, dt, a, skip);
        require(b.dtype == DType.F32 && b.shape.equals(new Shape(shape.dim(0), states)) && c.dtype == DType.F32 && c.shape.equals(b.shape),
            "selectiveScan: %d states do not fit b %s, c %s", states, b, c);
        requireRecurrence("selectiveScan", recurrence, d * states);
        Tensor y = like();
        kernels().selectiveScan(y, this, dt, b, c, a, skip, recurrence);
        return y.recordNothing("selectiveScan", this, dt, b, c, a, skip);
    }

    /** This through the state space of Mamba-2, {@code states} numbers for each feature; see {@link Kernels#ssdScan}. */
    public Tensor ssdScan(Tensor dt, Tensor b, Tensor c, Tensor a, Tensor skip, int states, Recurrence recurrence) {
        int d = shape.last(), heads = a.shape.last(), n = shape.dim(0);
        require(a.dtype == DType.F32 && a.shape.equals(new Shape(heads)) && skip.dtype == DType.F32 && skip.shape.equals(a.shape) && d % heads == 0,
            "ssdScan: x %s does not fit a %s, skip %s", shape, a, skip);
        require(dt.dtype == DType.F32 && dt.shape.equals(new Shape(n, heads)), "ssdScan: %d heads do not fit dt %s", heads, dt);
        require(states > 0 && b.dtype == DType.F32 && b.shape.rank() == 2 && b.shape.dim(0) == n && b.shape.last() % states == 0 && heads % (b.shape.last() / states) == 0
            && c.dtype == DType.F32 && c.shape.equals(b.shape), "ssdScan: %d states and %d heads do not fit b %s, c %s", states, heads, b, c);
        requireRecurrence("ssdScan", recurrence, Math.multiplyExact(d, states));
        Tensor y = like();
        kernels().ssdScan(y, this, dt, b, c, a, skip, recurrence);
        return y.recordNothing("ssdScan", this, dt, b, c, a, skip);
    }

    /** This as v through the state of the gated delta rule, {@code keyDim} numbers for each feature; see {@link Kernels#gatedDelta}. */
    public Tensor gatedDelta(Tensor q, Tensor k, Tensor dt, Tensor rate, Tensor a, Tensor bias, int keyDim, boolean tiled, float eps, Recurrence recurrence) {
        int d = shape.last(), heads = a.shape.last(), n = shape.dim(0);
        require(a.dtype == DType.F32 && a.shape.equals(new Shape(heads)) && bias.dtype == DType.F32 && bias.shape.equals(a.shape) && d % heads == 0,
            "gatedDelta: v %s does not fit a %s, bias %s", shape, a, bias);
        for (var t : new Tensor[] {dt, rate}) require(t.dtype == DType.F32 && t.shape.equals(new Shape(n, heads)), "gatedDelta: %d heads do not fit %s", heads, t);
        require(keyDim > 0 && q.dtype == DType.F32 && q.shape.rank() == 2 && q.shape.dim(0) == n && q.shape.last() % keyDim == 0 && heads % (q.shape.last() / keyDim) == 0
            && k.dtype == DType.F32 && k.shape.equals(q.shape), "gatedDelta: %d heads do not fit q %s, k %s in heads of %d", heads, q, k, keyDim);
        require(eps > 0, "gatedDelta: expected eps above 0, got %s", eps);
        requireRecurrence("gatedDelta", recurrence, Math.multiplyExact(d, keyDim));
        Tensor y = like();
        kernels().gatedDelta(y, q, k, this, dt, rate, a, bias, tiled, eps, recurrence);
        return y.recordNothing("gatedDelta", this, q, k, dt, rate, a, bias);
    }

    /** What {@link #wkv7} gives: y [n, d], and bonus [n, d] to be added behind the norm of y. */
    public record Wkv(Tensor y, Tensor bonus) {}

    /** This as r through the state of RWKV-7; see {@link Kernels#wkv7}. */
    public Wkv wkv7(Tensor decay, Tensor k, Tensor v, Tensor rate, Tensor removal, Tensor replacement, Tensor weight, int headDim, Recurrence recurrence) {
        int d = shape.last();
        require(headDim > 0 && d % headDim == 0, "wkv7: rows of %d are not whole heads of %d", d, headDim);
        for (var t : new Tensor[] {decay, k, v, rate}) require(t.dtype == DType.F32 && t.shape.equals(shape), "wkv7: r %s does not fit %s", shape, t);
        for (var t : new Tensor[] {removal, replacement, weight}) {
            require(t.dtype == DType.F32 && t.shape.equals(new Shape(d)), "wkv7: r %s does not fit weight %s", shape, t);
        }
        requireRecurrence("wkv7", recurrence, d * headDim);
        Tensor y = like(), bonus = like();
        kernels().wkv7(y, bonus, this, decay, k, v, rate, removal, replacement, weight, headDim, recurrence);
        Tensor[] inputs = {this, decay, k, v, rate, removal, replacement, weight};
        return new Wkv(y.recordNothing("wkv7", inputs), bonus.recordNothing("wkv7", inputs));
    }

    // ---- caches and rows ---------------------------------------------------------------------------------------------------------------------------

    /** Stores these rows in a cache [pages, pageSize, d] at slots I32 [n]. */
    public void scatterRows(Tensor cache, Tensor slots) {
        requireFloat("scatterRows");
        require(shape.rank() == 2 && cache.shape.rank() == 3 && cache.shape.last() == shape.last(), "scatterRows: rows %s do not fit cache %s", shape, cache.shape);
        requireCache("scatterRows", cache);
        require(cache.shape.last() % cache.dtype.blockSize == 0, "scatterRows: rows of %d are not whole blocks of %s", cache.shape.last(), cache.dtype);
        requireRowInts("scatterRows", "slots", slots);
        kernels().scatterRows(cache, this, slots);
    }

    /** Chosen rows: this F32 [n, d], rows I32 [m] -> [m, d]. */
    public Tensor gatherRows(Tensor rows) {
        requireFloat("gatherRows");
        require(shape.rank() == 2 && rows.dtype == DType.I32 && rows.shape.rank() == 1, "gatherRows: expected rows I32 [m] of x [n, d], got %s of %s", rows, shape);
        Tensor y = scope.tensor(DType.F32, rows.shape.dim(0), shape.last());
        kernels().gatherRows(y, this, rows);
        return y.record(() -> gradients().gatherRows(gradient(), y.gradient(), rows), this);
    }

    /** The k largest entries of each row F32 [n, d] in order, then their places: [n, 2k], without a gradient. See {@link Kernels#largest}. */
    public Tensor largest(int k) {
        requireFloat("largest");
        require(shape.rank() == 2 && shape.last() <= 1 << 24, "largest: expected rows [n, d] of 2^24 entries at most, got %s", this);
        require(k >= 1 && k <= Math.min(shape.last(), Kernels.MOST_LARGEST), "largest: rows of %d have 1 to %d largest, not %d", shape.last(), Math.min(shape.last(), Kernels.MOST_LARGEST), k);
        Tensor y = scope.tensor(DType.F32, shape.dim(0), 2 * k);
        kernels().largest(y, this);
        return y;
    }

    /** Each row followed by the same row of {@code other}: [n, d] and [n, e] -> [n, d + e]. */
    public Tensor concat(Tensor other) {
        requireFloat("concat");
        require(shape.rank() == 2 && other.dtype == DType.F32 && other.shape.rank() == 2 && other.shape.dim(0) == shape.dim(0), "concat: %s does not fit %s", this, other);
        Tensor y = scope.tensor(DType.F32, shape.dim(0), shape.last() + other.shape.last());
        kernels().concat(y, this, other);
        return y.record(() -> gradients().concat(gradient(), other.gradient(), y.gradient()), this, other);
    }

    /** Columns {@code from} to {@code to - 1} of each row: [n, d] -> [n, to - from]. */
    public Tensor columns(int from, int to) {
        requireFloat("columns");
        require(shape.rank() == 2 && 0 <= from && from < to && to <= shape.last(), "columns: %s has no part %d to %d", this, from, to);
        Tensor y = scope.tensor(DType.F32, shape.dim(0), to - from);
        kernels().columns(y, this, from);
        return y.record(() -> gradients().columns(gradient(), y.gradient(), from), this);
    }

    // ---- checks ------------------------------------------------------------------------------------------------------------------------------------

    private Kernels kernels() { return scope.backend().kernels(); }

    private Gradients gradients() { return scope.backend().gradients(); }

    private Tensor like() { return scope.tensor(DType.F32, shape.toArray()); }

    private void requireFloat(String op) {
        require(dtype == DType.F32, "%s: expected F32, got %s", op, this);
        require(scope != null, "%s: an operation starts from data, not from a weight", op);
    }

    private void requireGate(String op, Tensor up) {
        requireFloat(op);
        require(up.dtype == DType.F32 && shape.equals(up.shape), "%s: gate %s does not fit up %s", op, this, up);
    }

    private void requireRecurrence(String op, Recurrence recurrence, int width) {
        requireFloat(op);
        var state = recurrence.state();
        require(shape.rank() == 2 && state.dtype == DType.F32 && state.shape.rank() == 2 && state.shape.last() == width,
            "%s: %s needs states of %d, got %s", op, this, width, state);
        requireRowInts(op, "slots", recurrence.slots());
        requireRowInts(op, "positions", recurrence.positions());
    }

    private void requirePictures(String op) {
        requireFloat(op);
        require(shape.rank() == 4, "%s: expected pictures [n, height, width, channels], got %s", op, this);
    }

    private void requireWindow(String op, Tensor weight, Tensor bias, boolean fits, int outputs) {
        require(fits && weight.dtype != DType.I32, "%s: pictures %s do not fit weight %s", op, shape, weight);
        require(bias == null || bias.dtype == DType.F32 && bias.shape.equals(new Shape(weight.shape.dim(outputs))), "%s: weight %s does not fit bias %s", op, weight.shape, bias);
    }

    private void requireShared(String op, Tensor t) {
        require(t.dtype == DType.F32 && t.shape.rank() == 2 && t.shape.last() == shape.last() && t.shape.dim(0) > 0 && shape.rows() % t.shape.dim(0) == 0,
            "%s: expected rows F32 [s, %d] for the rows of %s, got %s", op, shape.last(), shape, t);
    }

    private static Tensor gradient(Tensor t) { return t == null ? null : t.gradient(); }

    private static void requireCache(String op, Tensor cache) {
        require(cache.dtype == DType.F32 || cache.dtype == DType.F16 || cache.dtype == DType.Q8_0, "%s: expected a cache of F32, F16 or Q8_0, got %s", op, cache);
    }

    private void requireQueries(String op, AttentionShape heads) {
        requireFloat(op);
        require(shape.rank() == 2 && shape.last() == heads.queryDim(), "%s: queries %s are not %d heads of %d", op, shape, heads.heads(), heads.headDim());
        var sinks = heads.sinks();
        require(sinks == null || sinks.dtype == DType.F32 && sinks.shape.equals(new Shape(heads.heads())), "%s: expected sinks F32 [%d], got %s", op, heads.heads(), sinks);
    }

    private void requireRowInts(String op, String name, Tensor ints) {
        require(ints.dtype == DType.I32 && ints.shape.equals(new Shape(shape.dim(0))), "%s: expected %s I32 [%d], got %s", op, name, shape.dim(0), ints);
    }

    static void require(boolean condition, String message, Object... arguments) {
        if (!condition) throw new IllegalArgumentException(message.formatted(arguments));
    }
}
