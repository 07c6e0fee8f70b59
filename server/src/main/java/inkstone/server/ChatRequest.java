package inkstone.server;

import inkstone.transformer.GenerationRequest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.node.ObjectNode;

/**
 * The body of a chat completion request.
 *
 * @param messages as templates want them: role, content as one text, and what tool calls bring
 * @param tools    definitions for the template; empty where the client wants none used
 */
record ChatRequest(List<Map<String, Object>> messages, List<Map<String, Object>> tools, AnswerOptions options) {
    static ChatRequest of(Fields fields, Served served, Limits limits) {
        AnswerOptions.refuse(fields, "functions", value -> true, "functions is the old form; give the same as tools");
        AnswerOptions.refuse(fields, "modalities", value -> !value.toString().equals("[\"text\"]"),
            "modalities can only be [\"text\"]: this model writes text");
        AnswerOptions.refuse(fields, "chat_template_kwargs", value -> !value.isObject() || !value.isEmpty(),
            "chat_template_kwargs is not supported; leave it away");
        if (!fields.has("messages")) throw ApiException.invalid("messages", "messages is missing: expected an array of messages");
        var given = fields.objects("messages", limits.messages());
        if (given.isEmpty()) throw ApiException.invalid("messages", "messages must have at least one message");
        var messages = new ArrayList<Map<String, Object>>(given.size());
        for (var message : given) messages.add(message(message));
        return new ChatRequest(messages, tools(fields, limits), AnswerOptions.of(fields, served, limits, topLogprobs(fields)));
    }

    /** How many of the likeliest tokens are to be told at each place; -1 where nothing is. */
    private static int topLogprobs(Fields fields) {
        int top = (int) fields.integer("top_logprobs", 0, GenerationRequest.MAX_TOP_LOGPROBS, 0);
        if (fields.bool("logprobs", false)) return top;
        if (top > 0) throw ApiException.invalid("top_logprobs", "top_logprobs needs logprobs to be true");
        return -1;
    }

    /** The assistant's words that its answer goes on from, where the last of several messages is such; otherwise null. */
    String begun() {
        var last = messages.getLast();
        return messages.size() > 1 && last.get("role").equals("assistant") && !last.containsKey("tool_calls") ? (String) last.get("content") : null;
    }

    private static Map<String, Object> message(Fields fields) {
        var role = fields.string("role", null);
        if (role == null) throw fields.wrong("role", "system, developer, user, assistant or tool");
        var message = new LinkedHashMap<String, Object>();
        message.put("role", switch (role) {
            case "system", "developer" -> "system";
            case "user", "assistant", "tool" -> role;
            default -> throw fields.wrong("role", "system, developer, user, assistant or tool");
        });
        var calls = fields.objects("tool_calls", Integer.MAX_VALUE);
        boolean mayBeEmpty = role.equals("assistant") && !calls.isEmpty();
        message.put("content", fields.has("content") || !mayBeEmpty ? content(fields) : null);
        if (!calls.isEmpty()) message.put("tool_calls", Json.plain(fields.get("tool_calls")));
        if (fields.has("tool_call_id")) message.put("tool_call_id", fields.string("tool_call_id", null));
        if (fields.has("name")) message.put("name", fields.string("name", null));
        return message;
    }

    /** A text, or text parts joined by line ends. */
    private static String content(Fields fields) {
        if (!fields.has("content")) throw fields.wrong("content", "a string or an array of text parts");
        if (fields.get("content").isString()) return fields.string("content", null);
        if (!fields.get("content").isArray()) throw fields.wrong("content", "a string or an array of text parts");
        var texts = new ArrayList<String>();
        for (var part : fields.objects("content", Integer.MAX_VALUE)) {
            var type = part.string("type", null);
            if (!"text".equals(type)) throw part.wrong("type", "\"text\", the only kind this model reads");
            if (!part.has("text")) throw part.wrong("text", "a string");
            texts.add(part.string("text", null));
        }
        return String.join("\n", texts);
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> tools(Fields fields, Limits limits) {
        AnswerOptions.refuse(fields, "tool_choice", value -> !value.isString() || !(value.stringValue().equals("auto") || value.stringValue().equals("none")),
            "tool_choice can only be \"auto\" or \"none\": a call cannot be forced here");
        var tools = new ArrayList<Map<String, Object>>();
        for (var tool : fields.objects("tools", limits.tools())) {
            if (!(tool.get("function") instanceof ObjectNode)) throw tool.wrong("function", "an object");
            tools.add((Map<String, Object>) Json.plain(tool.node()));
        }
        return fields.string("tool_choice", "auto").equals("none") ? List.of() : tools;
    }
}
