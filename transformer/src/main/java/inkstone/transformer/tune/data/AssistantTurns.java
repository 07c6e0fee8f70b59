package inkstone.transformer.tune.data;

import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.template.ChatTemplate;
import inkstone.tokenizer.template.ChatTemplate.Stretch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Where in a rendered conversation the assistant writes, whatever the template. A turn begins where the prompt ends that the model would have been given for it (the
 * messages before, with the header of the next turn) and ends where the conversation up to and with it ends. Both are renderings of their own, and in most templates
 * the whole conversation begins with them. Where it does not, because a template writes earlier turns otherwise than the last (without their reasoning, say) or ends a
 * text in its own way, the message is found by rendering the conversation with other words in its place, and the template's text around it by comparison.
 *
 * @param text        the whole conversation, without the header of a next turn
 * @param turns       in order; those that the template leaves out are not there
 * @param rewritten   whether some turn stands in {@code text} otherwise than where it was the last
 * @param leftOut     assistant messages of which the template shows nothing
 */
record AssistantTurns(MarkedText text, List<Turn> turns, boolean rewritten, int leftOut) {
    /** The characters from {@code start} up to {@code end} of the text are message {@code message}, and the template's text around it that the model has to write. */
    record Turn(int message, int start, int end) {}

    /** Words that a template has no reason to change, with other ends. */
    private static final String ONE = "Quartz sphinx", OTHER = "Jumbo wolves";
    /** The longest marker, such as {@code <|start_header_id|>}, that is looked for around a place. */
    private static final int LONGEST_MARKER = 64;
    /** Characters of the message before that must agree for two places to be taken for the same. */
    private static final int SEEN_BEFORE = 8;

    static AssistantTurns of(ChatTemplate template, List<Map<String, Object>> messages, List<Map<String, Object>> tools) {
        return new Finder(template, messages, tools).find();
    }

    private static final class Finder {
        private final ChatTemplate template;
        private final List<Map<String, Object>> messages, tools;
        private final ChatTemplate.Rendering rendering;
        private final String text;
        private boolean rewritten;

        Finder(ChatTemplate template, List<Map<String, Object>> messages, List<Map<String, Object>> tools) {
            this.template = template;
            this.messages = messages;
            this.tools = tools;
            rendering = template.renderMarked(messages, tools, false);
            text = rendering.text().text();
        }

        AssistantTurns find() {
            var turns = new ArrayList<Turn>();
            int assistants = 0, end = 0;
            for (int message = 0; message < messages.size(); message++) {
                if (!isAssistant(messages.get(message))) continue;
                var found = turn(message);
                if (found != null) found = marked(found, assistants);
                assistants++;
                if (found == null || found.start() < end || found.end() <= found.start()) continue;
                turns.add(new Turn(message, found.start(), found.end()));
                end = found.end();
            }
            return new AssistantTurns(rendering.text(), turns, rewritten, assistants - turns.size());
        }

        /** Narrowed to the template's own block for the turn, where it marks every turn. */
        private Stretch marked(Stretch found, int assistant) {
            var blocks = rendering.generations();
            if (blocks.size() != messages.stream().filter(AssistantTurns::isAssistant).count()) return found;
            var block = blocks.get(assistant);
            return new Stretch(Math.max(found.start(), block.start()), Math.min(found.end(), block.end()));
        }

        private Stretch turn(int message) {
            var prompt = render(messages.subList(0, message), true);
            var shown = message == messages.size() - 1 ? text : render(messages.subList(0, message + 1), false);
            boolean startsAsPrompted = prompt != null && text.startsWith(prompt), endsAsShown = shown != null && text.startsWith(shown);
            if (startsAsPrompted && endsAsShown) return new Stretch(prompt.length(), shown.length());
            var content = content(message);
            if (content == null) return null;
            int start = startsAsPrompted ? prompt.length() : start(message, prompt, content.start());
            return new Stretch(start, endsAsShown ? shown.length() : end(shown, Math.max(start, content.end())));
        }

        /**
         * Behind what stands between the message before and this one, if the prompt ends in the same way; else behind the header that the prompt has at its end; else where
         * prompt and conversation part, if that is between the two messages; else behind as much of the header as there is.
         */
        private int start(int message, String prompt, int content) {
            if (prompt == null) return content;
            var before = message == 0 ? new Stretch(0, 0) : content(message - 1);
            int gap = before == null ? 0 : Math.min(before.end(), content);
            for (int length = Math.min(4 * LONGEST_MARKER, content - gap); before != null && length > 0; length--) {
                int said = Math.min(SEEN_BEFORE, gap), from = prompt.length() - length - said;
                if (from >= 0 && prompt.substring(from).equals(text.substring(gap - said, gap + length))) return gap + length;
            }
            var unprompted = render(messages.subList(0, message), false);
            var header = unprompted == null ? "" : prompt.substring(wholeMarkers(prompt, commonStart(unprompted, prompt)));
            int common = before == null ? -1 : wholeMarkers(text, Math.min(commonStart(prompt, text), content));
            for (int length = header.length(); length > 0; length = wholeMarkers(header, length - 1)) {
                int at = text.lastIndexOf(header.substring(0, length), content - length);
                if (at >= gap) return Math.max(at + length, common);
                if (common >= gap) return common;
            }
            return Math.max(common >= gap ? common : content, 0);
        }

        private int end(String shown, int content) {
            if (shown == null) return content;
            int common = wholeMarkers(text, commonStart(shown, text));
            if (common >= content) return common;
            rewritten = true;
            for (int length = Math.min(4 * LONGEST_MARKER, text.length() - content); length > 0; length--) {
                if (shown.endsWith(text.substring(content, content + length))) return content + length;
            }
            return content;
        }

        /** Where what a message says stands in the text, or null where it does not. */
        private Stretch content(int message) {
            var one = render(with(message, ONE), false);
            var other = render(with(message, OTHER), false);
            if (one == null || other == null || one.equals(other)) return null;
            int start = Math.min(commonStart(one, other), commonStart(one, text)), after = Math.min(commonEnd(one, other), commonEnd(one, text));
            return start + after > text.length() ? null : new Stretch(start, text.length() - after);
        }

        private List<Map<String, Object>> with(int message, String words) {
            var changed = new ArrayList<>(messages);
            var copy = new LinkedHashMap<>(messages.get(message));
            if (copy.get("tool_calls") instanceof List<?> calls) copy.put("tool_calls", calls.stream().map(call -> call(call, words)).toList());
            else copy.put("content", words);
            changed.set(message, copy);
            return changed;
        }

        private static Object call(Object call, String words) {
            if (!(call instanceof Map<?, ?> given)) return call;
            var copy = new LinkedHashMap<Object, Object>(given);
            if (given.get("function") instanceof Map<?, ?> function) {
                var named = new LinkedHashMap<Object, Object>(function);
                named.put("name", words);
                named.put("arguments", Map.of(words, words));
                copy.put("function", named);
            }
            return copy;
        }

        /** Null where the template does not take these messages. */
        private String render(List<Map<String, Object>> part, boolean addGenerationPrompt) {
            try {
                return template.render(part, tools, addGenerationPrompt).text();
            } catch (IllegalArgumentException refused) {
                return null;
            }
        }
    }

    static boolean isAssistant(Map<String, Object> message) { return "assistant".equals(message.get("role")); }

    private static int commonStart(String a, String b) {
        int most = Math.min(a.length(), b.length()), same = 0;
        while (same < most && a.charAt(same) == b.charAt(same)) same++;
        return same;
    }

    private static int commonEnd(String a, String b) {
        int most = Math.min(a.length(), b.length()), same = 0;
        while (same < most && a.charAt(a.length() - 1 - same) == b.charAt(b.length() - 1 - same)) same++;
        return same;
    }

    /** The position, or that of the marker ({@code <|user|>}, {@code [INST]}) which it would cut in two: two markers may begin alike. */
    private static int wholeMarkers(String text, int position) {
        for (int at = position - 1; at >= Math.max(0, position - LONGEST_MARKER); at--) {
            char c = text.charAt(at);
            if (c == '>' || c == ']' || c == '\n') return position;
            if (c != '<' && c != '[') continue;
            int end = text.indexOf(c == '<' ? '>' : ']', position);
            return end >= 0 && end - at < LONGEST_MARKER ? at : position;
        }
        return position;
    }
}
