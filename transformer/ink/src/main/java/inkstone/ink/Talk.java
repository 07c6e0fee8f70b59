package inkstone.ink;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A conversation being written: turns so far, what was said of the user, and how the user types. One thread. */
final class Talk {
    private final Phrases phrases;
    private final Typing typing;
    private final List<Map<String, String>> messages = new ArrayList<>();
    /** What templates may name: facts of the present topic and what the user said of themselves. */
    final Map<String, String> names = new HashMap<>();
    final Dice dice;

    Talk(Phrases phrases, Dice dice) {
        this.phrases = phrases;
        this.dice = dice;
        this.typing = Typing.of(dice);
    }

    static Map<String, String> message(String role, String text) {
        var message = new LinkedHashMap<String, String>();
        message.put("role", role);
        message.put("content", text);
        return message;
    }

    private void add(String role, String text) { messages.add(message(role, text)); }

    void system(String text) { add("system", text); }

    /** The user says something: a template. */
    Talk user(String template) {
        add("user", typing.apply(English.join(phrases.expand(template, names, dice)), dice));
        return this;
    }

    Talk user(List<String> templates) { return user(dice.pick(templates)); }

    /** Ink answers: a template. */
    Talk ink(String template) {
        add("assistant", English.sentences(phrases.expand(template, names, dice)));
        return this;
    }

    Talk ink(List<String> templates) { return ink(dice.pick(templates)); }

    Talk says(String text) {
        add("assistant", text);
        return this;
    }

    Talk with(String name, String value) {
        names.put(name, value);
        return this;
    }

    Talk with(Map<String, String> row) {
        names.putAll(row);
        return this;
    }

    /** Takes an exchange and, while the dice say so, those that follow it: any number of further questions, but one statement, for it answers what Ink asked. */
    Talk exchange(Exchange exchange, double more) {
        user(exchange.questions()).ink(exchange.answers());
        var left = new ArrayList<>(exchange.follows());
        while (!left.isEmpty() && dice.chance(more)) {
            var next = left.remove(dice.below(left.size()));
            user(next.questions()).ink(next.answers());
            if (!next.questions().getFirst().endsWith("?")) left.clear();
            if (!next.follows().isEmpty() && dice.chance(more)) {
                var deeper = dice.pick(next.follows());
                user(deeper.questions()).ink(deeper.answers());
            }
        }
        return this;
    }

    int exchanges() { return (int) messages.stream().filter(m -> m.get("role").equals("assistant")).count(); }

    int words() { return messages.stream().mapToInt(m -> m.get("content").split("\\s+").length).sum(); }

    List<Map<String, String>> messages() { return messages; }
}
