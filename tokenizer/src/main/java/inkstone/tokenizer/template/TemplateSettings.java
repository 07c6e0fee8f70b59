package inkstone.tokenizer.template;

import java.time.Clock;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a template finds besides the conversation.
 *
 * @param bosToken  the text of the token that begins a sequence, or empty
 * @param eosToken  the text of the token that ends a text, or empty
 * @param variables what this model's template also asks for, for example enable_thinking; maps, lists, strings, numbers, booleans, null. Their text is untrusted
 * @param clock     what strftime_now reads
 */
public record TemplateSettings(String bosToken, String eosToken, Map<String, Object> variables, Clock clock) {
    public TemplateSettings { variables = Collections.unmodifiableMap(new LinkedHashMap<>(variables)); }

    public static TemplateSettings of(String bosToken, String eosToken) { return new TemplateSettings(bosToken, eosToken, Map.of(), Clock.systemDefaultZone()); }

    public TemplateSettings withVariables(Map<String, Object> variables) { return new TemplateSettings(bosToken, eosToken, variables, clock); }

    public TemplateSettings withClock(Clock clock) { return new TemplateSettings(bosToken, eosToken, variables, clock); }
}
