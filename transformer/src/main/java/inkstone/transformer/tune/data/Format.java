package inkstone.transformer.tune.data;

import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** What the rows of training data are; whether they come as JSON, JSON lines or CSV is another matter. */
public enum Format {
    /** {@code {"messages": [{"role", "content"}, ...]}}, as OpenAI's API has it, with {@code tools} where the assistant calls some. */
    CHAT,
    /** {@code {"conversations": [{"from", "value"}, ...]}}. */
    SHAREGPT,
    /** {@code {"instruction", "input", "output"}}. */
    ALPACA,
    /** {@code {"prompt", "completion"}}, also {@code question} and {@code answer}, and so on. */
    PROMPT_COMPLETION,
    /** Text to go on with: a whole file, or rows with {@code text}. */
    TEXT,
    /** {@code {"prompt", "chosen", "rejected"}}: two answers, one of them better. */
    PREFERENCE,
    /** {@code {"text", "label"}}. */
    LABELLED;

    /** As people write it: {@code prompt-completion}. */
    @JsonValue public String label() { return name().toLowerCase(Locale.ROOT).replace('_', '-'); }

    /** @throws IllegalArgumentException with the formats that there are */
    public static Format of(String label) {
        for (var format : values()) if (format.label().equalsIgnoreCase(label)) return format;
        throw new IllegalArgumentException("no data format %s; there are %s".formatted(label, Arrays.stream(values()).map(Format::label).collect(Collectors.joining(" "))));
    }
}
