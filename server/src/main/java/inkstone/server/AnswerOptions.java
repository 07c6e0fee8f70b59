package inkstone.server;

import inkstone.tokenizer.Tokenizer;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Constraint;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.SamplerSettings;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Predicate;
import java.util.function.Supplier;
import tools.jackson.databind.JsonNode;

/**
 * What chats and completions ask for alike: how tokens are drawn, when to stop, how many answers, and in which form they come.
 *
 * @param topLogprobs  how many of the likeliest tokens are told at each place; -1 where no log-probabilities are wanted
 * @param choices      answers to each prompt; the seed grows by one from answer to answer
 * @param includeUsage whether a stream ends with a chunk of token counts
 * @param user         whom the client asks for, empty where it does not say: users take turns
 */
record AnswerOptions(SamplerSettings sampling, int maxTokens, List<String> stop, Map<Integer, Float> logitBias, int topLogprobs, int choices, boolean stream,
                     boolean includeUsage, String user) {
    /** Tokens an answer may have where the client does not say. */
    static final int DEFAULT_MAX_TOKENS = 1_024;
    private static final int LONGEST_USER = 128;

    static AnswerOptions of(Fields fields, Served served, Limits limits, int topLogprobs) {
        refuseWhatWouldMislead(fields);
        var streaming = fields.object("stream_options");
        return new AnswerOptions(sampling(fields, served.sampling()), maxTokens(fields), stop(fields, limits), logitBias(fields, served.model().tokenizer(), limits), topLogprobs,
            (int) fields.integer("n", 1, limits.choices(), 1), fields.bool("stream", false), streaming != null && streaming.bool("include_usage", false), user(fields));
    }

    /** OpenAI renamed the field. What is beyond a name's length tells nobody apart. */
    private static String user(Fields fields) {
        var user = fields.string("safety_identifier", fields.string("user", ""));
        return user.substring(0, Math.min(user.length(), LONGEST_USER));
    }

    private static SamplerSettings sampling(Fields fields, SamplerSettings usual) {
        try {
            return new SamplerSettings(
                fields.number("temperature", 0, 100, usual.temperature()),
                (int) fields.integer("top_k", 0, Integer.MAX_VALUE, usual.topK()),
                fields.number("top_p", 0, 1, usual.topP()),
                fields.number("min_p", 0, 1, usual.minP()),
                fields.number("repeat_penalty", 0, 100, usual.repetitionPenalty()),
                fields.number("presence_penalty", -100, 100, usual.presencePenalty()),
                fields.number("frequency_penalty", -100, 100, usual.frequencyPenalty()),
                (int) fields.integer("repeat_last_n", 0, Integer.MAX_VALUE, usual.penaltyWindow()),
                fields.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE, ThreadLocalRandom.current().nextLong()));
        } catch (IllegalArgumentException problem) {
            throw ApiException.invalid(null, problem.getMessage());
        }
    }

    private static int maxTokens(Fields fields) {
        var name = fields.has("max_completion_tokens") ? "max_completion_tokens" : "max_tokens";
        return (int) fields.integer(name, 1, Integer.MAX_VALUE, DEFAULT_MAX_TOKENS);
    }

    private static List<String> stop(Fields fields, Limits limits) {
        if (!fields.has("stop")) return List.of();
        List<JsonNode> given = fields.get("stop").isString() ? List.of(fields.get("stop")) : fields.array("stop", limits.stops());
        var stop = new ArrayList<String>();
        for (var element : given) {
            var text = Fields.text(element, "stop");
            if (text.isEmpty() || text.length() > limits.stopLength()) {
                throw ApiException.invalid("stop", "a stop text must have 1 to %d characters, got %d".formatted(limits.stopLength(), text.length()));
            }
            stop.add(text);
        }
        return stop;
    }

    /** An object of token ids, which JSON makes strings of, and what is added to their logits. */
    private static Map<Integer, Float> logitBias(Fields fields, Tokenizer tokenizer, Limits limits) {
        var given = fields.object("logit_bias");
        if (given == null) return Map.of();
        if (given.node().size() > limits.biases()) {
            throw ApiException.invalid("logit_bias", "logit_bias may have %d tokens, got %d".formatted(limits.biases(), given.node().size()));
        }
        var bias = new HashMap<Integer, Float>();
        for (var id : given.node().propertyNames()) {
            int token = id.matches("0|[1-9][0-9]{0,8}") ? Integer.parseInt(id) : -1;
            if (token < 0 || token >= tokenizer.vocabularySize()) {
                throw ApiException.invalid("logit_bias", "logit_bias must name tokens by ids from 0 to %d, got \"%s\""
                    .formatted(tokenizer.vocabularySize() - 1, Fields.shortened(id)));
            }
            bias.put(token, given.number(id, -100, 100, 0));
        }
        return bias;
    }

    /** Fields that change what an answer means. Whoever sends one and gets an ordinary answer would take it for something it is not. */
    private static void refuseWhatWouldMislead(Fields fields) {
        refuse(fields, "best_of", value -> !value.isInt() || value.intValue() != 1, "best_of is not supported; ask for n answers and choose");
        refuse(fields, "chat_template", value -> true, "the chat template comes from the model; leave chat_template away");
    }

    static void refuse(Fields fields, String name, Predicate<JsonNode> misleading, String message) {
        if (fields.has(name) && misleading.test(fields.get(name))) throw ApiException.unsupported(name, message);
    }

    /** One request for each answer to this prompt; {@code constraint} makes the constraint of each, null for none, and {@code variant} of the model answers, null for itself. */
    List<GenerationRequest> requests(int[] prompt, Supplier<Constraint> constraint, CausalModel variant) {
        var requests = new ArrayList<GenerationRequest>(choices);
        for (int choice = 0; choice < choices; choice++) {
            requests.add(new GenerationRequest(prompt, sampling.withSeed(sampling.seed() + choice), maxTokens, stop).withLogitBias(logitBias)
                .withTopLogprobs(topLogprobs).withConstraint(constraint).withVariant(variant));
        }
        return requests;
    }
}
