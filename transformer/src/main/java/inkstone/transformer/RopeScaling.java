package inkstone.transformer;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How a model's rotary positions were stretched to a longer context. Every kind comes down to a table of frequencies and one magnitude, made once when
 * the model opens; the kernel ({@link inkstone.tensor.Rope}) knows none of them. Unscaled, pair i of r rotary dimensions turns by base^(-2i/r) radians
 * per position (Su et al. 2021, arXiv:2104.09864).
 */
public sealed interface RopeScaling {
    RopeScaling NONE = new Linear(1);
    /** A key of our own; other readers of GGUF files round always. */
    String ROUNDED = "yarn_truncate";

    /** Radians per position of each pair: [rotaryDim / 2]. */
    float[] frequencies(double base, int rotaryDim);

    /** What cosine and sine are multiplied by. */
    default float magnitude() { return 1; }

    /** The {@code architecture.rope.scaling.*} keys of a GGUF file; llama3 has none, its table goes into the file as {@code rope_freqs.weight}. */
    default Map<String, Object> toGguf(String architecture) { return Map.of(); }

    /** Position interpolation (Chen et al. 2023, arXiv:2306.15595): every frequency divided by factor. Factor 1 is no scaling. */
    record Linear(float factor) implements RopeScaling {
        public Linear { requireFactor(factor); }

        @Override public float[] frequencies(double base, int rotaryDim) {
            var frequencies = new float[rotaryDim / 2];
            for (int i = 0; i < frequencies.length; i++) frequencies[i] = (float) (unscaled(base, rotaryDim, i) / factor);
            return frequencies;
        }

        @Override public Map<String, Object> toGguf(String architecture) {
            return factor == 1 ? Map.of() : Map.of(architecture + ".rope.scaling.type", "linear", architecture + ".rope.scaling.factor", factor);
        }
    }

    /**
     * Llama 3.1: wavelengths longer than originalContext / lowFactor are divided by factor, those shorter than originalContext / highFactor stay,
     * those between are blended (Grattafiori et al. 2024, arXiv:2407.21783).
     */
    record Llama3(float factor, float lowFactor, float highFactor, int originalContext) implements RopeScaling {
        public Llama3 {
            requireFactor(factor);
            if (!(lowFactor > 0 && highFactor > lowFactor && originalContext > 0)) {
                throw new ModelException("llama3 rope scaling needs 0 < low_freq_factor < high_freq_factor and an original context, got %s, %s, %d"
                    .formatted(lowFactor, highFactor, originalContext));
            }
        }

        @Override public float[] frequencies(double base, int rotaryDim) {
            var frequencies = new float[rotaryDim / 2];
            for (int i = 0; i < frequencies.length; i++) {
                double frequency = unscaled(base, rotaryDim, i), turns = originalContext * frequency / (2 * Math.PI);
                double kept = Math.clamp((turns - lowFactor) / (highFactor - lowFactor), 0.0, 1.0);
                frequencies[i] = (float) (kept * frequency + (1 - kept) * frequency / factor);
            }
            return frequencies;
        }
    }

    /**
     * YaRN (Peng et al. 2023, arXiv:2309.00071): pairs that turn more than betaFast times within the original context keep their frequency, those that turn
     * less than betaSlow times are divided by factor, a linear ramp over the pair's index (its ends rounded outwards to whole pairs) blends those between.
     *
     * @param extrapolation weight of the kept frequencies, usually 1; 0 leaves plain interpolation
     * @param attention     multiplies the magnitude 1 + 0.1 ln(factor) that the paper found, usually 1
     * @param rounded       whether the ends of the ramp are whole pairs, as in the paper's code; not so in gpt-oss
     */
    record Yarn(float factor, int originalContext, float extrapolation, float attention, float betaFast, float betaSlow, boolean rounded) implements RopeScaling {
        public Yarn(float factor, int originalContext, float extrapolation, float attention, float betaFast, float betaSlow) {
            this(factor, originalContext, extrapolation, attention, betaFast, betaSlow, true);
        }

        public Yarn {
            requireFactor(factor);
            if (!(originalContext > 0 && betaFast > betaSlow && betaSlow > 0 && attention > 0)) {
                throw new ModelException("yarn rope scaling needs an original context, beta_fast > beta_slow > 0 and a positive attention factor, got %d, %s, %s, %s"
                    .formatted(originalContext, betaFast, betaSlow, attention));
            }
        }

        @Override public float[] frequencies(double base, int rotaryDim) {
            double first = pairTurning(betaFast, base, rotaryDim), last = pairTurning(betaSlow, base, rotaryDim);
            double low = Math.max(0, rounded ? Math.floor(first) : first), high = Math.min(rotaryDim - 1, rounded ? Math.ceil(last) : last);
            var frequencies = new float[rotaryDim / 2];
            for (int i = 0; i < frequencies.length; i++) {
                double kept = (1 - Math.clamp((i - low) / Math.max(0.001, high - low), 0.0, 1.0)) * extrapolation;
                double frequency = unscaled(base, rotaryDim, i);
                frequencies[i] = (float) (kept * frequency + (1 - kept) * frequency / factor);
            }
            return frequencies;
        }

        /** The index, not rounded, of the pair that turns {@code turns} times within the original context. */
        private double pairTurning(double turns, double base, int rotaryDim) {
            return rotaryDim * Math.log(originalContext / (turns * 2 * Math.PI)) / (2 * Math.log(base));
        }

        @Override public float magnitude() { return (float) (attention * (extrapolation == 0 ? 1 : paperMagnitude(factor))); }

        @Override public Map<String, Object> toGguf(String architecture) {
            var keys = new LinkedHashMap<String, Object>();
            String prefix = architecture + ".rope.scaling.";
            keys.put(prefix + "type", "yarn");
            keys.put(prefix + "factor", factor);
            keys.put(prefix + "original_context_length", originalContext);
            keys.put(prefix + "yarn_ext_factor", extrapolation);
            keys.put(prefix + "yarn_attn_factor", attention);
            keys.put(prefix + "yarn_beta_fast", betaFast);
            keys.put(prefix + "yarn_beta_slow", betaSlow);
            if (!rounded) keys.put(prefix + ROUNDED, false);
            return keys;
        }
    }

    /**
     * What a file's own table says (Llama 3.1; LongRoPE, Ding et al. 2024, arXiv:2402.13753): the frequencies of {@code base}, each divided by its factor.
     * factors [rotaryDim / 2], or none where only the magnitude is the file's own; never written to.
     */
    record Divided(RopeScaling base, float[] factors, float magnitude) implements RopeScaling {
        public Divided {
            for (float factor : factors) requireFactor(factor);
            requireFactor(magnitude);
        }

        @Override public float[] frequencies(double base, int rotaryDim) {
            var frequencies = this.base.frequencies(base, rotaryDim);
            for (int i = 0; i < factors.length; i++) frequencies[i] /= factors[i];
            return frequencies;
        }

        @Override public Map<String, Object> toGguf(String architecture) { return base.toGguf(architecture); }
    }

    /**
     * From the {@code architecture.rope.scaling.*} keys of a GGUF file; a context that names none is its own original, and a factor without a kind is a linear one.
     * {@code attn_factor} multiplies the magnitude of every kind.
     */
    static RopeScaling fromGguf(Metadata metadata, String architecture) {
        String prefix = architecture + ".rope.scaling.";
        float factor = metadata.floating(prefix + "factor", metadata.floating(architecture + ".rope.scale_linear", 1));
        float attention = metadata.floating(prefix + "attn_factor", 1);
        return switch (metadata.string(prefix + "type", "linear")) {
            case "none" -> magnified(NONE, attention);
            // the tables of longrope are tensors, see DecoderConfig
            case "linear", "longrope" -> magnified(new Linear(factor == 0 ? 1 : factor), attention);
            case "yarn" -> new Yarn(metadata.floating(prefix + "factor"),
                metadata.integer(prefix + "original_context_length", metadata.integer(architecture + ".context_length")),
                metadata.floating(prefix + "yarn_ext_factor", 1), metadata.floating(prefix + "yarn_attn_factor", 1) * attention,
                metadata.floating(prefix + "yarn_beta_fast", 32), metadata.floating(prefix + "yarn_beta_slow", 1),
                metadata.bool(prefix + ROUNDED, true));
            case String type -> throw unknown(metadata, type);
        };
    }

    private static RopeScaling magnified(RopeScaling scaling, float by) { return by == 1 ? scaling : new Divided(scaling, new float[0], scaling.magnitude() * by); }

    /** From {@code rope_scaling} of a Hugging Face config.json. */
    static RopeScaling fromHuggingFace(Metadata config) {
        String prefix = "rope_scaling.";
        String type = config.string(prefix + "rope_type", config.string(prefix + "type", "default"));
        return switch (type) {
            // dynamic scaling begins beyond max_position_embeddings, where the context ends here
            case "default", "dynamic" -> NONE;
            case "linear" -> new Linear(config.floating(prefix + "factor"));
            case "llama3" -> new Llama3(config.floating(prefix + "factor"), config.floating(prefix + "low_freq_factor"),
                config.floating(prefix + "high_freq_factor"), config.integer(prefix + "original_max_position_embeddings"));
            case "yarn" -> {
                float factor = config.floating(prefix + "factor");
                double magnitude = paperMagnitude(factor);
                if (config.has(prefix + "attention_factor")) {
                    magnitude = config.floating(prefix + "attention_factor");
                } else if (config.has(prefix + "mscale") && config.has(prefix + "mscale_all_dim")) {
                    magnitude = (1 + config.floating(prefix + "mscale") * (paperMagnitude(factor) - 1))
                        / (1 + config.floating(prefix + "mscale_all_dim") * (paperMagnitude(factor) - 1));
                }
                yield new Yarn(factor, config.integer(prefix + "original_max_position_embeddings", config.integer("max_position_embeddings")),
                    1, (float) (magnitude / paperMagnitude(factor)), config.floating(prefix + "beta_fast", 32), config.floating(prefix + "beta_slow", 1),
                    config.bool(prefix + "truncate", true));
            }
            default -> throw unknown(config, type);
        };
    }

    private static ModelException unknown(Metadata metadata, String type) {
        return new ModelException("%s: rope scaling \"%s\" is not supported (known: none, linear, dynamic, llama3, yarn)".formatted(metadata.source(), type));
    }

    private static double unscaled(double base, int rotaryDim, int pair) { return Math.pow(base, -2.0 * pair / rotaryDim); }

    private static double paperMagnitude(double factor) { return factor <= 1 ? 1 : 1 + 0.1 * Math.log(factor); }

    private static void requireFactor(float factor) {
        if (!(factor > 0 && factor < Float.POSITIVE_INFINITY)) throw new ModelException("rope scaling needs a positive factor, got " + factor);
    }
}
