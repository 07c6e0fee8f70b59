package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.Kernels;
import inkstone.tensor.Scope;
import inkstone.tensor.cpu.CpuBackend;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final long SEED = 20261123;
    private static final Backend CPU = new CpuBackend(1);

    @AfterAll static void close() { CPU.close(); }

    private static int sample(SamplerSettings settings, int[] history, int generatedFrom, float... logits) {
        return new Sampler(settings).sample(logits.clone(), null, 0, logits.length, null, history, history.length, generatedFrom);
    }

    private static SamplerSettings with(float temperature, int topK, float topP, float minP, long seed) {
        return new SamplerSettings(temperature, topK, topP, minP, 1, 0, 0, 64, seed);
    }

    private static SamplerSettings penalties(float repetition, float presence, float frequency, int window) {
        return new SamplerSettings(0, 0, 1, 0, repetition, presence, frequency, window, 0);
    }

    @Test void greedyTakesTheLikeliestAndOfEqualsTheFirst() {
        assertEquals(1, sample(SamplerSettings.GREEDY, new int[0], 0, 0, 3, 3, -1));
        assertEquals(0, sample(SamplerSettings.GREEDY, new int[0], 0, -5, Float.NEGATIVE_INFINITY));
    }

    @Test void repetitionPenaltyDividesPositiveAndMultipliesNegativeLogitsWithinItsWindow() {
        assertEquals(1, sample(penalties(2, 0, 0, 64), new int[] {0, 0}, 2, 3, 2, 1), "3 / 2 < 2, once however often it was seen");
        assertEquals(1, sample(penalties(2, 0, 0, 64), new int[] {0}, 1, -1, -1.5f), "-1 * 2 < -1.5");
        assertEquals(0, sample(penalties(2, 0, 0, 1), new int[] {0, 2}, 2, 3, 2, 1), "token 0 is outside the window");
        assertEquals(0, sample(penalties(2, 0, 0, 0), new int[] {0}, 1, 3, 2, 1), "a window of nothing");
    }

    @Test void presenceAndFrequencyPenaltiesCountTheAnswerOnly() {
        int[] history = {1, 0, 0};
        assertEquals(1, sample(penalties(1, 0.5f, 0, 64), history, 1, 2.4f, 2), "2.4 - 0.5 < 2");
        assertEquals(0, sample(penalties(1, 0.5f, 0, 64), history, 3, 2.4f, 2), "a prompt is not punished");
        assertEquals(1, sample(penalties(1, 0, 0.3f, 64), history, 1, 2.5f, 2), "2.5 - 2 * 0.3 < 2");
        assertEquals(0, sample(penalties(1, 0, 0.2f, 64), history, 1, 2.5f, 2), "2.5 - 2 * 0.2 > 2");
    }

    @Test void everySettingKeepsAndDrawsWhatItsDefinitionSays() {
        var random = new Random(SEED);
        for (int n = 0; n < 3_000; n++) {
            int vocabulary = 1 + random.nextInt(200);
            var logits = new float[vocabulary];
            float spread = random.nextInt(4) * 3;                                     // 0: every token equally likely
            for (int i = 0; i < vocabulary; i++) {
                logits[i] = random.nextInt(20) == 0 ? Float.NEGATIVE_INFINITY : (float) random.nextGaussian() * spread;
                if (random.nextInt(4) == 0) logits[i] = Math.round(logits[i]);        // ties, and both zeros
            }
            logits[random.nextInt(vocabulary)] = 1;
            var settings = with(0.1f + random.nextFloat() * 2, random.nextBoolean() ? 0 : random.nextInt(vocabulary + 5),
                random.nextBoolean() ? 1 : 0.05f + 0.9f * random.nextFloat(), random.nextBoolean() ? 0 : 0.3f * random.nextFloat(), n);
            int expected = byDefinition(settings, logits);
            assertEquals(expected, sample(settings, new int[0], 0, logits), "seed " + SEED + ", case " + n + ", " + settings);
            assertEquals(expected, sampleOfLargest(settings, logits), "the largest, seed " + SEED + ", case " + n + ", " + settings);
        }
    }

    /** What a sampler makes of the logits that decide, and sometimes a few more, as a step brings them from its device. */
    private static int sampleOfLargest(SamplerSettings settings, float... logits) {
        var sampler = new Sampler(settings);
        int deciding = sampler.deciding();
        if (deciding == 0 || deciding > logits.length) return sample(settings, new int[0], 0, logits);
        int k = Math.min(deciding + logits.length % 3, logits.length);
        try (var scope = Scope.inference(CPU)) {
            var row = new Logits(new float[2 * k], new int[2 * k], k);
            row.set(1, scope.floats(logits, 1, logits.length).largest(k).toFloats(), 0);
            return sampler.sample(row.values(), row.tokens(), row.at(1), k, null, new int[0], 0, 0);
        }
    }

    @Test void theLargestLogitsDecideWhereNothingCanBringAnotherAmongThem() {
        assertEquals(1, new Sampler(SamplerSettings.GREEDY).deciding());
        assertEquals(40, new Sampler(SamplerSettings.DEFAULT).deciding());
        assertEquals(0, new Sampler(with(1, 0, 0.9f, 0.1f, 1)).deciding(), "top-p of all tokens");
        assertEquals(0, new Sampler(with(1, Kernels.MOST_LARGEST + 1, 1, 0, 1)).deciding());
        assertEquals(1, new Sampler(with(0, Kernels.MOST_LARGEST + 1, 1, 0, 1)).deciding());
        for (var penalties : List.of(penalties(1.1f, 0, 0, 64), penalties(1, 0.1f, 0, 64), penalties(1, 0, 0.1f, 64))) assertEquals(0, new Sampler(penalties).deciding());
        assertEquals(0, new Sampler(SamplerSettings.GREEDY, Map.of(1, 1f)).deciding());
    }

    private record Choice(int token, float logit, double weight) {}

    /** Sorts everything, cuts by the book, draws by id. */
    private static int byDefinition(SamplerSettings s, float[] logits) {
        float largest = Float.NEGATIVE_INFINITY;
        for (float logit : logits) largest = Math.max(largest, logit);
        List<Choice> choices = new ArrayList<>();
        for (int i = 0; i < logits.length; i++) choices.add(new Choice(i, logits[i], Math.exp((logits[i] - largest) / (double) s.temperature())));
        choices.sort(Comparator.comparing((Choice c) -> -(c.logit + 0f)).thenComparing(Choice::token));
        if (s.topK() > 0) choices = choices.subList(0, Math.min(s.topK(), choices.size()));
        if (s.topP() < 1) {
            double total = choices.stream().mapToDouble(Choice::weight).sum(), sum = 0;
            int kept = 0;
            while (kept < choices.size() && sum < s.topP() * total) sum += choices.get(kept++).weight;
            choices = choices.subList(0, kept);
        }
        choices = choices.stream().filter(c -> c.weight >= s.minP()).sorted(Comparator.comparing(Choice::token)).toList();
        double rest = new SplittableRandom(s.seed()).nextDouble() * choices.stream().mapToDouble(Choice::weight).sum();
        for (var choice : choices) if ((rest -= choice.weight) < 0) return choice.token;
        return choices.getLast().token;
    }

    @Test void drawsAreAsFrequentAsTheirProbabilities() {
        var sampler = new Sampler(with(1, 0, 1, 0, SEED));
        float[] logits = {(float) Math.log(0.5), (float) Math.log(0.3), (float) Math.log(0.2)};
        var counts = new int[3];
        for (int i = 0; i < 20_000; i++) counts[sampler.sample(logits.clone(), null, 0, 3, null, new int[i], i, 0)]++;
        double[] expected = {0.5, 0.3, 0.2};
        for (int i = 0; i < 3; i++) assertEquals(expected[i], counts[i] / 20_000.0, 0.015, "4 standard deviations of 20,000 draws are 0.014");
    }

    @Test void logitsThatAreNotNumbersAreReportedWithTheirToken() {
        for (float broken : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
            var error = assertThrows(ArithmeticException.class, () -> sample(SamplerSettings.DEFAULT, new int[0], 0, 0, broken, 1));
            assertTrue(error.getMessage().contains("token 1"), error.getMessage());
            error = assertThrows(ArithmeticException.class, () -> sampleOfLargest(SamplerSettings.GREEDY, 0, broken, 1));
            assertTrue(error.getMessage().contains("token 1"), error.getMessage());
        }
        assertThrows(ArithmeticException.class, () -> sample(SamplerSettings.GREEDY, new int[0], 0, Float.NEGATIVE_INFINITY, Float.NEGATIVE_INFINITY));
    }

    @Test void readsItsOwnPartOfALargerArrayOnly() {
        var logits = new float[] {99, 1, 5, 2, 99};
        assertEquals(1, new Sampler(with(0.01f, 2, 0.9f, 0.1f, 1)).sample(logits, null, 1, 3, null, new int[0], 0, 0));
    }
}
