package inkstone.tokenizer.train;

import java.util.List;
import java.util.Map;

/** A text to learn from, whole or a part of one that is long. */
public sealed interface Document {
    /** @param ends whether the document ends with this text; what comes next otherwise continues it */
    record Text(String text, boolean ends) implements Document {}

    /** A conversation, a map for each message as OpenAI's API has it. @param where file and line, for messages */
    record Chat(List<Map<String, Object>> messages, String where) implements Document {}
}
