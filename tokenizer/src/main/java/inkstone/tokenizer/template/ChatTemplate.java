package inkstone.tokenizer.template;

import inkstone.tokenizer.MarkedText;
import java.util.List;
import java.util.Map;

/** Renders a conversation as the text a model was trained on. Immutable; any thread. */
public interface ChatTemplate {
    /**
     * @param messages in order; each a map as OpenAI's API has it: role, content, tool_calls, tool_call_id, name, ...
     * @param tools    tool definitions as OpenAI's API has them, or empty
     * @param addGenerationPrompt whether to end with the header of the assistant's next message
     * @return the prompt; text from messages and tools is untrusted
     * @throws IllegalArgumentException where the template refuses these messages (its own words) or its limits are reached
     */
    MarkedText render(List<Map<String, Object>> messages, List<Map<String, Object>> tools, boolean addGenerationPrompt);

    /**
     * What {@link #renderMarked} gives.
     *
     * @param generations the stretches that the template itself marks as the assistant's, in order; empty where it marks none
     */
    record Rendering(MarkedText text, List<Stretch> generations) {}

    /** The characters from {@code start} up to {@code end}. */
    record Stretch(int start, int end) {}

    /** {@link #render} with the stretches that the template encloses in {@code {% generation %}}. */
    default Rendering renderMarked(List<Map<String, Object>> messages, List<Map<String, Object>> tools, boolean addGenerationPrompt) {
        return new Rendering(render(messages, tools, addGenerationPrompt), List.of());
    }

    /** For models without a template: the contents in order, one blank line between, to be continued. */
    ChatTemplate PLAIN = (messages, tools, addGenerationPrompt) -> {
        var text = new StringBuilder();
        for (var message : messages) {
            if (!text.isEmpty()) text.append("\n\n");
            text.append(message.get("content"));
        }
        return MarkedText.untrusted(text.toString());
    };
}
