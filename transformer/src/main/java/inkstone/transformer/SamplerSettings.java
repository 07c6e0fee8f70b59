package inkstone.transformer;

/**
 * How the next token is chosen. Order, after logit bias and constraint: penalties, temperature, top-k, top-p, min-p, draw.
 *
 * @param temperature       0 takes the likeliest token
 * @param topK              keeps the k likeliest; 0 keeps all
 * @param topP              keeps the likeliest tokens whose probabilities reach this sum (Holtzman et al. 2019, arXiv:1904.09751); 1 keeps all
 * @param minP              drops tokens less likely than minP times the likeliest (Nguyen et al. 2024, arXiv:2407.01082); 0 drops none
 * @param repetitionPenalty divides positive and multiplies negative logits of tokens seen in the last {@code penaltyWindow} (Keskar et al. 2019, arXiv:1909.05858); 1 is off
 * @param presencePenalty   subtracted once from the logit of every token generated so far; 0 is off
 * @param frequencyPenalty  subtracted once per occurrence of a token generated so far; 0 is off
 * @param penaltyWindow     tokens the repetition penalty looks back over
 * @param seed              same seed, same settings, same model: same text
 */
public record SamplerSettings(float temperature, int topK, float topP, float minP, float repetitionPenalty, float presencePenalty, float frequencyPenalty,
                              int penaltyWindow, long seed) {
    public static final SamplerSettings DEFAULT = new SamplerSettings(0.8f, 40, 0.95f, 0.05f, 1f, 0f, 0f, 64, 0);
    public static final SamplerSettings GREEDY = new SamplerSettings(0f, 0, 1f, 0f, 1f, 0f, 0f, 64, 0);

    public SamplerSettings {
        check(temperature >= 0 && temperature <= 100, "temperature", "0 to 100", temperature);
        check(topK >= 0, "top_k", "0 or more", topK);
        check(topP > 0 && topP <= 1, "top_p", "above 0, up to 1", topP);
        check(minP >= 0 && minP <= 1, "min_p", "0 to 1", minP);
        check(repetitionPenalty > 0 && repetitionPenalty <= 100, "repeat_penalty", "above 0, up to 100", repetitionPenalty);
        check(presencePenalty >= -100 && presencePenalty <= 100, "presence_penalty", "-100 to 100", presencePenalty);
        check(frequencyPenalty >= -100 && frequencyPenalty <= 100, "frequency_penalty", "-100 to 100", frequencyPenalty);
        check(penaltyWindow >= 0, "repeat_last_n", "0 or more", penaltyWindow);
    }

    private static void check(boolean good, String name, String expected, Number got) {
        if (!good) throw new IllegalArgumentException("%s must be %s, got %s".formatted(name, expected, got));
    }

    public SamplerSettings withSeed(long value) {
        return new SamplerSettings(temperature, topK, topP, minP, repetitionPenalty, presencePenalty, frequencyPenalty, penaltyWindow, value);
    }
}
