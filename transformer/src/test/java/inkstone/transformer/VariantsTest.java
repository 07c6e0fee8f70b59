package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tokenizer.MarkedText;
import inkstone.transformer.adapters.Adapter;
import inkstone.transformer.adapters.AdapterData;
import inkstone.transformer.adapters.Adapters;
import inkstone.transformer.adapters.LowRank;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests for one model with different adapters, one beside the other: each gets the text that its variant writes alone. */
class VariantsTest {
    private static final int TOKENS = 40;

    private final Backend backend = TestData.backend("cpu");
    private LanguageModel model;
    private Adapters adapters;

    @BeforeEach void open() throws IOException {
        model = Models.open(TestData.stories(), backend);
        var uses = new ArrayList<Adapter.Use>();
        for (long seed : new long[] {21, 22}) uses.add(new Adapter.Use(Adapter.of(gentle(AdaptersTest.random(model, 4, seed, false)), Path.of("adapter-" + seed), model), 0));
        adapters = new Adapters(model, uses);
    }

    /** Strong enough to tell another story, not to tell nonsense. */
    private static AdapterData gentle(AdapterData adapter) {
        return new AdapterData(adapter.name(), adapter.changes().stream().map(c -> new LowRank(c.linear(), c.in(), c.out(), c.rank(), c.a(), c.b(), 0.1f, null)).toList());
    }

    @AfterEach void close() {
        model.close();
        backend.close();
    }

    private GenerationRequest request(String prompt, CausalModel variant) {
        return new GenerationRequest(model.tokenizer().encodePrompt(MarkedText.trusted(prompt)), SamplerSettings.GREEDY, TOKENS, List.of()).withVariant(variant);
    }

    /** Log-probabilities take all logits, answers without them the largest: one beside the other and alone. */
    @Test void theLargestLogitsGiveTheSameTextAsAll() {
        var prompt = model.tokenizer().encodePrompt(MarkedText.trusted("Once upon a time"));
        for (var sampling : List.of(SamplerSettings.GREEDY, SamplerSettings.DEFAULT.withSeed(3), new SamplerSettings(1.3f, 200, 1, 0, 1, 0, 0, 64, 4))) {
            var largest = new GenerationRequest(prompt, sampling, TOKENS, List.of());
            int[] expected;
            try (var session = Session.open(model, 256, DType.F32)) {
                expected = session.generate(largest.withTopLogprobs(0), piece -> { }).tokens();
                assertArrayEquals(expected, session.generate(largest, piece -> { }).tokens(), sampling.toString());
            }
            try (var scheduler = BatchScheduler.start(model, new BatchScheduler.Settings(256, 1024, DType.F32, 4, 8))) {
                var tickets = List.of(scheduler.submit(largest, piece -> { }), scheduler.submit(largest.withVariant(variants().get(1)), piece -> { }),
                    scheduler.submit(largest.withTopLogprobs(0), piece -> { }));
                assertArrayEquals(expected, tickets.getFirst().result().join().tokens(), sampling.toString());
                assertArrayEquals(expected, tickets.getLast().result().join().tokens(), sampling.toString());
            }
        }
    }

    private List<CausalModel> variants() {
        return List.of(model.model(), adapters.variant(new float[] {1, 0}), adapters.variant(new float[] {0, 1}), adapters.variant(new float[] {0.5f, -1}));
    }

    private String alone(String prompt, CausalModel variant) {
        try (var session = Session.open(model, 256, DType.F32)) { return session.generate(request(prompt, variant), piece -> { }).text(); }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 6})
    void eachRequestIsAnsweredByItsOwnVariant(int guesses) throws ExecutionException, InterruptedException {
        String[] prompts = {"Once upon a time, there was a little girl named Lily. She loved to play outside in the park with her dog. One day, she", "The big dog"};
        var expected = new ArrayList<String>();
        for (var variant : variants()) for (var prompt : prompts) expected.add(alone(prompt, variant));
        for (int i = 2; i < expected.size(); i++) assertNotEquals(expected.get(i % 2), expected.get(i));
        var variants = variants();
        var settings = new BatchScheduler.Settings(256, 2_048, DType.F32, 6, 64, Speculation.lookup(guesses));
        try (var scheduler = BatchScheduler.start(model, settings)) {
            for (int round = 0; round < 2; round++) {                                  // the second finds the prompts of the first in the cache
                var tickets = new ArrayList<Ticket>();
                for (var variant : variants) {
                    for (var prompt : prompts) {
                        tickets.add(scheduler.submit(request(prompt, variant), piece -> { }));
                    }
                }
                for (int i = 0; i < tickets.size(); i++) {
                    var result = tickets.get(i).result().get();
                    assertEquals(expected.get(i), result.text(), "round %d, request %d".formatted(round, i));
                    if (round == 1 && i % 2 == 0) assertEquals(KvCache.PAGE_SIZE, result.cachedTokens(), "its own variant has read the first page");
                }
            }
        }
    }

    @Test void aSessionForgetsWhatAnotherVariantHasCached() {
        var prompt = "Once upon a time";
        try (var session = Session.open(model, 256, DType.F32)) {
            for (var variant : variants()) {
                var expected = alone(prompt, variant);
                for (int again = 0; again < 2; again++) {
                    var result = session.generate(request(prompt, variant), piece -> { });
                    assertEquals(expected, result.text());
                    assertEquals(again == 0 ? 0 : result.promptTokens() - 1, result.cachedTokens());
                }
            }
        }
    }

    @Test void theSameWeightsAreTheSameVariant() {
        assertSame(model.model(), adapters.variant());
        assertSame(model.model(), adapters.variant(new float[] {0, -0f}));
        assertSame(adapters.variant(new float[] {1, 0}), adapters.variant(new float[] {1, 0}));
        adapters.weights(new float[] {1, 0});
        assertSame(adapters.variant(new float[] {1, 0}), adapters.variant());
        assertThrows(IllegalArgumentException.class, () -> adapters.weights(new float[] {1}));
        assertThrows(IllegalArgumentException.class, () -> adapters.variant(new float[] {1, Float.NaN}));
        for (int i = 2; i < 60; i++) adapters.variant(new float[] {i, 0});
        assertNotEquals(null, adapters.variant(new float[] {1, 0}));
    }
}
