package inkstone.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.transformer.EmbeddedModel;
import inkstone.transformer.SamplerSettings;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What requests may say, what becomes of it, and the error for everything else. */
class RequestTest {
    private static RunningServer server;

    @BeforeAll static void start() throws IOException { server = RunningServer.start(FakeScheduler.free(), null, Limits.DEFAULT.withBodyBytes(100_000)); }
    @AfterAll static void stop() { server.close(); }

    private static final String MESSAGES = "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";

    private static Wire.Reply chat(String more) throws IOException { return server.chat("{" + MESSAGES + (more.isEmpty() ? "" : "," + more) + "}"); }
    private static Wire.Reply complete(String body) throws IOException { return Wire.post(server.port(), "/v1/completions", body); }
    private static String promptOfLast() {
        int[] prompt = server.scheduler().requests.getLast().prompt();
        return new String(prompt, 0, prompt.length);
    }

    @Test void aPlainChatIsOneDocument() throws Exception {
        var reply = chat("\"model\":\"fake-1\"");
        assertEquals(200, reply.status());
        assertEquals("application/json", reply.headers().get("Content-Type"));
        var answer = reply.json();
        assertTrue(answer.path("id").stringValue().startsWith("chatcmpl-"));
        assertEquals("chat.completion", answer.path("object").stringValue());
        assertEquals(1, answer.path("choices").size());
        var choice = answer.path("choices").get(0);
        assertEquals("assistant", choice.path("message").path("role").stringValue());
        assertEquals("Hello \"world\"\n\ndata: 🐈", choice.path("message").path("content").stringValue());
        assertEquals("stop", choice.path("finish_reason").stringValue());
        assertEquals(13, answer.path("usage").path("total_tokens").intValue());
        assertEquals(4, answer.path("timings").path("predicted_n").intValue());
        assertEquals(3, answer.path("usage").path("completion_tokens_details").path("accepted_prediction_tokens").intValue());
        assertEquals(2, answer.path("usage").path("completion_tokens_details").path("rejected_prediction_tokens").intValue());
        assertEquals(5, answer.path("timings").path("draft_n").intValue());
        assertEquals(3, answer.path("timings").path("draft_n_accepted").intValue());
    }

    @Test void usersAreToldApart() throws Exception {
        chat("\"user\":\"ann\"");
        chat("\"user\":\"ann\"");
        chat("\"safety_identifier\":\"ben\"");
        chat("\"max_tokens\":1");
        var all = server.scheduler().requests;
        var clients = all.subList(all.size() - 4, all.size()).stream().map(request -> request.client()).toList();
        assertEquals(clients.get(0), clients.get(1));
        assertEquals(3, clients.stream().distinct().count(), clients.toString());
    }

    @Test void severalAnswersCountTheirPromptOnce() throws Exception {
        var answer = chat("\"n\":3").json();
        assertEquals(3, answer.path("choices").size());
        assertEquals(2, answer.path("choices").get(2).path("index").intValue());
        assertEquals(9, answer.path("usage").path("prompt_tokens").intValue());
        assertEquals(12, answer.path("usage").path("completion_tokens").intValue());
    }

    @Test void everySamplingFieldArrives() throws Exception {
        assertEquals(200, chat("""
            "temperature":0.5,"top_k":7,"top_p":0.25,"min_p":0.125,"repeat_penalty":1.5,"presence_penalty":-1,"frequency_penalty":2,"repeat_last_n":9,
            "seed":-3,"stop":["a","\\n"],"max_tokens":5,"max_completion_tokens":3,"unknown_field":{"a":[1]}""").status());
        var request = server.scheduler().requests.getLast();
        assertEquals(new SamplerSettings(0.5f, 7, 0.25f, 0.125f, 1.5f, -1, 2, 9, -3), request.sampling());
        assertEquals(List.of("a", "\n"), request.stop());
        assertEquals(3, request.maxTokens());
    }

    @Test void biasArrives() throws Exception {
        assertEquals(200, chat("\"logit_bias\":{\"104\":-100,\"105\":2.5}").status());
        assertEquals(Map.of(104, -100f, 105, 2.5f), server.scheduler().requests.getLast().logitBias());
        assertEquals(-1, server.scheduler().requests.getLast().topLogprobs());
        var many = IntStream.range(0, 301).mapToObj("\"%d\":1"::formatted).collect(Collectors.joining(","));
        assertEquals(400, chat("\"logit_bias\":{" + many + "}").status());
    }

    @Test void grammarsAndSchemasArrive() throws Exception {
        assertEquals("{", allowedFirst("\"response_format\":{\"type\":\"json_object\"}"));
        assertEquals("{", allowedFirst("\"response_format\":{\"type\":\"json_object\",\"schema\":{\"type\":\"object\"}}"));
        assertEquals("t", allowedFirst("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"strict\":true,\"schema\":{\"const\":true}}}"));
        assertEquals("ft", allowedFirst("\"json_schema\":{\"type\":\"boolean\"}"));
        assertEquals("xyz", allowedFirst("\"grammar\":\"root ::= [x-z]+\""));
        for (var free : List.of("\"response_format\":{\"type\":\"text\"}", "\"grammar\":\"\"", "\"json_schema\":null")) {
            assertEquals(200, chat(free).status());
            assertNull(server.scheduler().requests.getLast().constraint());
        }
        var both = chat("\"grammar\":\"root ::= [x-z]+\",\"response_format\":{\"type\":\"json_object\"}");
        assertEquals(400, both.status());
        assertTrue(both.error().path("message").stringValue().contains("grammar"), both.body());
    }

    /** The letters that an answer may begin with. */
    private static String allowedFirst(String more) throws IOException {
        assertEquals(200, chat(more).status());
        var logits = new float[FakeModel.VOCABULARY];
        server.scheduler().requests.getLast().constraint().get().mask(logits, 0, logits.length);
        var letters = new StringBuilder();
        for (int token = 0; token < logits.length; token++) if (logits[token] == 0) letters.appendCodePoint(token);
        return letters.toString();
    }

    @Test void aChatTellsItsLogprobs() throws Exception {
        var choice = chat("\"logprobs\":true,\"top_logprobs\":3,\"max_tokens\":1").json().path("choices").get(0);
        assertEquals("Hel", choice.path("message").path("content").stringValue());
        var content = choice.path("logprobs").path("content");
        assertEquals("""
            {"token":"H","logprob":-0.5,"bytes":[72],"top_logprobs":[{"token":"b","logprob":-1.0,"bytes":[98]},{"token":"c","logprob":-2.0,"bytes":[99]},\
            {"token":"\\u0000","logprob":-9999.0,"bytes":null}]}""", content.get(0).toString());
        assertEquals(3, content.size());
        assertTrue(choice.path("logprobs").get("refusal").isNull());
        var plain = chat("\"logprobs\":true,\"max_tokens\":1").json().path("choices").get(0).path("logprobs").path("content");
        assertEquals("{\"token\":\"l\",\"logprob\":-0.5,\"bytes\":[108],\"top_logprobs\":[]}", plain.get(2).toString());
        assertTrue(chat("\"logprobs\":false,\"top_logprobs\":0").json().path("choices").get(0).get("logprobs").isNull());
    }

    @Test void aCompletionTellsItsLogprobs() throws Exception {
        var told = complete("{\"prompt\":\"Once\",\"logprobs\":2,\"max_tokens\":2}").json().path("choices").get(0).path("logprobs");
        assertEquals("[\"H\",\"e\",\"l\",\"l\",\"o\"]", told.path("tokens").toString());
        assertEquals("[-0.5,-0.5,-0.5,-0.5,-0.5]", told.path("token_logprobs").toString());
        assertEquals("{\"b\":-1.0,\"c\":-2.0,\"o\":-0.5}", told.path("top_logprobs").get(4).toString());
        assertEquals("[0,1,2,3,4]", told.path("text_offset").toString());
        assertTrue(complete("{\"prompt\":\"Once\"}").json().path("choices").get(0).get("logprobs").isNull());
    }

    @Test void whatIsAbsentOrNullTakesTheDefaultAndASeedIsDrawn() throws Exception {
        chat("\"temperature\":null,\"stop\":null,\"seed\":null,\"stream\":null,\"logit_bias\":null");
        var first = server.scheduler().requests.getLast();
        chat("");
        var second = server.scheduler().requests.getLast();
        assertEquals(SamplerSettings.DEFAULT, first.sampling().withSeed(SamplerSettings.DEFAULT.seed()));
        assertEquals(AnswerOptions.DEFAULT_MAX_TOKENS, first.maxTokens());
        assertFalse(first.sampling().seed() == second.sampling().seed(), "two seeds drawn alike are a wonder of 1 in 2^64");
    }

    @Test void theAssistantsLastWordsAreContinued() throws Exception {
        assertEquals(200, server.chat("{\"messages\":[{\"role\":\"user\",\"content\":\"count\"},{\"role\":\"assistant\",\"content\":\"one, two,\"}]}").status());
        assertEquals("user: count\none, two,", promptOfLast());
        assertEquals(200, server.chat("{\"messages\":[{\"role\":\"assistant\",\"content\":\"hello\"}]}").status());
        assertEquals("assistant: hello\n", promptOfLast());
    }

    @Test void messagesComeAsTextPartsRolesAndToolCalls() throws Exception {
        assertEquals(200, server.chat("""
            {"messages":[{"role":"developer","content":"be kind"},{"role":"user","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}],
            "tools":[{"type":"function","function":{"name":"f","parameters":{}}}]}""").status());
        assertEquals("tools: 1\nsystem: be kind\nuser: one\ntwo\nassistant: null\n", promptOfLast());
        assertEquals(200, chat("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"tool_choice\":\"none\"").status());
        assertEquals("user: hi\n", promptOfLast());
    }

    @Test void completionsTakeTextsAndTokens() throws Exception {
        assertEquals("Hello \"world\"\n\ndata: 🐈", complete("{\"prompt\":\"Once\"}").json().path("choices").get(0).path("text").stringValue());
        var several = complete("{\"prompt\":[\"Once\",[104,105]],\"n\":2,\"echo\":true,\"max_tokens\":1}").json();
        assertEquals(List.of("OnceHel", "OnceHel", "hiHel", "hiHel"), several.path("choices").valueStream().map(choice -> choice.path("text").stringValue()).toList());
        assertEquals(6, several.path("usage").path("prompt_tokens").intValue());
        complete("{\"prompt\":[104,105]}");
        assertEquals("hi", promptOfLast());
    }

    @Test void modelsAreListedAndNamed() throws Exception {
        assertEquals("fake-1", Wire.get(server.port(), "/v1/models").json().path("data").get(0).path("id").stringValue());
        assertEquals("model", Wire.get(server.port(), "/v1/models/fake-1").json().path("object").stringValue());
        assertEquals(404, Wire.get(server.port(), "/v1/models/gpt-4").status());
        assertEquals(200, chat("\"model\":\"default\"").status());
        var other = chat("\"model\":\"gpt-4\"");
        assertEquals(404, other.status());
        assertEquals("model_not_found", other.error().path("code").stringValue());
        assertTrue(other.error().path("message").stringValue().contains("fake-1"));
    }

    @Test void theEmbeddedModelIsNamedAsSuchAndDrawsItsOwnWay() throws Exception {
        var model = FakeModel.create();
        var scheduler = FakeScheduler.free();
        var served = new Served(model, scheduler, FakeModel.CONTEXT, new Served.KvMemory("f16", 1, 1), 1, null, true, new java.util.concurrent.atomic.AtomicReference<>());
        try (var embedded = StudioServer.start(new ServerSettings("127.0.0.1", 0, null, Limits.DEFAULT), served)) {
            var studio = Wire.get(embedded.port(), "/api/studio").json();
            assertTrue(studio.path("model").path("embedded").booleanValue());
            assertEquals(EmbeddedModel.SAMPLING.temperature(), studio.path("defaults").path("temperature").floatValue());
            assertEquals(200, Wire.post(embedded.port(), "/v1/chat/completions", "{" + MESSAGES + ",\"seed\":0}").status());
            assertEquals(EmbeddedModel.SAMPLING, scheduler.requests.getLast().sampling());
        }
        model.backend().close();
    }

    @Test void thePageLearnsWhatItRunsOn() throws Exception {
        var studio = Wire.get(server.port(), "/api/studio").json();
        assertEquals(StudioServer.VERSION, studio.path("version").stringValue());
        assertEquals("fake", studio.path("model").path("architecture").stringValue());
        assertFalse(studio.path("model").path("embedded").booleanValue());
        assertEquals(FakeModel.CONTEXT, studio.path("model").path("contextLength").intValue());
        assertEquals("reference", studio.path("machine").path("backend").stringValue());
        assertTrue(studio.path("machine").path("memoryUsed").longValue() > 1 << 20);
        assertEquals(1_024, studio.path("defaults").path("max_tokens").intValue());
        assertTrue(studio.path("queue").has("active"));
        assertEquals("ok", Wire.get(server.port(), "/health").json().path("status").stringValue());
    }

    /** Field, value; the error must name the field. */
    @ParameterizedTest @CsvSource(delimiter = '|', quoteCharacter = '\'', value = {
        "temperature | \"hot\"", "temperature | -0.1", "temperature | 1e999", "temperature | 101", "temperature | NaN", "temperature | [1]", "temperature | true",
        "top_p | 1.5", "top_p | 0", "top_p | -1e308", "top_k | -1", "top_k | 1.5", "top_k | 99999999999999999999", "min_p | 2", "repeat_penalty | 0", "presence_penalty | 1e9",
        "seed | 1e30", "seed | \"7\"", "seed | 9223372036854775808", "max_tokens | 0", "max_tokens | -1", "max_tokens | 3000000000", "max_completion_tokens | \"5\"",
        "n | 0", "n | 5", "n | 1000", "stop | 5", "stop | [5]", "stop | \"\"", "stop | [[\"a\"]]", "stream | \"yes\"", "stream | 1", "stream_options | true",
        "logprobs | 3", "logprobs | \"yes\"", "top_logprobs | 2", "top_logprobs | 21", "top_logprobs | -1", "logit_bias | [5]", "logit_bias | {\"a\":1}", "logit_bias | {\"-1\":1}",
        "logit_bias | {\"65536\":1}", "logit_bias | {\"05\":1}", "logit_bias | {\"99999999999\":1}", "logit_bias.5 | {\"5\":101}", "logit_bias.5 | {\"5\":\"1\"}",
        "best_of | 2", "response_format | {\"type\":\"xml\"}", "response_format | \"json\"", "response_format | {}",
        "response_format | {\"type\":\"json_schema\"}", "response_format.json_schema.schema | {\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":5}}",
        "response_format.json_schema.schema | {\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{\"$ref\":\"http://169.254.169.254/\"}}}", "json_schema | 7",
        "grammar | 5", "grammar | \"x\"", "grammar | \"root ::= x\"", "grammar | \"root ::= [\"",
        "tool_choice | \"required\"", "tool_choice | {\"type\":\"function\"}", "functions | []", "modalities | [\"audio\"]", "chat_template | \"x\"",
        "chat_template_kwargs | {\"a\":1}", "tools | {}", "tools | [1]", "tools | [{}]", "model | 7"})
    void aWrongFieldIsRefusedByName(String field, String value) throws Exception {
        int before = server.scheduler().requests.size();
        var reply = chat("\"" + field.split("[.]")[0] + "\":" + value);
        assertEquals(400, reply.status(), reply.body());
        assertEquals("invalid_request_error", reply.error().path("type").stringValue());
        assertTrue(reply.error().path("message").stringValue().contains(value.equals("NaN") ? "JSON" : field), reply.body());
        assertEquals(before, server.scheduler().requests.size());
    }

    @ParameterizedTest @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "messages | {}", "messages | {\"messages\":[]}", "messages | {\"messages\":{}}", "messages | {\"messages\":[7]}", "messages[0] | {\"messages\":[\"hi\"]}",
        "messages[0].role | {\"messages\":[{\"content\":\"hi\"}]}", "messages[0].role | {\"messages\":[{\"role\":\"boss\",\"content\":\"hi\"}]}",
        "messages[0].content | {\"messages\":[{\"role\":\"user\"}]}", "messages[0].content | {\"messages\":[{\"role\":\"user\",\"content\":null}]}",
        "messages[0].content | {\"messages\":[{\"role\":\"assistant\",\"content\":null}]}", "messages[0].content | {\"messages\":[{\"role\":\"user\",\"content\":5}]}",
        "messages[0].content | {\"messages\":[{\"role\":\"user\",\"content\":\"\\ud83d\"}]}",
        "messages[0].content[0].type | {\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://169.254.169.254/\"}}]}]}",
        "messages[0].content[0].text | {\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
        "messages | {\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}"})
    void aWrongMessageIsRefusedByPlace(String place, String body) throws Exception {
        var reply = server.chat(body);
        assertEquals(400, reply.status(), reply.body());
        assertTrue(reply.error().path("message").stringValue().contains(place), reply.body());
    }

    @ParameterizedTest @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "prompt | {}", "prompt | {\"prompt\":7}", "prompt | {\"prompt\":[]}", "prompt | {\"prompt\":\"\"}", "prompt[0] | {\"prompt\":[[]]}", "prompt[1] | {\"prompt\":[1,-1]}",
        "prompt[0] | {\"prompt\":[65536]}", "prompt[1] | {\"prompt\":[1,\"a\"]}", "prompt[0] | {\"prompt\":[{}]}", "suffix | {\"prompt\":\"a\",\"suffix\":\"b\"}",
        "prompt | {\"prompt\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]}", "echo | {\"prompt\":\"a\",\"echo\":1}",
        "logprobs | {\"prompt\":\"a\",\"logprobs\":true}",
        "logprobs | {\"prompt\":\"a\",\"logprobs\":21}", "logprobs | {\"prompt\":\"a\",\"logprobs\":1,\"echo\":true}"})
    void aWrongPromptIsRefusedByPlace(String place, String body) throws Exception {
        var reply = complete(body);
        assertEquals(400, reply.status(), reply.body());
        assertTrue(reply.error().path("message").stringValue().contains(place), reply.body());
    }

    @Test void theTemplatesOwnWordsReachTheClient() throws Exception {
        assertTrue(server.chat("{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}").error().path("message").stringValue().contains("no tools, please"));
    }

    @Test void whatIsNotJsonIsRefusedWithItsPlace() throws Exception {
        var broken = server.chat("{\"messages\":[\n{\"role\" \"user\"}]}");
        assertEquals(400, broken.status());
        assertTrue(broken.error().path("message").stringValue().contains("line 2, column"), broken.body());
        for (var body : List.of("", "[]", "null", "7", "\"x\"", "{} {}", "{\"a\":" + "[".repeat(5_000) + "]".repeat(5_000) + "}", "{\"a\":1" + "0".repeat(5_000) + "}", "{\"a\":'b'}")) {
            var reply = server.chat(body);
            assertEquals(400, reply.status(), () -> body.substring(0, Math.min(50, body.length())) + " -> " + reply.body());
            assertFalse(reply.body().matches(".*(jackson|Stream|Token|`).*"), reply.body());
        }
        try (var wire = new Wire(server.port())) {
            wire.write("POST", "/v1/chat/completions", null, "Content-Type", "application/json", "Content-Length", "4");
            wire.raw(new byte[] {'{', '"', (byte) 0xff, '"'});
            assertEquals(400, wire.reply().status());
        }
    }

    @Test void sizesAreBounded() throws Exception {
        var stop = new String[17];
        Arrays.fill(stop, "\"x\"");
        assertEquals(400, chat("\"stop\":[" + String.join(",", stop) + "]").status());
        assertEquals(400, chat("\"stop\":\"" + "x".repeat(257) + "\"").status());
        assertEquals(400, server.chat("{\"messages\":[" + "{\"role\":\"user\",\"content\":\"\"},".repeat(2_000) + "{\"role\":\"user\",\"content\":\"\"}]}").status());
        var large = server.chat("{" + MESSAGES + ",\"x\":\"" + "x".repeat(100_000) + "\"}");
        assertEquals(413, large.status());
        assertEquals("request_too_large", large.error().path("code").stringValue());
        try (var chunked = new Wire(server.port())) {
            chunked.write("POST", "/v1/chat/completions", null, "Content-Type", "application/json", "Transfer-Encoding", "chunked");
            chunked.raw(("20000\r\n" + " ".repeat(0x20000) + "\r\n0\r\n\r\n").getBytes());
            assertEquals(413, chunked.reply().status());
        }
        assertEquals(431, Wire.get(server.port(), "/health", "X-Long", "x".repeat(100_000)).status());
    }

    @Test void anOverlongPromptSaysBothNumbers() throws Exception {
        var reply = server.chat("{\"messages\":[{\"role\":\"user\",\"content\":\"" + "x".repeat(3_000) + "\"}]}");
        assertEquals(400, reply.status());
        assertEquals("context_length_exceeded", reply.error().path("code").stringValue());
        assertTrue(reply.error().path("message").stringValue().contains("3007") && reply.error().path("message").stringValue().contains("2000"), reply.body());
    }

    @Test void aFullQueueSaysTryAgain() throws Exception {
        var scheduler = new FakeScheduler();
        scheduler.queue = 3;
        try (var busy = RunningServer.start(scheduler); var first = new Wire(busy.port())) {
            first.write("POST", "/v1/chat/completions", "{" + MESSAGES + ",\"n\":2}");
            RunningServer.await("first request", () -> scheduler.tickets.size() == 2);
            var refused = busy.chat("{" + MESSAGES + ",\"n\":2}");
            assertEquals(429, refused.status());
            assertEquals("rate_limit_error", refused.error().path("type").stringValue());
            assertTrue(Integer.parseInt(refused.headers().get("Retry-After")) > 0);
            assertTrue(scheduler.tickets.getLast().cancelled, "what had been submitted of the refused request is taken back");
            scheduler.permits.release(100);
            assertEquals(200, first.reply().status());
        }
    }

    @Test void everyOtherRequestIsRefusedInTheSameShape() throws Exception {
        int port = server.port();
        assertShape(404, Wire.get(port, "/v1/nothing"));
        assertShape(404, Wire.get(port, "/api/nothing"));
        assertShape(404, Wire.get(port, "/nothing"));
        assertShape(404, Wire.post(port, "/v1/nothing", "{}"));
        assertShape(405, Wire.get(port, "/v1/chat/completions"));
        assertShape(405, Wire.send(port, "DELETE", "/v1/models", null));
        assertShape(405, Wire.send(port, "OPTIONS", "/v1/chat/completions", null));
        assertShape(415, Wire.post(port, "/v1/chat/completions", "{}", "Content-Type", "text/plain"));
        assertShape(415, Wire.post(port, "/v1/chat/completions", "a=b", "Content-Type", "application/x-www-form-urlencoded"));
        try (var wire = new Wire(port)) {
            wire.raw("nonsense\r\n\r\n".getBytes());
            assertShape(400, wire.reply());
        }
        try (var wire = new Wire(port)) {
            wire.write("POST", "/v1/chat/completions", null, "Content-Type", "application/json", "Transfer-Encoding", "chunked");
            wire.raw("what?\r\n".getBytes());
            assertShape(400, wire.reply());
        }
    }

    private static void assertShape(int status, Wire.Reply reply) {
        assertEquals(status, reply.status(), reply.body());
        for (var field : List.of("message", "type", "param", "code")) assertTrue(reply.error().has(field), reply.body());
        assertFalse(reply.body().contains("\tat ") || reply.body().contains("Exception"), reply.body());
    }
}
