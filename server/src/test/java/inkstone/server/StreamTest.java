package inkstone.server;

import static inkstone.server.RunningServer.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.transformer.ConstraintException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;

/** What goes over the wire while an answer is written, frame by frame, and what happens when the other side does not play along. */
class StreamTest {
    private static final String ASK = "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true";

    @Test void aChatIsStreamedByTheRules() throws Exception {
        try (var server = RunningServer.start(FakeScheduler.free())) {
            var reply = server.chat(ASK + ",\"stream_options\":{\"include_usage\":true}}");
            assertEquals(200, reply.status());
            assertEquals("text/event-stream;charset=utf-8", reply.headers().get("Content-Type"));
            assertEquals("no-cache", reply.headers().get("Cache-Control"));
            assertNull(reply.headers().get("Content-Encoding"));
            var events = reply.events();
            assertEquals(8, events.size(), () -> "opening, four pieces, finish, usage, done: " + events);
            assertEquals("[DONE]", events.getLast());
            var id = Wire.json(events.getFirst()).path("id").stringValue();
            var text = new StringBuilder();
            for (int i = 0; i < 6; i++) {
                var chunk = Wire.json(events.get(i));
                assertEquals(id, chunk.path("id").stringValue());
                assertEquals("chat.completion.chunk", chunk.path("object").stringValue());
                assertEquals(FakeModel.NAME, chunk.path("model").stringValue());
                var choice = chunk.path("choices").get(0);
                assertEquals(0, choice.path("index").intValue());
                assertTrue(choice.has("finish_reason"), "every chunk carries finish_reason");
                if (i < 5) assertTrue(choice.get("finish_reason").isNull(), "null until the last");
                if (i == 0) assertEquals("assistant", choice.path("delta").path("role").stringValue());
                text.append(choice.path("delta").path("content").asString(""));
            }
            assertEquals("Hello \"world\"\n\ndata: 🐈", text.toString());
            var finish = Wire.json(events.get(5));
            assertTrue(finish.path("choices").get(0).path("delta").isEmpty(), "the finish chunk has an empty delta");
            assertEquals("stop", finish.path("choices").get(0).path("finish_reason").stringValue());
            var timings = finish.path("timings");
            assertEquals(8, timings.path("prompt_n").intValue(), "\"user: hi\\n\" has nine letters, one of them cached");
            assertEquals(1, timings.path("cache_n").intValue());
            assertEquals(2.0, timings.path("prompt_ms").doubleValue());
            assertEquals(4_000.0, timings.path("prompt_per_second").doubleValue());
            assertEquals(4, timings.path("predicted_n").intValue());
            assertEquals(1_000.0, timings.path("predicted_per_second").doubleValue());
            var usage = Wire.json(events.get(6));
            assertTrue(usage.path("choices").isArray() && usage.path("choices").isEmpty());
            assertEquals(9, usage.path("usage").path("prompt_tokens").intValue());
            assertEquals(4, usage.path("usage").path("completion_tokens").intValue());
            assertEquals(13, usage.path("usage").path("total_tokens").intValue());
            assertEquals(1, usage.path("usage").path("prompt_tokens_details").path("cached_tokens").intValue());
        }
    }

    @Test void usageComesOnlyWhereItIsAskedFor() throws Exception {
        try (var server = RunningServer.start(FakeScheduler.free())) {
            assertFalse(server.chat(ASK + "}").body().contains("\"usage\""));
        }
    }

    @Test void severalAnswersShareOneStream() throws Exception {
        try (var server = RunningServer.start(FakeScheduler.free())) {
            var texts = List.of(new StringBuilder(), new StringBuilder(), new StringBuilder());
            int finished = 0;
            for (var event : server.chat(ASK + ",\"n\":3,\"seed\":5}").events()) {
                if (event.equals("[DONE]")) continue;
                var choice = Wire.json(event).path("choices").get(0);
                texts.get(choice.path("index").intValue()).append(choice.path("delta").path("content").asString(""));
                if (!choice.path("finish_reason").isNull()) finished++;
            }
            assertEquals(3, finished);
            for (var text : texts) assertEquals("Hello \"world\"\n\ndata: 🐈", text.toString());
            assertEquals(List.of(5L, 6L, 7L), server.scheduler().requests.stream().map(request -> request.sampling().seed()).toList());
        }
    }

    @Test void completionsStreamTextAndEcho() throws Exception {
        try (var server = RunningServer.start(FakeScheduler.free())) {
            var events = Wire.post(server.port(), "/v1/completions", "{\"prompt\":\"Once\",\"echo\":true,\"stream\":true,\"max_tokens\":2}").events();
            assertEquals(5, events.size(), () -> "echo, two pieces, finish, done: " + events);
            assertEquals("Once", Wire.json(events.getFirst()).path("choices").get(0).path("text").stringValue());
            var finish = Wire.json(events.get(3));
            assertEquals("text_completion", finish.path("object").stringValue());
            assertEquals("", finish.path("choices").get(0).path("text").stringValue());
            assertEquals("length", finish.path("choices").get(0).path("finish_reason").stringValue());
        }
    }

    @Test void logprobsComeWithTheirText() throws Exception {
        try (var server = RunningServer.start(FakeScheduler.free())) {
            var chat = server.chat(ASK + ",\"logprobs\":true,\"top_logprobs\":1}").events();
            var second = Wire.json(chat.get(2)).path("choices").get(0);
            assertEquals("lo", second.path("delta").path("content").stringValue());
            assertEquals(List.of("l", "o"), second.path("logprobs").path("content").valueStream().map(token -> token.path("token").stringValue()).toList());
            assertEquals("b", second.path("logprobs").path("content").get(0).path("top_logprobs").get(0).path("token").stringValue());
            for (int i : new int[] {0, 5}) assertTrue(Wire.json(chat.get(i)).path("choices").get(0).get("logprobs").isNull(), "opening and finish have no text");
            var completion = Wire.post(server.port(), "/v1/completions", "{\"prompt\":\"Once\",\"stream\":true,\"logprobs\":0}").events();
            var told = Wire.json(completion.get(1)).path("choices").get(0).path("logprobs");
            assertEquals("{\"tokens\":[\"l\",\"o\"],\"token_logprobs\":[-0.5,-0.5],\"top_logprobs\":[{\"l\":-0.5},{\"o\":-0.5}],\"text_offset\":[3,4]}", told.toString());
        }
    }

    @Test void aFailureAfterTheStartIsAnErrorEventAndTheEnd() throws Exception {
        var scheduler = FakeScheduler.free();
        scheduler.failure = new IllegalStateException("secret address 0x7f");
        Logger.getLogger(Errors.class.getName()).setFilter(entry -> !entry.getMessage().equals("a request failed"));
        try (var server = RunningServer.start(scheduler)) {
            var reply = server.chat(ASK + "}");
            assertEquals(200, reply.status());
            var error = Wire.json(reply.events().getLast()).path("error");
            assertEquals("server_error", error.path("type").stringValue());
            assertFalse(reply.body().contains("secret"));
            assertFalse(reply.body().contains("[DONE]"));
        }
    }

    @Test void anAnswerThatCannotKeepToItsGrammarSaysWhy() throws Exception {
        var scheduler = FakeScheduler.free();
        scheduler.failure = new ConstraintException("no token for what comes next");
        try (var server = RunningServer.start(scheduler)) {
            var reply = server.chat(ASK.replace("true", "false") + "}");
            assertEquals(400, reply.status());
            assertEquals("no token for what comes next", reply.error().path("message").stringValue());
            assertEquals(reply.json().toString(), Wire.json(server.chat(ASK + "}").events().getLast()).toString());
        }
    }

    @Test void silenceIsFilledWithComments() throws Exception {
        try (var server = RunningServer.start(new FakeScheduler()); var wire = new Wire(server.port())) {
            wire.write("POST", "/v1/chat/completions", ASK + "}");
            wire.readUntil(": ping\n\n");
            assertEquals(1, Wire.get(server.port(), "/api/studio").json().path("queue").path("waiting").intValue());
            server.scheduler().permits.release(100);
            wire.readUntil("[DONE]");
        }
    }

    @Test void aStreamWhoseReaderLeftStopsAtItsNextStep() throws Exception {
        var scheduler = new FakeScheduler();
        scheduler.endless = true;
        try (var server = RunningServer.start(scheduler)) {
            try (var wire = new Wire(server.port())) {
                wire.write("POST", "/v1/chat/completions", ASK + "}");
                scheduler.permits.release(3);
                wire.readUntil("world");
            }
            int steps = scheduler.tickets.getFirst().steps;
            scheduler.permits.release();
            await("cancel", () -> scheduler.tickets.getFirst().cancelled);
            assertTrue(scheduler.tickets.getFirst().steps <= steps + 1, "at most the step under way");
            await("an empty house", () -> queueIsEmpty(server));
        }
    }

    @Test void aReaderWhoLeavesDuringThePromptIsNoticed() throws Exception {
        for (var stream : List.of("true", "false")) {
            try (var server = RunningServer.start(new FakeScheduler())) {
                try (var wire = new Wire(server.port())) {
                    wire.write("POST", "/v1/chat/completions", ASK.replace("true", stream) + "}");
                    await("submission", () -> !server.scheduler().tickets.isEmpty());
                }
                await("cancel with stream " + stream, () -> server.scheduler().tickets.getFirst().cancelled);
                assertEquals(0, server.scheduler().tickets.getFirst().steps);
            }
        }
    }

    @Test void aReaderWhoDoesNotReadNeverHoldsTheSchedulerUp() throws Exception {
        var scheduler = FakeScheduler.free();
        scheduler.endless = true;
        scheduler.pieces = List.of("x".repeat(1_000_000));                             // more than the sockets' own buffers take
        var limits = Limits.DEFAULT.withUnreadPieces(30).withTimes(Duration.ofSeconds(1), Duration.ofSeconds(1));
        try (var server = RunningServer.start(scheduler, null, limits); var wire = new Wire(server.port())) {
            wire.write("POST", "/v1/chat/completions", ASK + ",\"max_tokens\":1000000}");
            await("failed for want of a reader", () -> !scheduler.tickets.isEmpty() && scheduler.tickets.getFirst().result.isCompletedExceptionally());
            Thread.sleep(2_500);
            assertFalse(wire.rest().contains("reader_too_slow"), "the connection was cut long before this reader came back");
        }
    }

    @Test void aReaderWhoComesBackInTimeLearnsWhy() throws Exception {
        var scheduler = FakeScheduler.free();
        scheduler.endless = true;
        scheduler.pieces = List.of("x".repeat(10_000));
        try (var server = RunningServer.start(scheduler, null, Limits.DEFAULT.withUnreadPieces(50)); var wire = new Wire(server.port())) {
            wire.write("POST", "/v1/chat/completions", ASK + ",\"max_tokens\":1000000}");
            await("failed for want of a reader", () -> !scheduler.tickets.isEmpty() && scheduler.tickets.getFirst().result.isCompletedExceptionally());
            assertTrue(wire.rest().contains("reader_too_slow"));
        }
    }

    @Test void anAnswerOutlastsTheIdleTimeout() throws Exception {
        var limits = Limits.DEFAULT.withTimes(Duration.ofMillis(400), Duration.ofSeconds(1));
        for (var stream : List.of("true", "false")) {
            try (var server = RunningServer.start(new FakeScheduler(), null, limits); var wire = new Wire(server.port())) {
                wire.write("POST", "/v1/chat/completions", ASK.replace("true", stream) + "}");
                Thread.sleep(1_200);
                server.scheduler().permits.release(100);
                assertTrue(wire.readUntil("\"stop\"").contains("world"));
            }
        }
    }

    @Test void aSecondRequestSentTooEarlyDoesNoHarm() throws Exception {
        try (var server = RunningServer.start(new FakeScheduler()); var wire = new Wire(server.port())) {
            wire.write("POST", "/v1/chat/completions", ASK + "}", "Connection", "keep-alive");
            await("submission", () -> !server.scheduler().tickets.isEmpty());
            wire.write("GET", "/health", null);
            Thread.sleep(500);
            server.scheduler().permits.release(100);
            assertTrue(wire.readUntil("[DONE]").contains("world"));
            assertFalse(wire.rest().contains("HTTP/1.1"), "the connection ends instead of answering half a request");
        }
    }

    @Test void stoppingLetsAnswersEndRefusesNewOnesAndCutsTheRest() throws Exception {
        var limits = Limits.DEFAULT.withTimes(Duration.ofSeconds(30), Duration.ofMillis(1_500));
        try (var server = RunningServer.start(new FakeScheduler(), null, limits); var quick = new Wire(server.port()); var endless = new Wire(server.port())) {
            server.scheduler().endless = true;
            quick.write("POST", "/v1/chat/completions", ASK + ",\"max_tokens\":2}");
            endless.write("POST", "/v1/chat/completions", ASK + "}");
            await("both under way", () -> server.scheduler().tickets.size() == 2);
            var stop = Thread.ofVirtual().start(server.server()::close);
            await("health says so", () -> status(server, "/health") == 503);
            var refused = server.chat(ASK + "}");
            assertEquals(503, refused.status());
            assertEquals("stopping", refused.error().path("code").stringValue());
            assertTrue(refused.headers().containsKey("Retry-After"));
            server.scheduler().permits.release(50);
            assertTrue(quick.readUntil("[DONE]").contains("\"finish_reason\":\"length\""));
            assertTrue(endless.readUntil("[DONE]").contains("\"finish_reason\":\"length\""));
            stop.join();
        }
    }

    private static int status(RunningServer server, String path) {
        try {
            return Wire.get(server.port(), path).status();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean queueIsEmpty(RunningServer server) {
        try {
            var queue = Wire.get(server.port(), "/api/studio").json().path("queue");
            return queue.path("active").intValue() + queue.path("waiting").intValue() == 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
