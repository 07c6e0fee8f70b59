package inkstone.server.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import inkstone.transformer.EmbeddedModel;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Exit codes and the one line that failures get. */
class InkstoneTest {
    @TempDir private Path folder;

    private record Ended(int code, String out, String err) {}

    private static Ended run(String... arguments) {
        var out = new StringWriter();
        var err = new StringWriter();
        int code = Inkstone.run(new PrintWriter(out, true), new PrintWriter(err, true), arguments);
        return new Ended(code, out.toString(), err.toString());
    }

    private static void assertOneLine(int code, String part, Ended ended) {
        assertEquals(code, ended.code, ended.err);
        assertEquals(1, ended.err.lines().count(), ended.err);
        assertTrue(ended.err.startsWith("inkstone: ") && ended.err.contains(part), ended.err);
    }

    @Test void withoutACommandItServes() {
        assertOneLine(2, "port", run("--port", "70000"));
        assertOneLine(2, "port", run("--debug", "serve", "--port", "70000"));
    }

    @ParameterizedTest @ValueSource(strings = {"", "serve", "chat -p hi", "chat -m ink -p hi", "tokenize -p hi", "perplexity -f x.txt"})
    void aBuildWithoutTheEmbeddedModelSaysThatOneIsNeeded(String line) {
        assumeFalse(EmbeddedModel.present(), "skipped: this build has its embedded model");
        assertOneLine(2, "-m MODEL", run(line.isEmpty() ? new String[0] : line.split(" ")));
    }

    @Test void withoutAModelTheEmbeddedOneAnswers() {
        assumeTrue(EmbeddedModel.present(), "skipped: this build comes without its embedded model");
        var home = System.setProperty("user.home", folder.toString());
        try {
            assertTrue(run("chat", "-p", "Who are you?", "--temperature", "0").out.contains(EmbeddedModel.NAME));
            assertEquals(run("tokenize", "-p", "hi"), run("tokenize", "-m", "ink", "-p", "hi"));
            assertOneLine(1, "x.txt does not exist", run("perplexity", "-f", "x.txt"));
        } finally {
            System.setProperty("user.home", home);
        }
    }

    @ParameterizedTest @ValueSource(strings = {"", "serve", "chat", "tokenize", "embed", "logits", "perplexity", "bench", "convert", "quantize", "imatrix", "train", "data", "finetune"})
    void everyCommandHasHelp(String command) {
        var ended = command.isEmpty() ? run("--help") : run(command, "--help");
        assertEquals(0, ended.code, ended.err);
        assertTrue(ended.out.startsWith("Usage: inkstone" + (command.isEmpty() ? "" : " " + command)), ended.out);
    }

    @Test void wrongUsageIsTwo() {
        assertOneLine(2, "paint", run("paint"));
        assertOneLine(2, "--nonsense", run("chat", "--nonsense"));
        assertOneLine(2, "not an int", run("chat", "-n", "many"));
        assertOneLine(2, "top_p", run("chat", "-m", "x.gguf", "--top-p", "7"));
        assertOneLine(2, "--system", run("chat", "-m", "x.gguf", "--raw", "--system", "be kind"));
        assertOneLine(2, "--gpu counts", run("chat", "-m", "x.gguf", "--gpu", "-1"));
        assertOneLine(2, "--gpu belongs", run("chat", "-m", "x.gguf", "--device", "cpu", "--gpu", "0"));
        assertOneLine(2, "--gpu-layers", run("chat", "-m", "x.gguf", "--device", "cpu", "--gpu-layers", "3"));
        assertOneLine(2, "--threads", run("chat", "-m", "x.gguf", "--threads", "0"));
        assertOneLine(2, "tokens", run("logits", "-m", "x.gguf", "-o", "y"));
        assertOneLine(2, "--api-key", run("serve", "-m", "x.gguf", "--host", "0.0.0.0"));
        assertOneLine(2, "no.such.host.invalid", run("serve", "-m", "x.gguf", "--host", "no.such.host.invalid"));
        assertOneLine(2, "port", run("serve", "-m", "x.gguf", "--port", "70000"));
        assertOneLine(2, "-n", run("bench", "-m", "x.gguf", "-n", "1"));
        assertOneLine(2, "--lookup", run("chat", "-m", "x.gguf", "--lookup", "65"));
        assertOneLine(2, "--draft-model", run("chat", "-m", "x.gguf", "--draft", "4"));
        assertOneLine(2, "--draft must", run("bench", "-m", "x.gguf", "--draft-model", "y.gguf", "--draft", "0"));
        assertOneLine(2, "exclude", run("serve", "-m", "x.gguf", "--draft-model", "y.gguf", "--lookup", "4"));
        assertOneLine(2, "--parallel", run("serve", "-m", "x.gguf", "--parallel", "0"));
        assertOneLine(2, "--batch", run("bench", "-m", "x.gguf", "--batch", "1,0"));
        assertOneLine(2, "--depth", run("bench", "-m", "x.gguf", "--depth", "-1"));
        assertOneLine(2, "--file", run("perplexity", "-m", "x.gguf"));
        assertOneLine(2, "tokenizer", run("train"));
        assertOneLine(2, "--vocab", run("train", "tokenizer", "-o", "x.json", "y.txt"));
        assertOneLine(2, "exclude", run("train", "tokenizer", "--characters", "--vocab", "300", "-o", "x.json", "y.txt"));
        assertOneLine(2, "257", run("train", "tokenizer", "--vocab", "100", "-o", "x.json", "y.txt"));
        assertOneLine(2, "</s>", run("train", "tokenizer", "--vocab", "300", "--eos", "</s>", "-o", "x.json", "y.txt"));
        assertOneLine(2, "--model", run("data", "x.jsonl"));
        assertOneLine(2, "no data format yaml; there are chat sharegpt", run("data", "-m", "x.gguf", "x.jsonl", "--format", "yaml"));
        assertOneLine(2, "--data", run("finetune", "-m", "x.gguf", "-o", "y"));
        assertOneLine(2, "x.gguf does not exist", run("finetune", "-m", "x.gguf", "--data", "x.jsonl", "-o", "y"));
        var here = folder.toString();
        assertOneLine(2, "x.jsonl does not exist", run("finetune", "-m", here, "--data", "x.jsonl", "-o", "y"));
        assertOneLine(2, "--method: no ppo; there are [lora, dora, full, dpo", run("finetune", "-m", here, "--data", here, "-o", "y", "--method", "ppo"));
        assertOneLine(2, "--beta belongs to --method dpo", run("finetune", "-m", here, "--data", here, "-o", "y", "--beta", "0.2"));
        assertOneLine(2, "beta: expected above 0", run("finetune", "-m", here, "--data", here, "-o", "y", "--method", "dpo", "--beta", "0"));
        assertOneLine(2, "rank: expected 1 to 1024", run("finetune", "-m", here, "--data", here, "-o", "y", "--rank", "0"));
        assertOneLine(2, "dropout", run("finetune", "-m", here, "--data", here, "-o", "y", "--dropout", "1"));
        assertOneLine(2, "--threads", run("finetune", "-m", here, "--data", here, "-o", "y", "--threads", "0"));
        assertOneLine(2, "validation share", run("data", "-m", "x.gguf", "x.jsonl", "--validation", "1.5"));
    }

    @Test void failuresAreOneAndOneLine() throws Exception {
        var text = Files.writeString(folder.resolve("text.gguf"), "not a model");
        assertOneLine(1, "does not exist", run("chat", "-m", folder.resolve("nothing.gguf").toString(), "-p", "hi"));
        assertOneLine(1, "not a GGUF file", run("chat", "-m", text.toString(), "-p", "hi"));
        assertOneLine(1, "not a GGUF file", run("tokenize", "-m", text.toString(), "-p", "hi"));
        assertOneLine(1, "config.json", run("serve", "-m", folder.toString()));
        assertOneLine(1, "nowhere does not exist", run("logits", "-m", "x.gguf", "-p", "hi", "-o", folder.resolve("nowhere/logits.f32").toString()));
        assertOneLine(2, "no type Q7_K; there are F32 F16", run("quantize", "x.gguf", "y.gguf", "Q7_K"));
        assertOneLine(2, "Q2_K_S or Q3_K_S take about as many bits", run("quantize", "x.gguf", "y.gguf", "iq2_xxs"));
        assertOneLine(2, "--tensor-type: no format q9; there are f32 f16", run("quantize", "x.gguf", "y.gguf", "Q4_0", "--tensor-type", "attn_v=q9"));
        assertOneLine(2, "--tensor-type should be NAME=FORMAT, got attn_v", run("quantize", "x.gguf", "y.gguf", "Q4_0", "--tensor-type", "attn_v"));
        assertOneLine(1, "absent.gguf does not exist", run("quantize", "x.gguf", folder.resolve("y.gguf").toString(), "Q4_0", "--imatrix", "absent.gguf"));
        assertOneLine(1, "nowhere does not exist", run("convert", "x.gguf", folder.resolve("nowhere/y.gguf").toString(), "--type", "f16"));
        assertOneLine(1, "text.txt does not exist", run("perplexity", "-m", text.toString(), "-f", folder.resolve("text.txt").toString()));
        assertEquals("x does not exist", Inkstone.told(new NoSuchFileException("x")));
    }

    @Test void aTokenizerIsTrained() throws Exception {
        var text = Files.writeString(folder.resolve("text.txt"), "the cat and the hat and the bat\n".repeat(3));
        var json = folder.resolve("tokenizer.json");
        var trained = run("train", "tokenizer", "--vocab", "270", "--special", "<|endoftext|>,<|im_end|>", "-o", json.toString(), text.toString());
        assertEquals(0, trained.code, trained.err);
        assertTrue(trained.out.contains("tokenizer_config.json: 270 tokens (12 merges, 2 special)"), trained.out);
        assertTrue(run("tokenize", "-m", folder.toString(), "-p", "the<|im_end|>").out.endsWith("269\t<|im_end|>\n"));
        assertOneLine(1, "exists already", run("train", "tokenizer", "--vocab", "270", "-o", json.toString(), text.toString()));
        var characters = folder.resolve("characters.json");
        var made = run("train", "tokenizer", "--characters", "-o", characters.toString(), text.toString());
        assertTrue(made.out.contains("10 tokens"), made.out);
        assertOneLine(1, "absent.txt does not exist", run("train", "tokenizer", "--characters", "-o", folder.resolve("x.json").toString(), "absent.txt"));
    }

    @Test void aStackTraceComesOnlyWhenAskedFor() throws Exception {
        var text = Files.writeString(folder.resolve("text.gguf"), "not a model");
        assertFalse(run("chat", "-m", text.toString(), "-p", "hi").err.contains("\tat "));
        assertTrue(run("chat", "-m", text.toString(), "-p", "hi", "--debug").err.contains("\tat "));
    }
}
