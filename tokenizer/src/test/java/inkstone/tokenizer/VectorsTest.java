package inkstone.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.checkpoint.Metadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Ids against llama.cpp's own vectors, made by the models' original tokenizers. */
class VectorsTest {
    static final List<String> NAMES = Vocabularies.WITH_VECTORS;

    @TempDir Path directory;

    @ParameterizedTest @FieldSource("NAMES")
    void ggufGivesTheExpectedIds(String name) {
        try (var tokenizer = Tokenizers.fromGguf(Vocabularies.metadata(name))) { assertVectors(name, tokenizer); }
    }

    @ParameterizedTest @FieldSource("NAMES")
    void theConvertedJsonGivesTheSameIds(String name) throws IOException {
        var file = Files.writeString(directory.resolve("tokenizer.json"), Tokenizers.toJson(Vocabularies.metadata(name)));
        try (var tokenizer = Tokenizers.fromJson(file)) { assertVectors(name, tokenizer); }
    }

    @ParameterizedTest @FieldSource("NAMES")
    void ggufToJsonAndBackGivesTheSameIds(String name) throws IOException {
        Files.writeString(directory.resolve("tokenizer.json"), Tokenizers.toJson(Vocabularies.metadata(name)));
        try (var tokenizer = Tokenizers.fromGguf(new Metadata("again", Tokenizers.toGguf(directory)))) { assertVectors(name, tokenizer); }
    }

    private static void assertVectors(String name, Tokenizer tokenizer) {
        var texts = Vocabularies.texts(name);
        var expected = Vocabularies.ids(name);
        assertEquals(expected.size(), texts.size());
        assertTrue(texts.size() >= 46);
        for (int i = 0; i < texts.size(); i++) assertArrayEquals(expected.get(i), tokenizer.encode(texts.get(i), false), "case " + i + ": " + texts.get(i));
    }
}
