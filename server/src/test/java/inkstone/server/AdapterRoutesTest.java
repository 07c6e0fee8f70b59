package inkstone.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.transformer.CausalModel;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.adapters.Adapter;
import inkstone.transformer.adapters.AdapterData;
import inkstone.transformer.adapters.Adapters;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Adapters over HTTP: which variant of the model each request is given to. */
class AdapterRoutesTest {
    private static final FakeScheduler SCHEDULER = FakeScheduler.free();
    private static Adapters adapters;
    private static StudioServer server;

    @BeforeAll static void start() throws IOException {
        var model = FakeModel.create();
        adapters = new Adapters(model, List.of(use("one", model, 1), use("two", model, 0)));
        var served = new Served(model, SCHEDULER, FakeModel.CONTEXT, new Served.KvMemory("f16", 1, 1), 1, adapters, false, new AtomicReference<>());
        server = StudioServer.start(new ServerSettings("127.0.0.1", 0, null, Limits.DEFAULT), served);
    }

    private static Adapter.Use use(String name, LanguageModel model, float weight) {
        return new Adapter.Use(Adapter.of(new AdapterData(name, List.of()), Path.of(name), model), weight);
    }

    @AfterAll static void stop() {
        server.close();
        SCHEDULER.close();
    }

    private static Wire.Reply chat(String more) throws IOException {
        return Wire.post(server.port(), "/v1/chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]%s}".formatted(more));
    }

    private static CausalModel variantOf(Wire.Reply reply) {
        assertEquals(200, reply.status(), reply.body());
        return SCHEDULER.requests.getLast().variant();
    }

    @Test void requestsChooseTheirWeightsAndTheRestTakesThoseThatAreSet() throws IOException {
        var list = Wire.get(server.port(), "/lora-adapters").json();
        assertEquals("[{\"id\":0,\"name\":\"one\",\"scale\":1.0,\"rank\":0,\"parameters\":0},{\"id\":1,\"name\":\"two\",\"scale\":0.0,\"rank\":0,\"parameters\":0}]", list.toString());
        assertSame(adapters.variant(new float[] {1, 0}), variantOf(chat("")));
        assertSame(adapters.variant(new float[] {0, 0.5f}), variantOf(chat(",\"lora\":[{\"id\":1,\"scale\":0.5}]")));
        assertSame(adapters.variant(new float[] {0, 0}), variantOf(chat(",\"lora\":[]")));
        assertNotSame(adapters.variant(new float[] {0, 0}), variantOf(chat("")));
        assertSame(adapters.variant(new float[] {-1, 0}),
            variantOf(Wire.post(server.port(), "/v1/completions", "{\"prompt\":\"hi\",\"lora\":[{\"id\":0,\"scale\":-1}]}")));
        var set = Wire.post(server.port(), "/lora-adapters", "[{\"id\":1,\"scale\":0.25}]");
        assertEquals(0.25, set.json().get(1).path("scale").doubleValue());
        assertSame(adapters.variant(new float[] {0, 0.25f}), variantOf(chat("")));
        Wire.post(server.port(), "/lora-adapters", "[{\"id\":0,\"scale\":1}]");
    }

    private static void assertRefused(String message, Wire.Reply reply) {
        assertEquals(400, reply.status());
        assertTrue(reply.error().path("message").stringValue().contains(message), reply.body());
    }

    @Test void wrongWeightsAreRefused() throws IOException {
        assertRefused("lora[0].id must be a whole number from 0 to 1, got 2", chat(",\"lora\":[{\"id\":2,\"scale\":1}]"));
        assertRefused("lora[0].scale must be a number, got nothing", chat(",\"lora\":[{\"id\":1}]"));
        assertRefused("adapter 1 is named twice", chat(",\"lora\":[{\"id\":1,\"scale\":1},{\"id\":1,\"scale\":1}]"));
        assertRefused("lora must be an array", chat(",\"lora\":7"));
        assertRefused("the body must be a JSON array, got an object", Wire.post(server.port(), "/lora-adapters", "{}"));
        try (var without = RunningServer.start(FakeScheduler.free())) {
            assertEquals("[]", Wire.get(without.port(), "/lora-adapters").body());
            assertRefused("no adapters are loaded; start Inkstone with --lora FILE", Wire.post(without.port(), "/lora-adapters", "[]"));
            assertEquals(200, without.chat("{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}").status());
            assertNull(without.scheduler().requests.getLast().variant());
        }
    }
}
