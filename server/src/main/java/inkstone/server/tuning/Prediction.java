package inkstone.server.tuning;

import inkstone.transformer.DecoderConfig;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.adapters.TrainableAdapter;
import inkstone.transformer.tune.FineTuneSettings;
import inkstone.transformer.tune.FineTuneSettings.Method;

/**
 * What a run will take, before it is begun: an estimate, of the largest parts.
 *
 * @param trainable numbers that learn
 * @param bytes     memory, the model's weights included
 */
record Prediction(long trainable, long bytes) {
    /** Of each number that learns: itself, its gradient, and AdamW's two means. */
    private static final int BYTES_EACH = 4 + 4 + 8;
    /** Logits and their gradients of a part of a batch, checkpoint buffers, threads' scratch. */
    private static final long FIXED = 64L << 20;

    static Prediction of(LanguageModel model, FineTuneSettings settings) {
        boolean full = settings.method() == Method.FULL;
        long trainable = full ? model.parameters() : adapter(model, settings);
        return new Prediction(trainable, (full ? 0 : model.bytes()) + BYTES_EACH * trainable + activations(model, settings) + FIXED);
    }

    private static long adapter(LanguageModel model, FineTuneSettings settings) {
        var targets = TrainableAdapter.targets(settings.targets(), model.adapterBase());
        var count = new long[1];
        model.adapterBase().builder().apply((linear, base, in, out) -> {
            if (targets.test(linear)) count[0] += (long) settings.rank() * (in + out) + (settings.method() == Method.DORA ? out : 0);
            return base;
        });
        return count[0];
    }

    /**
     * What a step keeps of each token, F32, and as much again of gradients. A layer keeps its input, the two normed, the two sums and what dropout lets through (about eight of dim), queries,
     * keys, values and their mixture (four of heads), and of the feed-forward gate, up and their product, with the copies that are dropped from (five of hidden).
     */
    private static long activations(LanguageModel model, FineTuneSettings settings) {
        var config = model.config();
        long hidden = config instanceof DecoderConfig decoder ? decoder.hidden() : 4L * config.dim();
        long floats = config.layers() * (12L * config.dim() + 5 * hidden);
        return 2 * Float.BYTES * floats * settings.batchTokens();
    }
}
