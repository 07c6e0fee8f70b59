package inkstone.transformer;

import inkstone.tensor.Kernels;
import java.util.Arrays;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Chooses the next token of one sequence: logit bias, the constraint, then what {@link SamplerSettings} says. Ties go to the lower id; the draw walks the kept
 * tokens in order of id. Remembers nothing between tokens: the random number of an answer's n-th token is a function of seed and n, so the same seed gives the same
 * text, and a draft model's logits can be asked what they would make of the very draw that the model's own will meet. Works in the caller's logits and in buffers of
 * its own, which grow once. One thread.
 */
final class Sampler {
    /** Buckets of the likelihood histogram, {@link #BUCKETS_PER_NAT} to a factor of e: what top-p must sort is one bucket, not the vocabulary. */
    private static final int BUCKETS = 512, BUCKETS_PER_NAT = 16;

    private final SamplerSettings settings;
    private final int[] biased;
    private final float[] biases;
    private int[] ids = {};
    private float[] values = {};
    private double[] nats = {}, weights = {};
    private final double[] mass = new double[BUCKETS];
    private long[] keys = {};
    private int kept;
    private int[] stamps = {};
    private int stamp;
    private int[] counts = {};

    Sampler(SamplerSettings settings) { this(settings, Map.of()); }

    Sampler(SamplerSettings settings, Map<Integer, Float> logitBias) {
        this.settings = settings;
        this.biased = logitBias.keySet().stream().mapToInt(Integer::intValue).toArray();
        this.biases = new float[biased.length];
        for (int i = 0; i < biased.length; i++) biases[i] = logitBias.get(biased[i]);
    }

    /**
     * How many of the largest logits of a row decide what {@link #sample} chooses, so that the rest need not leave the device they were computed on; 0: it may take any of them. With
     * temperature 0 it is the largest, the first of equals. Top-k comes before all other filters, and what follows looks only at the tokens that it kept, in order of id: their
     * sums have the same terms in the same order. A bias or a penalty may bring any token among the largest.
     */
    int deciding() {
        boolean changed = biased.length > 0 || settings.repetitionPenalty() != 1 || settings.presencePenalty() != 0 || settings.frequencyPenalty() != 0;
        if (changed) return 0;
        if (settings.temperature() == 0) return 1;
        return settings.topK() <= Kernels.MOST_LARGEST ? settings.topK() : 0;
    }

    /**
     * The next token by {@code logits[offset .. offset + count)}, which are overwritten.
     *
     * @param tokens whose logits these are, ascending, at the same places: at least the {@link #deciding}; null where they are all, from token 0 on
     * @param constraint null for none; to be told of the token by whoever chooses
     * @param history what the sequence holds, prompt and answer, in its first {@code length} entries; the answer begins at {@code generatedFrom}
     * @throws ArithmeticException where the logits are not numbers
     */
    int sample(float[] logits, int[] tokens, int offset, int count, Constraint constraint, int[] history, int length, int generatedFrom) {
        assert tokens == null || constraint == null && deciding() > 0 && deciding() <= count : "chosen from too few logits";
        for (int i = 0; i < biased.length; i++) if (biased[i] < count) logits[offset + biased[i]] += biases[i];
        if (constraint != null) constraint.mask(logits, offset, count);
        penalise(logits, offset, count, history, length, generatedFrom);
        int likeliest = likeliest(logits, tokens, offset, count, constraint);
        if (settings.temperature() == 0) return token(tokens, offset, likeliest - offset);
        keepTopK(logits, tokens, offset, count, logits[likeliest]);
        keepTopP();
        keepMinP();
        return draw(length - generatedFrom);
    }

    private static int token(int[] tokens, int offset, int i) { return tokens == null ? i : tokens[offset + i]; }

    // ---- penalties ---------------------------------------------------------------------------------------------------------------------------------

    private void penalise(float[] logits, int offset, int vocabulary, int[] history, int length, int generatedFrom) {
        float repetition = settings.repetitionPenalty();
        if (repetition != 1) {
            if (stamps.length < vocabulary) stamps = new int[vocabulary];
            stamp++;
            for (int i = Math.max(0, length - settings.penaltyWindow()); i < length; i++) {
                int token = history[i];
                if (stamps[token] == stamp) continue;
                stamps[token] = stamp;
                float logit = logits[offset + token];
                logits[offset + token] = logit > 0 ? logit / repetition : logit * repetition;
            }
        }
        if (settings.presencePenalty() != 0 || settings.frequencyPenalty() != 0) {
            if (counts.length < vocabulary) counts = new int[vocabulary];
            for (int i = generatedFrom; i < length; i++) counts[history[i]]++;
            for (int i = generatedFrom; i < length; i++) {
                int token = history[i];
                if (counts[token] > 0) logits[offset + token] -= settings.presencePenalty() + counts[token] * settings.frequencyPenalty();
                counts[token] = 0;
            }
        }
    }

    /** Index of the largest logit, the first of equals. Minus infinity rules a token out; anything else that is not finite is a broken model. */
    private int likeliest(float[] logits, int[] tokens, int offset, int count, Constraint constraint) {
        int best = offset;
        for (int i = offset; i < offset + count; i++) {
            float logit = logits[i];
            if (!(logit < Float.POSITIVE_INFINITY)) {
                throw new ArithmeticException("the model computed %s as the logit of token %d: its weights are broken or overflow".formatted(logit, token(tokens, offset, i - offset)));
            }
            if (logit > logits[best]) best = i;
        }
        if (logits[best] == Float.NEGATIVE_INFINITY) {
            throw constraint != null ? new ConstraintException("the constraint leaves no token of this vocabulary that may come next")
                : new ArithmeticException("the model rules out every token: its weights are broken or overflow");
        }
        return best;
    }

    // ---- what is kept, by ascending id: ids, their logits, nats below the likeliest, weights = exp(-nats) -----------------------------------------------------

    private void keepTopK(float[] logits, int[] tokens, int offset, int count, float largest) {
        if (ids.length < count) {
            ids = new int[count];
            values = new float[count];
            nats = new double[count];
            weights = new double[count];
        }
        long threshold = settings.topK() == 0 || settings.topK() >= count ? Long.MIN_VALUE : kthLargest(logits, tokens, offset, count, settings.topK());
        kept = 0;
        for (int i = 0; i < count; i++) {
            float logit = logits[offset + i];
            int token = token(tokens, offset, i);
            if (key(logit, token) < threshold) continue;
            ids[kept] = token;
            values[kept] = logit;
            nats[kept] = (largest - logit) / (double) settings.temperature();
            weights[kept] = Math.exp(-nats[kept]);
            kept++;
        }
    }

    /** The k-th largest key, from a heap of the k largest so far with the smallest on top: most of a vocabulary is one comparison each. */
    private long kthLargest(float[] logits, int[] tokens, int offset, int count, int k) {
        if (keys.length < k) keys = new long[k];
        for (int i = 0; i < k; i++) keys[i] = key(logits[offset + i], token(tokens, offset, i));
        for (int parent = k / 2 - 1; parent >= 0; parent--) sink(parent, k);
        for (int i = k; i < count; i++) {
            long key = key(logits[offset + i], token(tokens, offset, i));
            if (key > keys[0]) {
                keys[0] = key;
                sink(0, k);
            }
        }
        return keys[0];
    }

    private void sink(int parent, int size) {
        long key = keys[parent];
        for (int child; (child = 2 * parent + 1) < size; parent = child) {
            if (child + 1 < size && keys[child + 1] < keys[child]) child++;
            if (keys[child] >= key) break;
            keys[parent] = keys[child];
        }
        keys[parent] = key;
    }

    /** Orders by logit, then by lower id. */
    private static long key(float logit, int token) {
        int bits = Float.floatToRawIntBits(logit + 0f);                               // + 0: one zero, not two
        return (long) (bits ^ bits >> 31 & Integer.MAX_VALUE) << 32 | 0xFFFFFFFFL - token;
    }

    /** The likeliest tokens whose probabilities reach topP: whole buckets of the histogram, and of the bucket where the sum is reached its largest. */
    private void keepTopP() {
        if (settings.topP() == 1) return;
        Arrays.fill(mass, 0);
        double total = 0;
        for (int i = 0; i < kept; i++) {
            mass[bucket(nats[i])] += weights[i];
            total += weights[i];
        }
        double missing = settings.topP() * total;
        int last = 0;
        while (last < BUCKETS - 1 && mass[last] < missing) missing -= mass[last++];

        int candidates = 0;
        if (keys.length < kept) keys = new long[kept];
        for (int i = 0; i < kept; i++) if (bucket(nats[i]) == last) keys[candidates++] = key(values[i], ids[i]);
        Arrays.sort(keys, 0, candidates);
        long threshold = Long.MAX_VALUE;
        for (int i = candidates - 1; i >= 0 && missing > 0; i--) {
            threshold = keys[i];
            int token = (int) (0xFFFFFFFFL - (threshold & 0xFFFFFFFFL));
            missing -= weights[Arrays.binarySearch(ids, 0, kept, token)];
        }

        int n = 0;
        for (int i = 0; i < kept; i++) {
            int bucket = bucket(nats[i]);
            if (bucket < last || bucket == last && key(values[i], ids[i]) >= threshold) keep(i, n++);
        }
        kept = n;
    }

    private static int bucket(double nats) { return (int) Math.min(BUCKETS - 1, nats * BUCKETS_PER_NAT); }

    private void keepMinP() {
        if (settings.minP() == 0) return;
        int n = 0;
        for (int i = 0; i < kept; i++) if (weights[i] >= settings.minP()) keep(i, n++);
        kept = n;
    }

    private void keep(int from, int to) {
        ids[to] = ids[from];
        values[to] = values[from];
        nats[to] = nats[from];
        weights[to] = weights[from];
    }

    /** In [0, 1), the {@code number}-th of its seed, counted from 0: such a generator steps by the golden ratio (Steele et al. 2014, "Fast splittable pseudorandom number generators"). */
    private static double uniform(long seed, int number) { return new SplittableRandom(seed + number * 0x9E3779B97F4A7C15L).nextDouble(); }

    private int draw(int number) {
        double total = 0;
        for (int i = 0; i < kept; i++) total += weights[i];
        double rest = uniform(settings.seed(), number) * total;
        int drawn = 0;
        for (int i = 0; i < kept; i++) {
            if (weights[i] == 0) continue;
            drawn = i;                                                                  // rounding may leave a rest after the last: it is that one's
            rest -= weights[i];
            if (rest < 0) break;
        }
        return ids[drawn];
    }
}
