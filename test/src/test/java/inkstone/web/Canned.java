package inkstone.web;

import com.microsoft.playwright.Page;
import com.microsoft.playwright.Route;
import java.util.Map;
import java.util.stream.Stream;

/** Answers that the server would give in rare moments, given by the test instead: the page cannot tell. */
final class Canned {
    /** Everything that Markdown has, as far as the page shows it. */
    static final String RICH = """
        **Because a dot product grows with its length.** For parts of variance 1, it has variance `headDim`. Softmax then puts nearly all weight on one key.

        ```java
        /** Attention weights of one query over n keys. */
        static float[] weights(float[] q, float[][] keys) {
            float scale = (float) (1 / Math.sqrt(q.length));
            return softmax(scores(q, keys, scale));
        }
        ```

        | Head size | Spread | Largest weight |
        |---|--:|--:|
        | 16 | 4.0 | 0.75 |
        | 128 | 11.3 | 0.91 |

        ## What to try

        1. Delete the scale.
        2. Read [the paper](https://arxiv.org/abs/1706.03762), *first*.

        - [x] done
        - [ ] open

        > A quotation, ~~struck~~, with 日本語 and 🐟.
        """;

    private Canned() {}

    /** A whole stream, with comments in between as servers send them, and counts that fill {@code total} tokens of the context. */
    static String stream(String text, String finish, int total) {
        var events = new StringBuilder(": ping\n\n").append(chunk("{'role':'assistant','content':''}"));
        for (var word : text.split("(?<=\\s)")) events.append(chunk("{'content':%s}", word));
        return events.append(": ping\n\n").append(event("""
                {'choices':[{'index':0,'delta':{},'finish_reason':%s}],'timings':{'prompt_n':100,'cache_n':50,'prompt_ms':100,'prompt_per_second':1000,
                'predicted_n':331,'predicted_ms':8000,'predicted_per_second':41.2}}""", finish))
            .append(event("""
                {'choices':[],'usage':{'prompt_tokens':%d,'completion_tokens':331,'total_tokens':%d,'prompt_tokens_details':{'cached_tokens':50}}}
                """.formatted(total - 331, total)))
            .append("data: [DONE]\n\n").toString();
    }

    static String chunk(String delta, String... words) { return event("{'choices':[{'index':0,'delta':" + delta + ",'finish_reason':null}]}", words); }

    static String error(String code, String message) { return json("{'error':{'message':%s,'type':'invalid_request_error','param':null,'code':%s}}", message, code); }

    static String event(String json, String... words) { return "data: " + json(json, words) + "\n\n"; }

    /** JSON on one line, from a form with single quotes and %s for each text. */
    private static String json(String form, String... texts) {
        var quoted = Stream.of(texts).map(text -> '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"').toArray();
        return form.replace("\n", "").replace('\'', '"').formatted(quoted);
    }

    /** From now on each question gets this answer. */
    static void answer(Page page, int status, String type, String body, Map<String, String> headers) {
        page.unroute("**/v1/chat/completions");
        var answer = new Route.FulfillOptions().setStatus(status).setContentType(type).setBody(body).setHeaders(headers);
        page.route("**/v1/chat/completions", route -> route.fulfill(answer));
    }

    static void answer(Page page, String stream) { answer(page, 200, "text/event-stream;charset=utf-8", stream, Map.of()); }
}
