package inkstone.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What embeddings requests may say, what becomes of it, and the error for everything else. The fake's vectors are {tokens, first token, pooling + 0.1}. */
class EmbeddingsTest {
    private static RunningServer server;

    @BeforeAll static void start() throws IOException { server = RunningServer.start(FakeScheduler.free()); }
    @AfterAll static void stop() { server.close(); }

    private static Wire.Reply embed(String body) throws IOException { return Wire.post(server.port(), "/v1/embeddings", body); }
    private static String vectors(String body) throws IOException {
        return String.join(" ", embed(body).json().path("data").valueStream().map(entry -> entry.path("embedding").toString()).toList());
    }

    @Test void aTextBecomesAVector() throws Exception {
        var reply = embed("{\"model\":\"fake-1\",\"input\":\"abc\",\"user\":\"me\"}");
        assertEquals(200, reply.status());
        assertEquals("""
            {"object":"list","data":[{"object":"embedding","index":0,"embedding":[3.0,97.0,0.1]}],"model":"fake-1",\
            "usage":{"prompt_tokens":3,"total_tokens":3}}""", reply.body());
    }

    @Test void textsAndTokensComeAloneOrTogether() throws Exception {
        assertEquals("[1.0,98.0,0.1] [2.0,97.0,0.1]", vectors("{\"input\":[\"b\",\"ab\"]}"));
        assertEquals("[2.0,98.0,0.1]", vectors("{\"input\":[98,97]}"));
        assertEquals("[2.0,98.0,0.1] [1.0,99.0,0.1]", vectors("{\"input\":[[98,97],\"c\"]}"));
        var several = embed("{\"input\":[\"b\",\"ab\"]}").json();
        assertEquals(1, several.path("data").get(1).path("index").intValue());
        assertEquals(3, several.path("usage").path("total_tokens").intValue());
    }

    @Test void poolingAndWidthMayBeNamed() throws Exception {
        assertEquals("[1.0,98.0,1.1]", vectors("{\"input\":\"b\",\"pooling\":\"last\",\"dimensions\":3}"));
        double length = Math.sqrt(1 + 98 * 98);
        assertEquals("[%s,%s]".formatted((float) (1 / length), (float) (98 / length)), vectors("{\"input\":\"b\",\"dimensions\":2}"), "cut, and of length 1 again");
        assertEquals("[1.0,98.0,2.1]", vectors("{\"input\":\"b\",\"pooling\":\"cls\"}"));
    }

    @Test void base64IsLittleEndianFloats() throws Exception {
        byte[] bytes = Base64.getDecoder().decode(embed("{\"input\":\"b\",\"encoding_format\":\"base64\"}").json().path("data").get(0).path("embedding").stringValue());
        var vector = new float[3];
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(vector);
        assertArrayEquals(new float[] {1, 98, 0.1f}, vector);
    }

    @ParameterizedTest @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "input | {}", "input | {\"input\":null}", "input | {\"input\":7}", "input | {\"input\":\"\"}", "input | {\"input\":[]}", "input[1] | {\"input\":[\"a\",\"\"]}",
        "input[0] | {\"input\":[[]]}", "input[1] | {\"input\":[1,-1]}", "input[0] | {\"input\":[65536]}", "input[1] | {\"input\":[1,\"a\"]}", "input[0] | {\"input\":[{}]}",
        "input[1] | {\"input\":[\"a\",5]}", "input | {\"input\":\"\\ud83d\"}", "dimensions | {\"input\":\"a\",\"dimensions\":4}", "dimensions | {\"input\":\"a\",\"dimensions\":0}",
        "encoding_format | {\"input\":\"a\",\"encoding_format\":\"int8\"}", "encoding_format | {\"input\":\"a\",\"encoding_format\":1}",
        "pooling | {\"input\":\"a\",\"pooling\":\"max\"}"})
    void aWrongFieldIsRefusedByPlace(String place, String body) throws Exception {
        var reply = embed(body);
        assertEquals(400, reply.status(), reply.body());
        assertEquals("invalid_request_error", reply.error().path("type").stringValue());
        assertTrue(reply.error().path("message").stringValue().contains(place), reply.body());
    }

    @Test void sizesAreBounded() throws Exception {
        assertEquals(200, embed("{\"input\":[" + "\"a\",".repeat(511) + "\"a\"]}").status());
        assertEquals(400, embed("{\"input\":[" + "\"a\",".repeat(512) + "\"a\"]}").status());
        var tooLong = embed("{\"input\":[\"a\",\"" + "x".repeat(FakeModel.CONTEXT + 1) + "\"]}");
        assertEquals(400, tooLong.status());
        assertEquals("context_length_exceeded", tooLong.error().path("code").stringValue());
        assertEquals("input[1]", tooLong.error().path("param").stringValue());
        assertEquals(404, embed("{\"model\":\"gpt-4\",\"input\":\"a\"}").status());
    }

    @Test void aModelThatMakesVectorsOnlySaysSoWhereItIsAskedToWrite() throws Exception {
        var embedder = FakeModel.embedder();
        var backend = embedder.backend();
        try (backend; embedder; var server = StudioServer.start(new ServerSettings("127.0.0.1", 0, null, Limits.DEFAULT),
                new Served(embedder, FakeScheduler.free(), FakeModel.CONTEXT, null, 1))) {
            for (var path : new String[] {"/v1/chat/completions", "/v1/completions"}) {
                var refused = Wire.post(server.port(), path, "{\"prompt\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}");
                assertEquals(400, refused.status());
                assertEquals("fake-1 makes vectors of texts (POST /v1/embeddings) and cannot write; start Inkstone with a language model to chat",
                    refused.error().path("message").stringValue());
            }
            assertEquals(2.1, Wire.post(server.port(), "/v1/embeddings", "{\"input\":\"b\"}").json().path("data").get(0).path("embedding").get(2).doubleValue(), 1e-6,
                "pooled as the file says");
            assertEquals("fake-1", Wire.get(server.port(), "/v1/models").json().path("data").get(0).path("id").stringValue());
            var studio = Wire.get(server.port(), "/api/studio").json();
            assertEquals("embedding cls 3 false", "%s %s %d %s".formatted(studio.path("model").path("kind").stringValue(), studio.path("model").path("pooling").stringValue(),
                studio.path("model").path("dimensions").intValue(), studio.has("kvCache")));
        }
    }

    @Test void whoeverHangsUpTakesTheTextsBackAndOthersAreToldToWait() throws Exception {
        var scheduler = new FakeScheduler();
        scheduler.queue = 1;
        try (var busy = RunningServer.start(scheduler)) {
            var first = new Wire(busy.port());
            first.write("POST", "/v1/embeddings", "{\"input\":[\"a\",\"b\"]}");
            RunningServer.await("first request", () -> scheduler.vectors.size() == 1);
            var refused = Wire.post(busy.port(), "/v1/embeddings", "{\"input\":\"a\"}");
            assertEquals(429, refused.status());
            assertTrue(refused.headers().containsKey("Retry-After"));
            first.close();
            RunningServer.await("cancel", () -> scheduler.vectors.getFirst().isCancelled());
            scheduler.permits.release();
            assertEquals(200, Wire.post(busy.port(), "/v1/embeddings", "{\"input\":\"a\"}").status());
        }
    }
}
