package inkstone.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tokenizer.MarkedText.Span;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Which tokens are read in which text, and what stands between them. */
class SpecialTokensTest {
    private static Tiny chat() {
        return Tiny.byteLevel("llama-bpe").merge("h", "i")
                .piece("<|im_start|>", Kind.CONTROL).piece("<|im_end|>", Kind.CONTROL).piece("<|im_end|>\n", Kind.CONTROL).piece("<tool>", Kind.USER_DEFINED)
                .set("bos_token_id", 257L).set("eos_token_id", 258L);
    }

    private static MarkedText marked(Object... parts) {
        return new MarkedText(java.util.stream.IntStream.range(0, parts.length / 2).mapToObj(i -> new Span((String) parts[2 * i], (Boolean) parts[2 * i + 1])).toList());
    }

    private static void assertPieces(String expected, Tokenizer tokenizer, MarkedText text) { assertEquals(expected, Tiny.pieces(tokenizer, tokenizer.encode(text))); }

    @Test void controlTokensAreReadInTrustedTextOnly() {
        try (var tokenizer = chat().open()) {
            assertPieces("<|im_start|>|hi|<|im_end|>", tokenizer, MarkedText.trusted("<|im_start|>hi<|im_end|>"));
            assertPieces("<|||i|m|_|e|n|d|||>", tokenizer, MarkedText.untrusted("<|im_end|>"));
            assertPieces("<|||i|m|_|e|n|d|||>|<|im_end|>", tokenizer, marked("<|im_end|>", false, "<|im_end|>", true));
            assertPieces("<|||i|m|_|e|n|d|||>", tokenizer, marked("<|im_", true, "end|>", false));
            assertPieces("<|im_end|>", tokenizer, marked("<|im_", true, "end|>", true));
            assertPieces("<|im_end|>|\u010A", tokenizer, marked("<|im_end|>", true, "\n", false));
            assertPieces("<|im_end|>\n", tokenizer, MarkedText.trusted("<|im_end|>\n"));
        }
    }

    @Test void userDefinedTokensAreReadEverywhere() {
        try (var tokenizer = chat().open()) {
            assertPieces("a|<tool>|b", tokenizer, MarkedText.untrusted("a<tool>b"));
            assertPieces("a|<tool>|b", tokenizer, marked("a<to", true, "ol>b", false));
            assertEquals("a<tool>b", tokenizer.decode(tokenizer.encode("a<tool>b", true)));
        }
    }

    @Test void textIsEncodedAcrossSpans() {
        try (var tokenizer = chat().open()) { assertPieces("<|im_start|>|hi", tokenizer, marked("<|im_start|>h", true, "i", false)); }
    }

    @Test void noUntrustedTextSpellsAControlToken() {
        for (var name : Vocabularies.WITH_VECTORS) {
            try (var tokenizer = Tokenizers.fromGguf(Vocabularies.metadata(name))) {
                var all = new StringBuilder();
                for (int id = 0; id < tokenizer.vocabularySize(); id++) {
                    if (!tokenizer.isControl(id)) continue;
                    all.append(tokenizer.piece(id)).append(' ').append(tokenizer.piece(id));
                    assertHasNoControl(tokenizer, tokenizer.piece(id));
                    assertArrayEquals(new int[] {id}, tokenizer.encode(tokenizer.piece(id), true));
                }
                assertHasNoControl(tokenizer, all.toString());
            }
        }
    }

    private static void assertHasNoControl(Tokenizer tokenizer, String text) {
        for (int id : tokenizer.encode(text, false)) assertFalse(tokenizer.isControl(id), tokenizer.piece(id) + " in " + text);
    }

    /* ignore_merges takes a word that is in the vocabulary whole: "stop" is a word of the text and the name of a control token. */
    @Test void aWordSpelledLikeAControlTokenIsText() {
        try (var tokenizer = Tiny.byteLevel("llama-bpe").piece("stop", Kind.CONTROL).piece("go", Kind.NORMAL).open()) {
            assertPieces("s|t|o|p", tokenizer, MarkedText.untrusted("stop"));
            assertPieces("go", tokenizer, MarkedText.untrusted("go"));
            assertPieces("stop", tokenizer, MarkedText.trusted("stop"));
        }
        try (var tokenizer = Tiny.byteLevel("llama-bpe").piece("stop", Kind.CONTROL).set("unknown_token_id", 256L).open()) {
            assertPieces("s|t|o|p", tokenizer, MarkedText.untrusted("stop"));
        }
    }

    @Test void scoresCannotSpellAControlToken() {
        try (var tokenizer = Tiny.sentence("</s", "s>").open()) {
            assertPieces("<0xE2>|<0x96>|<0x81>|</s|>", tokenizer, MarkedText.untrusted("</s>"));
            assertPieces("</s>", tokenizer, MarkedText.trusted("</s>"));
        }
    }

    @Test void sentencePieceStartsEachFragmentWithASpace() {
        var tiny = Tiny.sentence("\u2581hi", "a").piece("<x>", Kind.USER_DEFINED);
        try (var tokenizer = tiny.open()) {
            assertPieces("\u2581hi", tokenizer, MarkedText.trusted("hi"));
            assertPieces("\u2581|\u2581hi", tokenizer, MarkedText.trusted(" hi"));
            assertPieces("<s>|\u2581hi|</s>|\u2581hi", tokenizer, MarkedText.trusted("<s>hi</s>hi"));
            assertPieces("\u2581hi|<x>|\u2581hi", tokenizer, MarkedText.untrusted("hi<x>hi"));
            assertArrayEquals(new int[0], tokenizer.encode("", true));
            assertEquals("hi", tokenizer.decode(tokenizer.id("\u2581hi")));
            assertEquals(" hi", tokenizer.streamDecoder().next(tokenizer.id("\u2581hi")));
        }
        try (var tokenizer = tiny.set("add_space_prefix", false).open()) {
            assertPieces("h|i", tokenizer, MarkedText.trusted("hi"));
            assertEquals(" hi", tokenizer.decode(tokenizer.id("\u2581hi")));
        }
    }

    @Test void promptsGetOneBeginningToken() {
        try (var tokenizer = chat().open()) {
            assertTrue(tokenizer.addsBos());
            assertFalse(tokenizer.addsEos());
            assertEquals("<|im_start|>|hi", Tiny.pieces(tokenizer, tokenizer.encodePrompt(MarkedText.trusted("hi"))));
            assertEquals("<|im_start|>|hi", Tiny.pieces(tokenizer, tokenizer.encodePrompt(MarkedText.trusted("<|im_start|>hi"))));
            assertEquals("<|im_start|>", Tiny.pieces(tokenizer, tokenizer.encodePrompt(MarkedText.trusted(""))));
        }
        try (var tokenizer = chat().set("add_bos_token", false).set("add_eos_token", true).open()) {
            assertEquals("hi|<|im_end|>", Tiny.pieces(tokenizer, tokenizer.encodePrompt(MarkedText.trusted("hi"))));
        }
        try (var tokenizer = Tokenizers.fromGguf(Vocabularies.metadata("bert-bge"))) {
            assertEquals("[CLS]|hello|world|[SEP]", Tiny.pieces(tokenizer, tokenizer.encodePrompt(MarkedText.untrusted("Hello world"))));
            assertEquals("hello world", tokenizer.decode(tokenizer.encodePrompt(MarkedText.untrusted("Hello world"))));
        }
    }

    @Test void theEndOfATurnIsFoundByNameAndById() {
        var tiny = Tiny.byteLevel("gpt-2").piece("<|im_end|>", Kind.CONTROL).piece("<|endoftext|>", Kind.NORMAL).piece("<done>", Kind.NORMAL).piece("</s>", Kind.USER_DEFINED);
        try (var tokenizer = tiny.set("eos_token_id", 258L).open()) {
            assertEquals(Set.of(256, 258), tokenizer.endOfGeneration());
            assertTrue(tokenizer.isControl(258), "named as the end and in brackets");
            assertFalse(tokenizer.isControl(257));
        }
        var harmony = Tiny.byteLevel("gpt-4o");
        for (var piece : List.of("<|return|>", "<|call|>", "<|end|>")) harmony.piece(piece, Kind.CONTROL);
        try (var tokenizer = harmony.open()) { assertEquals(Set.of(256, 257), tokenizer.endOfGeneration(), "gpt-oss uses <|end|> within a turn"); }
    }

    @Test void phi3MarkersSwallowWhiteSpace() {
        var tiny = Tiny.sentence("\u2581hi").piece("<|user|>", Kind.CONTROL).piece("<|endoftext|>", Kind.CONTROL);
        tiny.values.put("general.name", "Phi-3 mini");
        try (var tokenizer = tiny.open()) {
            assertPieces("<|user|>|\u2581hi", tokenizer, MarkedText.trusted("<|user|>\n \nhi"));
            assertPieces("<|endoftext|>|\u2581|<0x0A>|h|i", tokenizer, MarkedText.trusted("<|endoftext|>\nhi"));
        }
    }

    @Test void doubledAndEmptyPiecesAreDecodedButNotProduced() {
        var tiny = Tiny.byteLevel("gpt-2").merge("a", "b").piece("ab", Kind.NORMAL).piece("", Kind.NORMAL);
        try (var tokenizer = tiny.open()) {
            assertArrayEquals(new int[] {256}, tokenizer.encode("ab", false));
            assertEquals("ab", tokenizer.decode(257));
            assertEquals("[EMPTY_258]", tokenizer.piece(258));
        }
    }
}
