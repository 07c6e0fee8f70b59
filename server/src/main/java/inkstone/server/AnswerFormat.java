package inkstone.server;

import inkstone.transformer.GenerationResult;
import inkstone.transformer.Guesses;
import inkstone.transformer.Piece;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import tools.jackson.databind.node.ObjectNode;

/** How the answers of one request look on the wire: chats and completions differ in this only. */
interface AnswerFormat {
    /** The first chunk of an answer, or null where a stream begins with text. */
    ObjectNode opening(int choice);

    ObjectNode text(int choice, Piece piece);

    /** The chunk that says why the answer ended, and how long it took. */
    ObjectNode finish(int choice, GenerationResult result);

    /** A chunk without choices, to which the token counts are added. */
    ObjectNode counts();

    /** All answers as one document. */
    ObjectNode whole(List<GenerationResult> results);

    /** What every document and chunk of one request has in common. */
    record Head(String id, String object, long created, String model) {
        static Head of(String idPrefix, String object, String model) {
            var bytes = new byte[12];
            ThreadLocalRandom.current().nextBytes(bytes);
            return new Head(idPrefix + HexFormat.of().formatHex(bytes), object, System.currentTimeMillis() / 1_000, model);
        }

        ObjectNode document() { return Json.object().put("id", id).put("object", object).put("created", created).put("model", model); }

        ObjectNode chunk() { return Json.object().put("id", id).put("object", object + ".chunk").put("created", created).put("model", model); }
    }

    static String reason(GenerationResult result) {
        return switch (result.finish()) {
            case STOP -> "stop";
            case LENGTH, CANCELLED -> "length";
        };
    }

    /** Token counts of all answers; a prompt counts once, however many answers it got. */
    static void addUsage(ObjectNode document, List<GenerationResult> results, int answersPerPrompt) {
        int prompt = 0, cached = 0, written = 0;
        var guesses = Guesses.NONE;
        for (int i = 0; i < results.size(); i++) {
            if (i % answersPerPrompt == 0) {
                prompt += results.get(i).promptTokens();
                cached += results.get(i).cachedTokens();
            }
            written += results.get(i).tokens().length;
            guesses = guesses.plus(results.get(i).guesses());
        }
        var usage = document.putObject("usage").put("prompt_tokens", prompt).put("completion_tokens", written).put("total_tokens", prompt + written);
        usage.putObject("prompt_tokens_details").put("cached_tokens", cached);
        usage.putObject("completion_tokens_details").put("accepted_prediction_tokens", guesses.right())
            .put("rejected_prediction_tokens", guesses.made() - guesses.right());
    }

    /** Counts, milliseconds and tokens per second under the names that llama.cpp's server uses; of guesses where any were made. */
    static void addTimings(ObjectNode document, GenerationResult result) {
        int computed = result.promptTokens() - result.cachedTokens(), written = result.tokens().length;
        var timings = document.putObject("timings")
            .put("prompt_n", computed).put("cache_n", result.cachedTokens()).put("prompt_ms", result.promptNanos() / 1e6)
            .put("prompt_per_second", perSecond(computed, result.promptNanos()))
            .put("predicted_n", written).put("predicted_ms", result.generationNanos() / 1e6)
            .put("predicted_per_second", perSecond(written, result.generationNanos()));
        if (result.guesses().made() > 0) timings.put("draft_n", result.guesses().made()).put("draft_n_accepted", result.guesses().right());
    }

    private static double perSecond(int tokens, long nanos) { return nanos <= 0 ? 0 : tokens * 1e9 / nanos; }
}
