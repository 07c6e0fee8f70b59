package inkstone.transformer.tune.data;

import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.template.ChatTemplate;
import inkstone.tokenizer.template.JinjaTemplate;
import inkstone.transformer.LanguageModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * How a model is spoken to: conversations as its tokens, and which of them it has to write itself. A conversation is encoded in parts, cut where a turn of the
 * assistant begins, as in use, where the prompt is encoded by itself and the model goes on from there. Of a turn everything up to the first token that ends a
 * generation is learned; what a template writes behind that token is not. Immutable; any thread. Does not own the tokenizer.
 *
 * @param source the template's text where it is one of those here, to be written into the model's file with the tuned weights; null for the model's own
 */
public record Prompting(Tokenizer tokenizer, ChatTemplate template, Style style, String source) {
    /** Whose template it is. */
    public enum Style {
        /** The model's own. */
        OWN("the model's own chat template", "\n"),
        /** For models without one whose vocabulary has {@code <|im_start|>} and {@code <|im_end|>}. */
        CHATML("ChatML, as the model has no chat template but ChatML's tokens", "\n"),
        /**
         * For all others: the prompt of Stanford's Alpaca (Taori et al. 2023), as Raschka's "Build a Large Language Model (From Scratch)" has it in chapter 7; each answer
         * ends with the token that ends a text.
         */
        ALPACA("an Alpaca-style prompt, as the model has no chat template", "\n\n### Input:\n");

        private final String told, inputSeparator;

        Style(String told, String inputSeparator) {
            this.told = told;
            this.inputSeparator = inputSeparator;
        }

        /** In a few words, for reports. */
        public String told() { return told; }

        /** What stands between an instruction and its input where both become one message. */
        String inputSeparator() { return inputSeparator; }
    }

    private static final String CHATML = """
        {% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""";
    private static final String ALPACA = """
        {% if messages and messages[0].role == 'system' %}{{ messages[0].content }}{% else %}\
        {{ 'Below is an instruction that describes a task. Write a response that appropriately completes the request.' }}{% endif %}\
        {% for message in messages %}{% if message.role == 'user' %}{{ '\\n\\n### Instruction:\\n' + message.content }}\
        {% elif message.role == 'tool' %}{{ '\\n\\n### Input:\\n' + message.content }}\
        {% elif message.role == 'assistant' %}{{ '\\n\\n### Response:\\n' + message.content + eos_token }}{% endif %}{% endfor %}\
        {% if add_generation_prompt %}{{ '\\n\\n### Response:\\n' }}{% endif %}""";

    public static Prompting of(LanguageModel model) {
        return model.hasChatTemplate() ? new Prompting(model.tokenizer(), model.template(), Style.OWN, null) : of(model.tokenizer(), null);
    }

    /** @param template the text of the model's own template, or null */
    public static Prompting of(Tokenizer tokenizer, String template) {
        boolean chatml = tokenizer.id("<|im_start|>") >= 0 && tokenizer.id("<|im_end|>") >= 0;
        var source = template != null ? template : chatml ? CHATML : ALPACA;
        var compiled = JinjaTemplate.compile(source, piece(tokenizer, tokenizer.bos()), piece(tokenizer, tokenizer.eos()));
        return new Prompting(tokenizer, compiled, template != null ? Style.OWN : chatml ? Style.CHATML : Style.ALPACA, template != null ? null : source);
    }

    private static String piece(Tokenizer tokenizer, int token) { return token < 0 ? "" : tokenizer.piece(token); }

    /**
     * A conversation as tokens.
     *
     * @param rewritten    the template writes earlier turns otherwise than the last
     * @param leftOut      assistant messages that the template leaves out
     * @param unended      neither the template nor what follows ends the last turn with a token that ends a generation, so the end of text was added where there is one
     * @param systemMerged the template knows no system message, which stands before the user's first words instead
     */
    record Rendered(Example example, boolean rewritten, int leftOut, boolean unended, boolean systemMerged) {}

    /** @throws IllegalArgumentException where the template refuses the messages */
    Rendered render(Sample.Conversation conversation) {
        try {
            return render(conversation.messages(), conversation.tools(), false);
        } catch (IllegalArgumentException refused) {
            var merged = merged(conversation.messages());
            if (merged == null) throw refused;
            try {
                return render(merged, conversation.tools(), true);
            } catch (IllegalArgumentException again) {
                throw refused;
            }
        }
    }

    /** The system message before the user's first words, or null where there are not both. */
    private static List<Map<String, Object>> merged(List<Map<String, Object>> messages) {
        if (messages.size() < 2 || !"system".equals(messages.get(0).get("role")) || !"user".equals(messages.get(1).get("role"))) return null;
        var merged = new ArrayList<>(messages.subList(1, messages.size()));
        var first = new LinkedHashMap<>(merged.getFirst());
        first.put("content", messages.getFirst().get("content") + "\n\n" + first.get("content"));
        merged.set(0, first);
        return merged;
    }

    private Rendered render(List<Map<String, Object>> messages, List<Map<String, Object>> tools, boolean systemMerged) {
        var found = AssistantTurns.of(template, messages, tools);
        var builder = new Builder();
        int length = found.text().text().length(), at = 0;
        for (int i = 0; i < found.turns().size(); i++) {
            var turn = found.turns().get(i);
            builder.add(builder.encode(found.text().slice(at, turn.start())), 0);
            at = turn.end();
            boolean last = i == found.turns().size() - 1, learn = !(messages.get(turn.message()).get("weight") instanceof Number weight) || weight.doubleValue() != 0;
            var part = found.text().slice(turn.start(), turn.end());
            var tokens = builder.encode(part);
            int ended = ended(part, tokens);
            builder.add(tokens, learn ? ended < 0 ? tokens.length : ended : 0);
            if (ended >= 0) continue;
            var following = at < length ? found.text().slice(at, last ? length : found.turns().get(i + 1).start()) : following(messages, tools, found.text().text());
            int closing = closing(following);
            if (closing >= 0) {
                builder.add(builder.encode(following.slice(0, closing)), learn ? Integer.MAX_VALUE : 0);
                at = Math.min(length, at + closing);
            } else if (last) {
                builder.unended = true;
            }
        }
        if (at < length) builder.add(builder.encode(found.text().slice(at, length)), 0);
        return new Rendered(builder.example(), found.rewritten(), found.leftOut(), builder.unended, systemMerged);
    }

    /** How many tokens of a turn the model has to write: through the first end of generation behind what the message says. -1 where there is none. */
    private int ended(MarkedText part, int[] tokens) {
        var spans = part.joined().spans();
        if (spans.isEmpty() || !spans.getLast().trusted()) return -1;
        int ends = 0;
        for (int token : tokenizer.encode(new MarkedText(List.of(spans.getLast())))) if (endsGeneration(token)) ends++;
        if (ends == 0) return -1;
        for (int i = tokens.length - 1; ; i--) if (endsGeneration(tokens[i]) && --ends == 0) return i + 1;
    }

    private boolean endsGeneration(int token) { return tokenizer.endOfGeneration().contains(token); }

    /** How many characters of what follows a turn close it: white space and one end of generation. -1 where it goes on otherwise. */
    private int closing(MarkedText following) {
        var text = following.text();
        int blank = 0;
        while (blank < text.length() && Character.isWhitespace(text.charAt(blank))) blank++;
        var tokens = tokenizer.encode(following.slice(blank, Math.min(text.length(), blank + 64)));
        return tokens.length > 0 && endsGeneration(tokens[0]) && text.startsWith(tokenizer.piece(tokens[0]), blank) ? blank + tokenizer.piece(tokens[0]).length() : -1;
    }

    /** What the template would write behind the last turn if the user went on. */
    private MarkedText following(List<Map<String, Object>> messages, List<Map<String, Object>> tools, String text) {
        var longer = new ArrayList<>(messages);
        longer.add(Map.of("role", "user", "content", "Go on."));
        try {
            var rendered = template.render(longer, tools, false);
            var whole = rendered.text();
            return whole.startsWith(text) ? rendered.slice(text.length(), whole.length()) : new MarkedText(List.of());
        } catch (IllegalArgumentException refused) {
            return new MarkedText(List.of());
        }
    }

    /** About how many tokens a conversation has: those of its whole text, without the cuts. */
    int length(Sample.Conversation conversation) {
        var messages = conversation.messages();
        MarkedText text;
        try {
            text = template.render(messages, conversation.tools(), false);
        } catch (IllegalArgumentException refused) {
            var merged = merged(messages);
            if (merged == null) throw refused;
            text = template.render(merged, conversation.tools(), false);
        }
        return tokenizer.encodePrompt(text).length;
    }

    /** The tokens of a text without a template or a role; special tokens are not read in it. @param after the token before it, or -1 */
    int[] text(String text, int after) { return encode(MarkedText.untrusted(text), after); }

    /** The same of a whole text, with the token that begins one, where the model wants it. */
    public int[] whole(String text) {
        var tokens = text(text, -1);
        return tokenizer.addsBos() && tokenizer.bos() >= 0 ? IntStream.concat(IntStream.of(tokenizer.bos()), IntStream.of(tokens)).toArray() : tokens;
    }

    private int[] encode(MarkedText text, int after) { return after < 0 ? tokenizer.encode(text) : tokenizer.encodeAfter(after, text); }

    /** Tokens as people can read them, control tokens as the vocabulary spells them. */
    String shown(int[] tokens, int from, int to) {
        var text = new StringBuilder();
        var stream = tokenizer.streamDecoder();
        for (int i = from; i < to; i++) {
            if (tokenizer.isControl(tokens[i])) text.append(stream.flush()).append(tokenizer.piece(tokens[i]));
            else text.append(stream.next(tokens[i]));
        }
        return text.append(stream.flush()).toString();
    }

    /** Puts parts together, with the beginning and the end that the model asks for. */
    private final class Builder {
        private final IntStream.Builder tokens = IntStream.builder();
        private final ArrayList<int[]> parts = new ArrayList<>();
        private int last = -1;
        private boolean unended;

        int[] encode(MarkedText part) { return Prompting.this.encode(part, last); }

        /** @param learned how many of the part's first tokens are to be learned */
        void add(int[] part, int learned) {
            if (part.length == 0) return;
            last = part[part.length - 1];
            for (int token : part) tokens.add(token);
            parts.add(new int[] {part.length, Math.min(part.length, learned)});
        }

        Example example() {
            var inner = tokens.build().toArray();
            boolean begins = tokenizer.addsBos() && (inner.length == 0 || inner[0] != tokenizer.bos());
            boolean ends = (unended || tokenizer.addsEos()) && tokenizer.eos() >= 0 && (inner.length == 0 || inner[inner.length - 1] != tokenizer.eos());
            int shift = begins ? 1 : 0;
            var all = new int[inner.length + shift + (ends ? 1 : 0)];
            var learned = new boolean[all.length];
            System.arraycopy(inner, 0, all, shift, inner.length);
            if (begins) all[0] = tokenizer.bos();
            int at = shift;
            for (var part : parts) {
                Arrays.fill(learned, at, at + part[1], true);
                at += part[0];
            }
            if (ends) {
                all[all.length - 1] = tokenizer.eos();
                learned[all.length - 1] = all.length > 1 && learned[all.length - 2];
            }
            if (learned.length > 0) learned[0] = false;
            return new Example(all, learned);
        }
    }
}
