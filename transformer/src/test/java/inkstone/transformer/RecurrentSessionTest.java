package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Models that keep states in place of keys and values: conversations, changes of mind and crowds. */
class RecurrentSessionTest {
    private static final int CONTEXT = 128;

    private static LanguageModel open(String name, Backend backend) throws IOException {
        return Models.open(TestData.folder("golden-logits").resolve(name).resolve("model.gguf"), backend);
    }

    private static int[] prompt(int length, int seed) { return IntStream.range(0, length).map(i -> 3 + (i * 37 + seed * 11) % 500).toArray(); }

    @ParameterizedTest
    @ValueSource(strings = {"mamba", "rwkv7"})
    void aConversationGoesOnWhereItsStatesAre(String name) throws IOException {
        try (var backend = TestData.backend("cpu"); var model = open(name, backend); var session = Session.open(model, CONTEXT, DType.F16);
             var fresh = Session.open(model, CONTEXT, DType.F32)) {
            int[] prompt = prompt(20, 1);
            int[] answer = session.generate(Fakes.greedy(prompt, 10), piece -> { }).tokens();
            int[] longer = IntStream.concat(IntStream.concat(Arrays.stream(prompt), Arrays.stream(answer)), Arrays.stream(prompt(5, 2))).toArray();
            var second = session.generate(Fakes.greedy(longer, 10), piece -> { });
            assertEquals(29, second.cachedTokens(), "all that was read and told but the last token");
            assertArrayEquals(fresh.generate(Fakes.greedy(longer, 10), piece -> { }).tokens(), second.tokens());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"mamba", "rwkv7"})
    void statesKnowNoWayBack(String name) throws IOException {
        try (var backend = TestData.backend("cpu"); var model = open(name, backend); var session = Session.open(model, CONTEXT, DType.F32);
             var fresh = Session.open(model, CONTEXT, DType.F32)) {
            session.generate(Fakes.greedy(prompt(40, 1), 5), piece -> { });
            int[] other = prompt(40, 1);
            other[30] = 7;
            var answer = session.generate(Fakes.greedy(other, 10), piece -> { });
            assertEquals(0, answer.cachedTokens());
            assertArrayEquals(fresh.generate(Fakes.greedy(other, 10), piece -> { }).tokens(), answer.tokens());
            assertThrows(IllegalStateException.class, () -> session.generate(Fakes.greedy(prompt(40, 3), 5), piece -> { throw new IllegalStateException("gone"); }));
            assertArrayEquals(answer.tokens(), session.generate(Fakes.greedy(other, 10), piece -> { }).tokens(), "after a listener that threw");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"mamba", "rwkv7"})
    void noGuessGetsIntoTheStates(String name) throws IOException {
        try (var backend = TestData.backend("cpu"); var model = open(name, backend)) {
            for (var guesses : new Speculation[] {Speculation.lookup(4), new Speculation(4, model)}) {
                var refused = assertThrows(IllegalArgumentException.class, () -> Session.open(model, CONTEXT, DType.F32, guesses));
                assertEquals(model.name() + " keeps states, which cannot be taken back to the last right guess; use it without guesses", refused.getMessage());
            }
        }
    }

    /** Layers with states among others that attend: nobody guesses for such a model, and it guesses for none. */
    @Test void layersWithStatesAmongOthersTakeNoGuessesEither(@TempDir Path folder) throws IOException {
        var vocabulary = TestData.folder("golden-logits").resolve("qwen2").resolve("model.gguf");
        RandomFamilies.of("lfm2").write(vocabulary, folder.resolve("lfm2.gguf"));
        try (var backend = TestData.backend("cpu"); var hybrid = Models.open(folder.resolve("lfm2.gguf"), backend); var model = Models.open(vocabulary, backend)) {
            assertTrue(assertThrows(IllegalArgumentException.class, () -> Session.open(hybrid, CONTEXT, DType.F32, Speculation.lookup(4))).getMessage().contains("keeps states"));
            assertEquals("the draft model lfm2 keeps states, which cannot be taken back to the last right guess; draft with a model that has attention",
                assertThrows(IllegalArgumentException.class, () -> Session.open(model, CONTEXT, DType.F32, new Speculation(4, hybrid))).getMessage());
        }
    }

    /** Greedy; two likeliest tokens would have to be as near as the 1e-4 by which few and many rows differ. */
    @ParameterizedTest
    @ValueSource(strings = {"mamba", "rwkv7"})
    void anAnswerIsTheSameAloneAndInACrowd(String name) throws Exception {
        var settings = new BatchScheduler.Settings(CONTEXT, 3 * CONTEXT, DType.F32, 4, 8);
        try (var backend = TestData.backend("cpu"); var model = open(name, backend)) {
            var alone = new ArrayList<int[]>();
            try (var session = Session.open(model, CONTEXT, DType.F32)) {
                for (int i = 0; i < 6; i++) alone.add(session.generate(Fakes.greedy(prompt(3 + 7 * i, i), 15), piece -> { }).tokens());
            }
            try (var scheduler = BatchScheduler.start(model, settings)) {
                var tickets = new ArrayList<Ticket>();
                for (int i = 0; i < 6; i++) tickets.add(scheduler.submit(Fakes.greedy(prompt(3 + 7 * i, i), 15), piece -> { }));
                for (int i = 0; i < 6; i++) assertArrayEquals(alone.get(i), tickets.get(i).result().get().tokens(), "prompt " + i);
            }
        }
    }
}
