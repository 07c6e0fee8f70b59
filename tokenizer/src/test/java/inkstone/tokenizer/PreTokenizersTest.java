package inkstone.tokenizer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import inkstone.tensor.ModelException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The table of pre-tokenizers, on a vocabulary of bytes. */
class PreTokenizersTest {
    /* One name for each way to cut. */
    static List<String> names() {
        var seen = new HashSet<List<?>>();
        return PreTokenizers.names().stream().filter(name -> seen.add(PreTokenizers.named(name).steps())).toList();
    }

    @ParameterizedTest @MethodSource("names")
    void everyExpressionCompilesKeepsTheTextAndEnds(String name) {
        var random = new Random(7);
        try (var tokenizer = Tiny.byteLevel(name).set("add_bos_token", false).open()) {
            for (int n = 0; n < 20; n++) {
                var text = Texts.random(random);
                assertEquals(text, tokenizer.decode(tokenizer.encode(text, false)), "seed 7, case " + n);
            }
            for (var run : List.of(" ", "\n", "a", "A", "7", "!", "'", "\u4E00", "\u0301", "e\u0301", "\uAC00", " a")) {
                var text = run.repeat(10_000) + "x";
                ProcessorTime.assertAtMost(20, name, () -> assertEquals(text, tokenizer.decode(tokenizer.encode(text, false))));
            }
        }
    }

    /* /n is a line feed. */
    @ParameterizedTest
    @CsvSource(delimiter = ';', ignoreLeadingAndTrailingWhitespace = false, value = {
            "gpt-2;I'Ve got  12345 'things'!/n/n x;I|'|Ve| got| | 12345| '|things|'!|/n/n| x",
            "llama-bpe;I'Ve got  12345 'things'!/n/n x;I|'Ve| got| | |123|45| '|things|'!/n/n| x",
            "qwen2;I'Ve 123 x;I|'Ve| |1|2|3| x",
            "starcoder;I'Ve 123 x;I|'|Ve| |1|2|3| x",
            "falcon;I've 12345 $x;I|'|ve| |123|45| |$|x",
            "gpt-4o;HelloWorld's ABCdef!/n12345;Hello|World's| ABCdef|!/n|123|45",
            "tekken;HelloWorld's 12;Hello|World|'s| |1|2",
            "deepseek-v3;a 12345\u4F60\u597Db .x;a| |123|45|\u4F60\u597D|b| .|x",
            "deepseek-coder;a 12/n b!;a| |1|2|/n| b|!",
            "deepseek-llm;ab 12/n b!;ab| |12|/n| b|!",
            "bloom;Hi, you 12;Hi|,| you| 12",
            "viking;Hi, you 12;Hi|,| you| |1|2",
            "exaone-moe;It's a b c 12!/n x;It|'s| a b c| |1|2|!/n| x",
            "kimi-k2;HelloWorld你好b's 1234/n;Hello|World|你好|b's| |123|4|/n",
            "chameleon;IMGIMGABZ a-b 12;IMGIMGABZ| a|-|b| |1|2",
    })
    void wordsAreCutAsTheModelsCutThem(String name, String text, String words) throws IOException {
        assertEquals(words.replace("/n", "\n"), String.join("|", words(name, text.replace("/n", "\n"))));
    }

    /* A token never reaches over the end of a word: there are at least as many ids as words. Where the vocabulary is at hand, VectorsTest says more. */
    @ParameterizedTest @ValueSource(strings = {"llama-bpe", "qwen2", "gpt-2", "falcon", "roberta-bpe"})
    void wordsAreNotMoreThanTheVectorsTokens(String name) throws IOException {
        var texts = Vocabularies.texts(name);
        var ids = Vocabularies.ids(name);
        for (int i = 0; i < texts.size(); i++) {
            int words = words(name, texts.get(i)).size();
            assertTrue(words <= ids.get(i).length, "%d words, %d tokens in case %d: %s".formatted(words, ids.get(i).length, i, texts.get(i)));
        }
    }

    /* RoBERTa renumbered GPT-2's vocabulary and kept its merges, so its vectors are GPT-2's in another numbering. */
    @Test void robertaIsGpt2Renumbered() {
        var texts = Vocabularies.texts("roberta-bpe");
        var expected = Vocabularies.ids("roberta-bpe");
        var numbers = new HashMap<Integer, Integer>();
        try (var tokenizer = Tokenizers.fromGguf(Vocabularies.metadata("gpt-2"))) {
            for (int i = 0; i < texts.size(); i++) {
                int[] ids = tokenizer.encode(texts.get(i), false);
                assertEquals(expected.get(i).length, ids.length, "case " + i);
                for (int j = 0; j < ids.length; j++) {
                    int number = expected.get(i)[j];
                    assertEquals(number, numbers.computeIfAbsent(ids[j], id -> number), "case " + i);
                }
            }
        }
    }

    @Test void anUnknownNameListsTheKnown() {
        var message = assertThrows(ModelException.class, () -> Tiny.byteLevel("gpt-9").open()).getMessage();
        assertTrue(message.contains("\"gpt-9\"") && message.contains("llama-bpe, ") && message.contains("qwen2"), message);
    }

    @Test void stepsFindTheirName() {
        for (var name : List.of("gpt-2", "llama-bpe", "qwen2", "tekken", "gpt-4o", "deepseek-v3", "falcon", "starcoder")) {
            var entry = PreTokenizers.named(name);
            assertEquals(name, PreTokenizers.of(entry.steps(), entry.ignoreMerges()).name());
        }
        assertNull(PreTokenizers.of(List.of(Steps.split("x+")), false));
    }

    private static List<String> words(String name, String text) throws IOException {
        var json = Tokenizers.toJson(Tiny.byteLevel(name).set("add_bos_token", false).metadata()).getBytes(StandardCharsets.UTF_8);
        try (var engine = HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), Map.of("addSpecialTokens", "false", "truncation", "false"))) {
            var encoding = engine.encode(text);
            var bytes = text.getBytes(StandardCharsets.UTF_8);
            var words = new ArrayList<String>();
            int from = 0;
            for (int i = 1; i <= bytes.length; i++) {
                if (i < bytes.length && encoding.getWordIds()[i] == encoding.getWordIds()[i - 1]) continue;
                words.add(new String(bytes, from, i - from, StandardCharsets.UTF_8));
                from = i;
            }
            return words;
        }
    }
}
