package inkstone.transformer.tune.data;

import java.util.List;
import java.util.Map;

/** What a row says, before any model sees it. Messages are maps as templates want them: role, content, and what tool calls bring. */
sealed interface Sample {
    /** To learn: what the assistant says, except in messages with {@code weight} 0. */
    record Conversation(List<Map<String, Object>> messages, List<Map<String, Object>> tools) implements Sample {}

    /** Two ways to go on from the same messages; {@code prompt} messages have weight 0. */
    record Preference(Conversation chosen, Conversation rejected) implements Sample {}

    record Document(String text) implements Sample {}

    record Labelled(String text, String label) implements Sample {}

    /** Why a row cannot be used. */
    final class Unusable extends Exception {
        private final boolean empty;

        private Unusable(boolean empty, String why) {
            super(why, null, false, false);
            this.empty = empty;
        }

        /** Nothing is wrong with the row but that it says nothing. */
        boolean empty() { return empty; }

        static Unusable empty(String why) { return new Unusable(true, why); }

        static Unusable wrong(String why, Object... values) { return new Unusable(false, why.formatted(values)); }
    }
}
