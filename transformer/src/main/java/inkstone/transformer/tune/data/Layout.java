package inkstone.transformer.tune.data;

import inkstone.transformer.tune.data.Sample.Conversation;
import inkstone.transformer.tune.data.Sample.Unusable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Which fields of a row mean what: recognises a row's {@link Format} and reads rows of a known one. Names of fields count without case.
 *
 * @param inputSeparator what stands between an instruction and its input where both become one message
 */
record Layout(Format format, String inputSeparator) {
    private static final List<String> TURNS = List.of("messages", "conversations", "conversation");
    private static final List<String> PROMPTS = List.of("prompt", "question", "instruction", "input", "query", "user");
    private static final List<String> COMPLETIONS = List.of("completion", "response", "answer", "output", "assistant", "reply");
    private static final List<String> TEXTS = List.of("text", "content", "sentence", "document", "review", "message", "body");
    private static final List<String> LABELS = List.of("label", "class", "category", "sentiment", "intent");
    private static final Map<String, String> ROLES = Map.ofEntries(Map.entry("system", "system"), Map.entry("developer", "system"), Map.entry("user", "user"), Map.entry("human", "user"),
        Map.entry("assistant", "assistant"), Map.entry("gpt", "assistant"), Map.entry("model", "assistant"), Map.entry("bot", "assistant"), Map.entry("chatgpt", "assistant"),
        Map.entry("bing", "assistant"), Map.entry("bard", "assistant"), Map.entry("function_call", "assistant"), Map.entry("tool", "tool"), Map.entry("function", "tool"),
        Map.entry("function_response", "tool"), Map.entry("observation", "tool"));
    private static final int MOST_MESSAGES = 512;

    // ---- recognising --------------------------------------------------------------------------------------------------------------------------------------

    /** The format of a row with these fields, or null. The first that fits, from the most to the least particular. */
    static Format of(ObjectNode row) {
        var fields = lowerCased(row);
        if (fields.containsKey("chosen") && fields.containsKey("rejected")) return Format.PREFERENCE;
        for (var name : TURNS) {
            if (fields.get(name) == null || !fields.get(name).isArray()) continue;
            var first = fields.get(name).path(0);
            return first.has("from") || first.has("value") ? Format.SHAREGPT : Format.CHAT;
        }
        if (fields.containsKey("instruction") && first(fields, COMPLETIONS) != null) return Format.ALPACA;
        if (first(fields, PROMPTS) != null && first(fields, COMPLETIONS) != null) return Format.PROMPT_COMPLETION;
        if (first(fields, TEXTS) != null) return first(fields, LABELS) != null ? Format.LABELLED : Format.TEXT;
        return null;
    }

    /** What {@link #of} saw in a row of the format. */
    static String evidence(Format format, ObjectNode row) {
        var fields = lowerCased(row);
        return switch (format) {
            case CHAT, SHAREGPT -> "\"%s\" with %s".formatted(first(fields, TURNS), format == Format.CHAT ? "role and content" : "from and value");
            case ALPACA -> "instruction and " + first(fields, COMPLETIONS);
            case PROMPT_COMPLETION -> first(fields, PROMPTS) + " and " + first(fields, COMPLETIONS);
            case PREFERENCE -> "chosen and rejected";
            case TEXT -> first(fields, TEXTS);
            case LABELLED -> first(fields, TEXTS) + " and " + first(fields, LABELS);
        };
    }

    // ---- reading ------------------------------------------------------------------------------------------------------------------------------------------

    Sample read(ObjectNode row) throws Unusable {
        var fields = lowerCased(row);
        return switch (format) {
            case CHAT, SHAREGPT -> conversation(fields);
            case ALPACA -> new Conversation(List.of(message("user", instruction(fields)), message("assistant", answer(fields, COMPLETIONS))), List.of());
            case PROMPT_COMPLETION -> new Conversation(List.of(message("user", said(text(fields, PROMPTS), "prompt")), message("assistant", answer(fields, COMPLETIONS))), List.of());
            case PREFERENCE -> preference(fields);
            case TEXT -> new Sample.Document(said(text(fields, TEXTS), "text"));
            case LABELLED -> new Sample.Labelled(said(text(fields, TEXTS), "text"), said(text(fields, LABELS), "label").strip());
        };
    }

    private String instruction(Map<String, JsonNode> fields) throws Unusable {
        var instruction = said(text(fields, List.of("instruction")), "instruction");
        var input = fields.containsKey("input") ? text(fields, List.of("input")) : "";
        return input.isBlank() ? instruction : instruction + inputSeparator + input;
    }

    private static String answer(Map<String, JsonNode> fields, List<String> names) throws Unusable { return said(text(fields, names), "answer"); }

    private static Conversation conversation(Map<String, JsonNode> fields) throws Unusable {
        var name = first(fields, TURNS);
        if (name == null) throw missing(fields, TURNS);
        var messages = messages(fields.get(name), name);
        if (fields.get("system") instanceof JsonNode system && system.isString() && !system.stringValue().isBlank() && !"system".equals(messages.getFirst().get("role"))) {
            messages.addFirst(message("system", system.stringValue()));
        }
        return new Conversation(trained(messages), tools(fields.get("tools")));
    }

    /** Without what comes after the assistant's last turn, from which nothing is to be learned. */
    private static List<Map<String, Object>> trained(List<Map<String, Object>> messages) throws Unusable {
        int end = messages.size();
        while (end > 0 && !AssistantTurns.isAssistant(messages.get(end - 1))) end--;
        if (end == 0) throw Unusable.wrong("no message of the assistant to learn from");
        return List.copyOf(messages.subList(0, end));
    }

    private Sample preference(Map<String, JsonNode> fields) throws Unusable {
        JsonNode chosen = fields.get("chosen"), rejected = fields.get("rejected");
        if (chosen == null || rejected == null) throw missing(fields, List.of("chosen and rejected"));
        var prompt = new ArrayList<Map<String, Object>>();
        List<Map<String, Object>> better, worse;
        if (fields.containsKey("instruction")) prompt.add(message("user", instruction(fields)));
        else if (first(fields, PROMPTS) instanceof String name) {
            if (fields.get(name).isArray()) prompt.addAll(messages(fields.get(name), name));
            else prompt.add(message("user", said(text(fields, List.of(name)), name)));
        }
        if (fields.get("system") instanceof JsonNode system && system.isString() && !system.stringValue().isBlank()) prompt.addFirst(message("system", system.stringValue()));
        better = chosen.isArray() ? messages(chosen, "chosen") : List.of(message("assistant", said(text(fields, List.of("chosen")), "chosen")));
        worse = rejected.isArray() ? messages(rejected, "rejected") : List.of(message("assistant", said(text(fields, List.of("rejected")), "rejected")));
        if (better.equals(worse)) throw Unusable.wrong("chosen and rejected are the same");
        int common = 0;
        while (common < Math.min(better.size(), worse.size()) && better.get(common).equals(worse.get(common))) common++;
        var shared = better.subList(0, common);                                       // conversations often begin with the prompt, stated or not
        if (!shared.isEmpty() && (prompt.isEmpty() || shared.equals(prompt) || shared.getFirst().get("role").equals("system") || shared.getLast().equals(prompt.getLast()))) prompt.clear();
        prompt.addAll(shared);
        if (prompt.stream().noneMatch(message -> message.get("role").equals("user"))) throw Unusable.wrong("no prompt: expected a field prompt, or conversations that begin alike");
        return new Sample.Preference(answered(prompt, better.subList(common, better.size())), answered(prompt, worse.subList(common, worse.size())));
    }

    private static Conversation answered(List<Map<String, Object>> prompt, List<Map<String, Object>> answer) throws Unusable {
        var whole = new ArrayList<Map<String, Object>>();
        for (var message : prompt) {
            var copy = new LinkedHashMap<>(message);
            copy.put("weight", 0L);
            whole.add(copy);
        }
        whole.addAll(answer);
        var trained = trained(whole);
        if (trained.size() <= prompt.size()) throw Unusable.wrong("chosen and rejected must each end with a message of the assistant");
        return new Conversation(trained, List.of());
    }

    private static List<Map<String, Object>> messages(JsonNode array, String name) throws Unusable {
        if (!array.isArray()) throw Unusable.wrong("%s: expected an array of messages, got %s", name, kind(array));
        if (array.isEmpty()) throw Unusable.empty(name + " has no messages");
        if (array.size() > MOST_MESSAGES) throw Unusable.wrong("%s has %,d messages, more than %d", name, array.size(), MOST_MESSAGES);
        var messages = new ArrayList<Map<String, Object>>(array.size());
        boolean says = false;
        for (int i = 0; i < array.size(); i++) {
            var message = message(array.get(i), name + "[" + i + "]");
            messages.add(message);
            says |= AssistantTurns.isAssistant(message) && !(message.get("content") instanceof String text && text.isBlank() && !message.containsKey("tool_calls"));
        }
        if (!says && messages.stream().anyMatch(AssistantTurns::isAssistant)) throw Unusable.empty("the assistant says nothing");
        return messages;
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> message(JsonNode node, String place) throws Unusable {
        if (!(node instanceof ObjectNode given)) throw Unusable.wrong("%s: expected an object with role and content, got %s", place, kind(node));
        var said = given.path(given.has("role") ? "role" : "from");
        var role = said.isString() ? ROLES.get(said.stringValue().toLowerCase(Locale.ROOT)) : null;
        if (role == null) throw Unusable.wrong("%s: expected the role system, user, assistant or tool, got %s", place, said.isMissingNode() ? "none" : shortened(said.toString()));
        var message = (Map<String, Object>) Rows.JSON.treeToValue(given, Object.class);
        message.remove("from");
        message.remove("value");
        message.put("role", role);
        boolean calls = message.get("tool_calls") instanceof List<?> list && !list.isEmpty();
        if (!calls) message.remove("tool_calls");
        message.put("content", content(given.path(given.has("content") ? "content" : "value"), calls, place));
        return message;
    }

    /** A text, or text parts joined by line ends; null where the message is a tool call alone. */
    private static String content(JsonNode content, boolean calls, String place) throws Unusable {
        if (content.isString()) return clean(content.stringValue(), place);
        if (calls && (content.isNull() || content.isMissingNode())) return null;
        if (!content.isArray()) throw Unusable.wrong("%s: expected content, a text, got %s", place, kind(content));
        var texts = new ArrayList<String>();
        for (var part : content) {
            if (!part.path("text").isString()) throw Unusable.wrong("%s: a part of its content is no text (%s)", place, shortened(part.path("type").asString("")));
            texts.add(clean(part.path("text").stringValue(), place));
        }
        return String.join("\n", texts);
    }

    @SuppressWarnings("unchecked")
    private static List<Map<String, Object>> tools(JsonNode tools) throws Unusable {
        if (tools == null || tools.isNull()) return List.of();
        for (var tool : tools) if (!tool.isObject()) throw Unusable.wrong("tools: expected objects, got %s", kind(tool));
        if (!tools.isArray()) throw Unusable.wrong("tools: expected an array, got %s", kind(tools));
        return (List<Map<String, Object>>) Rows.JSON.treeToValue(tools, Object.class);
    }

    private static Map<String, Object> message(String role, String content) {
        var message = new LinkedHashMap<String, Object>();
        message.put("role", role);
        message.put("content", content);
        return message;
    }

    // ---- fields -------------------------------------------------------------------------------------------------------------------------------------------

    private static Map<String, JsonNode> lowerCased(ObjectNode row) {
        var fields = new LinkedHashMap<String, JsonNode>();
        for (var field : row.properties()) fields.putIfAbsent(field.getKey().strip().toLowerCase(Locale.ROOT), field.getValue());
        return fields;
    }

    private static String first(Map<String, JsonNode> fields, List<String> names) {
        for (var name : names) if (fields.containsKey(name)) return name;
        return null;
    }

    /** The text of the first field that is there; numbers and booleans count as they are written. */
    private static String text(Map<String, JsonNode> fields, List<String> names) throws Unusable {
        var name = first(fields, names);
        if (name == null) throw missing(fields, names);
        var value = fields.get(name);
        if (value.isNull()) return "";
        if (!value.isValueNode()) throw Unusable.wrong("%s: expected a text, got %s", name, kind(value));
        return clean(value.asString(), name);
    }

    private static String said(String text, String name) throws Unusable {
        if (text.isBlank()) throw Unusable.empty(name + " is empty");
        return text;
    }

    static String clean(String text, String place) throws Unusable {
        if (text.indexOf('\0') >= 0) throw Unusable.wrong("%s holds a NUL character", place);
        if (text.indexOf(DataFile.UNDECODABLE) >= 0) throw Unusable.wrong("%s holds bytes that are not UTF-8; save the file as UTF-8", place);
        return text;
    }

    private static Unusable missing(Map<String, JsonNode> fields, List<String> names) {
        return Unusable.wrong("expected %s, got the fields %s", names.size() == 1 ? names.getFirst() : "one of " + String.join(", ", names), shortened(String.join(", ", fields.keySet())));
    }

    private static String kind(JsonNode node) { return node.isMissingNode() ? "nothing" : node.getNodeType().name().toLowerCase(Locale.ROOT); }

    static String shortened(String text) { return text.length() <= 80 ? text : text.substring(0, 79) + "…"; }
}
