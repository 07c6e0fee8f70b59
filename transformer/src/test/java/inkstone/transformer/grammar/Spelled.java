package inkstone.transformer.grammar;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.tensor.checkpoint.Gguf;
import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.StreamDecoder;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.Tokenizers;
import inkstone.transformer.TestData;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** A tokenizer that only knows how its tokens are spelled: 0 ends a text, 1 to 256 are the bytes, then come the texts given. */
record Spelled(List<byte[]> spellings) implements Tokenizer {
    static Spelled of(String... texts) {
        var spellings = new ArrayList<byte[]>();
        spellings.add(new byte[0]);
        for (int b = 0; b < 256; b++) spellings.add(new byte[] {(byte) b});
        for (var text : texts) spellings.add(text.getBytes(StandardCharsets.UTF_8));
        return new Spelled(spellings);
    }

    /** With halves of characters and pieces of JSON among its tokens. */
    static Spelled json() {
        var spelled = of("{\"", "\":", "\": \"", "\",", "\", \"", "\"}", "}}", "]]", "[[", "},", ", ", ": ", " \"", "\n  ", "\n    ", "true", "false", "null", "name", "na", "tr", "12", "00",
                "-1", ".5", "e+", "ab", "\u00E9t\u00E9", "\u4F60\u597D", "\uD83D\uDE00", "\\n", "\\\"", "\\u00", "\"a\":", "\"b\"", "{\"a\":1}", "[1,2", "x\"y", "  ", "{}", "[]", "[],[]");
        spelled.spellings.add(new byte[] {'a', (byte) 0xC3});
        spelled.spellings.add(new byte[] {(byte) 0xA9, '"'});
        spelled.spellings.add(new byte[] {(byte) 0xE4, (byte) 0xBD});
        return spelled;
    }

    /** The bytes of a vocabulary of the data folder; the native tokenizer is closed again. */
    static Spelled file(String name) throws IOException {
        var path = name.equals("stories260K") ? TestData.stories() : TestData.folder("tokenizers").resolve("ggml-vocab-" + name + ".gguf");
        assumeTrue(Files.exists(path), () -> "skipped: no vocabulary " + path);
        var spellings = new ArrayList<byte[]>();
        try (var gguf = Gguf.open(path); var tokenizer = Tokenizers.fromGguf(gguf.metadata())) {
            spellings.add(new byte[0]);
            for (int token = 0; token < tokenizer.vocabularySize(); token++) spellings.add(tokenizer.bytes(token));
        }
        return new Spelled(spellings);
    }

    @Override public byte[] bytes(int token) { return spellings.get(token); }
    @Override public int vocabularySize() { return spellings.size(); }
    @Override public Set<Integer> endOfGeneration() { return Set.of(0); }
    @Override public boolean isControl(int token) { return token == 0; }
    @Override public int bos() { return -1; }
    @Override public int eos() { return 0; }
    @Override public boolean addsBos() { return false; }
    @Override public boolean addsEos() { return false; }
    @Override public void close() { }
    @Override public int[] encode(MarkedText text) { throw new UnsupportedOperationException("spells only"); }
    @Override public int[] encodePrompt(MarkedText text) { throw new UnsupportedOperationException("spells only"); }
    @Override public String decode(int... tokens) { throw new UnsupportedOperationException("spells only"); }
    @Override public StreamDecoder streamDecoder() { throw new UnsupportedOperationException("spells only"); }
    @Override public String piece(int token) { throw new UnsupportedOperationException("spells only"); }
    @Override public int id(String piece) { throw new UnsupportedOperationException("spells only"); }
}
