package inkstone.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.TinyModel;
import inkstone.server.cli.Inkstone;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The commands on a whole model. */
class CommandLineTest {
    @TempDir private static Path folder;
    private static String model;

    @BeforeAll static void write() throws IOException { model = TinyModel.write(folder).toString(); }

    private record Ended(int code, String out, String err) {
        JsonNode json() { return JsonMapper.shared().readTree(out); }
    }

    private static Ended run(String... arguments) {
        var out = new StringWriter();
        var err = new StringWriter();
        int code = Inkstone.run(new PrintWriter(out, true), new PrintWriter(err, true), arguments);
        return new Ended(code, out.toString(), err.toString());
    }

    @Test void chatAnswersOnceAndPrintsNothingElse() {
        var answer = run("chat", "-m", model, "-p", "What is ink?", "-n", "3", "-t", "1");
        assertEquals(0, answer.code, answer.err);
        assertEquals("Ink is **soot**", answer.out.strip());
        assertTrue(answer.err.contains("answer: 3 tokens"), answer.err);
    }

    @Test void guessesChangeNothingButTheSpeedAndAreCounted() {
        var plain = run("chat", "-m", model, "-p", "What is ink?", "-n", "80", "-t", "1");
        for (var guessing : new String[][] {{"--lookup", "6"}, {"--draft-model", model, "--draft", "6"}}) {
            var answer = run("chat", "-m", model, "-p", "What is ink?", "-n", "80", "-t", "1", guessing[0], guessing[1]);
            assertEquals(plain.out, answer.out, answer.err);
            assertTrue(answer.err.contains("guesses right (100%)"), answer.err);
            var bench = run("bench", "-m", model, "-p", "8", "-n", "400", "-r", "1", "--batch", "2", "--json", guessing[0], guessing[1]);
            assertEquals(0, bench.code, bench.err);
            assertTrue(bench.json().path("guesses").path("right").isInt(), "how many pay depends on the machine: " + bench.out);
            assertEquals(guessing[0].equals("--lookup") ? "lookup" : "tiny", bench.json().path("guesses").path("by").stringValue());
        }
    }

    @Test void tokensArePrintedByLineAndAsJson() {
        assertEquals("72\tH\n105\ti\n283\t<|im_start|>\n", run("tokenize", "-m", model, "-p", "Hi<|im_start|>").out.replace("\r", ""));
        var json = run("tokenize", "-m", model, "-p", "Hi", "--json").json();
        assertEquals("[72,105]", json.path("tokens").toString());
        assertEquals("[\"H\",\"i\"]", json.path("pieces").toString());
    }

    @Test void logitsAreRowsOfFloats() throws IOException {
        var tokens = Files.writeString(folder.resolve("tokens.txt"), "72, 105\n256");
        var out = folder.resolve("logits.f32");
        assertEquals(0, run("logits", "-m", model, "--tokens", tokens.toString(), "-o", out.toString()).code);
        var logits = ByteBuffer.wrap(Files.readAllBytes(out)).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        int vocabulary = logits.remaining() / 3, likeliest = 0;
        for (int token = 0; token < vocabulary; token++) if (logits.get(2 * vocabulary + token) > logits.get(2 * vocabulary + likeliest)) likeliest = token;
        assertEquals(257, likeliest, "after \"Ink\" comes \" is\"");
        assertEquals(2, run("logits", "-m", model, "--tokens", Files.writeString(tokens, "1 2 three").toString(), "-o", out.toString()).code);
        assertEquals(2, run("logits", "-m", model, "--tokens", Files.writeString(tokens, "1000000").toString(), "-o", out.toString()).code);
    }

    @Test void benchMeasures() {
        var bench = run("bench", "-m", model, "-p", "8", "-n", "8", "-r", "2", "--json");
        assertEquals(0, bench.code, bench.err);
        assertTrue(bench.json().path("generatedTokensPerSecond").path("median").doubleValue() > 0, bench.out);
        assertTrue(bench.json().path("promptTokensPerSecond").path("max").doubleValue() >= bench.json().path("promptTokensPerSecond").path("min").doubleValue());
    }

    @Test void aConvertedModelSaysTheSame() {
        var small = folder.resolve("tiny-q8_0.gguf").toString();
        var converted = run("convert", model, small, "--type", "q8_0");
        assertEquals(0, converted.code, converted.err);
        assertEquals("Ink is **soot**", run("chat", "-m", small, "-p", "What is ink?", "-n", "3").out.strip());
        assertEquals(1, run("convert", model, small, "--type", "q8_0").code, "an existing file is not overwritten");
        assertEquals(2, run("convert", model, small, "--type", "q9").code);
    }
}
