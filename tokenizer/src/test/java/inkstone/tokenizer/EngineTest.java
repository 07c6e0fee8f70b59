package inkstone.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.HashSet;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class EngineTest {
    private static final long SEED = 20261126;

    /* The engine is called for pieces of a text. Merges across line ends, and of several of them, would show where a piece ends within a word. */
    @Test void cuttingATextChangesNoToken() {
        var random = new Random(SEED);
        var text = new StringBuilder();
        while (text.length() < 36_000) text.append(Texts.random(random)).append("word\n".repeat(random.nextInt(3))).append(random.nextBoolean() ? "\n7" : "\nnext");
        var seen = new HashSet<Object>();
        for (var name : PreTokenizers.names()) {
            if (!seen.add(PreTokenizers.named(name).steps())) continue;
            var tiny = Tiny.byteLevel(name);
            for (var merge : new String[] {"\u010A \u010A", "\u010A n", "\u010A 7", "\u010A w", "d \u010A", ". \u010A", "! \u010A", "\u0120 \u010A", "\u010D \u010A", "\u0109 \u010A"}) {
                tiny.merge(merge.substring(0, 1), merge.substring(2));
            }
            var json = TokenizerJson.forEngine(GgufVocabulary.read(tiny.metadata()));
            try (var cutting = new Engine(name, json, true); var whole = new Engine(name, json, false)) {
                assertArrayEquals(ids(whole, text.toString()), ids(cutting, text.toString()), name + ", seed " + SEED);
            }
        }
    }

    private static int[] ids(Engine engine, String text) {
        var ids = IntStream.builder();
        engine.encode(text, ids::add);
        return ids.build().toArray();
    }
}
