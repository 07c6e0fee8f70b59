package inkstone.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

/** OpenAI's original encoder.json and vocab.bpe, and llama.cpp's conversion of them, are one tokenizer. */
class Gpt2FilesTest {
    @Test void theOriginalFilesGiveTheIdsOfTheGguf(@TempDir Path directory) throws IOException {
        var mapper = new JsonMapper();
        var root = mapper.createObjectNode();
        root.putArray("added_tokens").addObject().put("id", 50256).put("content", "<|endoftext|>").put("special", true);
        root.set("pre_tokenizer", Steps.byteLevel(true));
        root.set("decoder", Steps.byteLevel(true));
        var model = root.putObject("model").put("type", "BPE");
        model.set("vocab", mapper.readTree(Vocabularies.read("gpt2/encoder.json")));
        var merges = model.putArray("merges");
        Vocabularies.read("gpt2/vocab.bpe").lines().skip(1).filter(line -> !line.isBlank()).forEach(merges::add);
        Files.writeString(directory.resolve("tokenizer.json"), mapper.writeValueAsString(root));
        Files.writeString(directory.resolve("tokenizer_config.json"), "{\"bos_token\": {\"content\": \"<|endoftext|>\"}, \"eos_token\": \"<|endoftext|>\"}");

        try (var original = Tokenizers.fromJson(directory); var gguf = Tokenizers.fromGguf(Vocabularies.metadata("gpt-2"))) {
            assertEquals(gguf.vocabularySize(), original.vocabularySize());
            assertEquals(gguf.eos(), original.eos());
            assertEquals(gguf.bos(), original.bos());
            assertEquals(gguf.endOfGeneration(), original.endOfGeneration());
            for (int id = 0; id < gguf.vocabularySize(); id++) assertEquals(gguf.piece(id), original.piece(id));
            var random = new Random(11);
            for (int n = 0; n < 500; n++) {
                var text = Texts.random(random);
                assertArrayEquals(gguf.encode(text, true), original.encode(text, true), "seed 11, case " + n);
            }
        }
    }
}
