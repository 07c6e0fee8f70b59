package inkstone.server;

import inkstone.tokenizer.Tokenizer;
import inkstone.transformer.TokenLogprob;
import java.nio.charset.StandardCharsets;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/**
 * Log-probabilities on the wire, in the two forms that OpenAI gave them. A token's text is its bytes as UTF-8, U+FFFD where they are a part of a character; a
 * control token, which prints nothing, goes by its name in the vocabulary. JSON has no infinity: a token that the model rules out gets -9999, as at OpenAI.
 */
record TokenNames(Tokenizer tokenizer) {
    private static final float LOWEST = -9_999;

    private byte[] bytes(int token) { return token < tokenizer.vocabularySize() ? tokenizer.bytes(token) : new byte[0]; }

    /** Rows of a model's head that no token uses have a number only. */
    private String name(int token) {
        byte[] bytes = bytes(token);
        if (bytes.length > 0) return new String(bytes, StandardCharsets.UTF_8);
        return token < tokenizer.vocabularySize() ? tokenizer.piece(token) : "[" + token + "]";
    }

    private static float finite(float logprob) { return Math.max(logprob, LOWEST); }

    /** Puts {@code logprobs} into a choice of a chat: {@code content[]} of {token, logprob, bytes, top_logprobs[]}. */
    void addToChat(ObjectNode choice, List<TokenLogprob> logprobs) {
        var told = choice.putObject("logprobs");
        var content = told.putArray("content");
        for (var token : logprobs) {
            var entry = content.addObject();
            addEntry(entry, token.token(), token.logprob());
            var top = entry.putArray("top_logprobs");
            for (var candidate : token.top()) addEntry(top.addObject(), candidate.token(), candidate.logprob());
        }
        told.putNull("refusal");
    }

    private void addEntry(ObjectNode entry, int token, float logprob) {
        entry.put("token", name(token)).put("logprob", finite(logprob));
        byte[] bytes = bytes(token);
        if (bytes.length == 0) {
            entry.putNull("bytes");
        } else {
            var array = entry.putArray("bytes");
            for (byte each : bytes) array.add(each & 0xff);
        }
    }

    /**
     * Puts {@code logprobs} into a choice of a completion: parallel arrays of tokens, their log-probabilities, the likeliest as {text: logprob} with the token
     * itself always among them (of two tokens with the same text the likelier), and where in the answer each begins, in characters.
     */
    void addToCompletion(ObjectNode choice, List<TokenLogprob> logprobs) {
        var told = choice.putObject("logprobs");
        var tokens = told.putArray("tokens");
        var values = told.putArray("token_logprobs");
        var top = told.putArray("top_logprobs");
        var offsets = told.putArray("text_offset");
        for (var token : logprobs) {
            tokens.add(name(token.token()));
            values.add(finite(token.logprob()));
            var likeliest = top.addObject();
            for (var candidate : token.top()) likeliest.putIfAbsent(name(candidate.token()), likeliest.numberNode(finite(candidate.logprob())));
            likeliest.putIfAbsent(name(token.token()), likeliest.numberNode(finite(token.logprob())));
            offsets.add(token.offset());
        }
    }
}
