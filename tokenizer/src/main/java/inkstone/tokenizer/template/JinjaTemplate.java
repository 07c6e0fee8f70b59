package inkstone.tokenizer.template;

import inkstone.tensor.ModelException;
import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.template.Value.Bool;
import inkstone.tokenizer.template.Value.Dict;
import inkstone.tokenizer.template.Value.Int;
import inkstone.tokenizer.template.Value.None;
import inkstone.tokenizer.template.Value.Real;
import inkstone.tokenizer.template.Value.Sequence;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A chat template in Jinja, the language in which models state how conversations were written in their training: compiled once, rendered
 * often, by any thread. It behaves as Jinja 3.1 does in Hugging Face's transformers, in the part of the language that templates use, and
 * reaches nothing but the values it is given. Rendering is limited in steps, text, nesting and size of numbers ({@link Run}).
 */
public final class JinjaTemplate implements ChatTemplate {
    private final List<Node> nodes;
    private final TemplateSettings settings;

    private JinjaTemplate(List<Node> nodes, TemplateSettings settings) {
        this.nodes = nodes;
        this.settings = settings;
    }

    /** @throws ModelException with the line where the template is no Jinja, or uses a statement that chat templates do not have */
    public static JinjaTemplate compile(String source, String bosToken, String eosToken) { return compile(source, TemplateSettings.of(bosToken, eosToken)); }

    /** @throws ModelException with the line where the template is no Jinja, or uses a statement that chat templates do not have */
    public static JinjaTemplate compile(String source, TemplateSettings settings) { return new JinjaTemplate(Parser.parse(source), settings); }

    public TemplateSettings settings() { return settings; }

    /** The same template with other settings, without compiling it again. */
    public JinjaTemplate with(TemplateSettings settings) { return new JinjaTemplate(nodes, settings); }

    @Override public MarkedText render(List<Map<String, Object>> messages, List<Map<String, Object>> tools, boolean addGenerationPrompt) {
        return renderMarked(messages, tools, addGenerationPrompt).text();
    }

    @Override public Rendering renderMarked(List<Map<String, Object>> messages, List<Map<String, Object>> tools, boolean addGenerationPrompt) {
        var run = new Run(settings.clock());
        var variables = new HashMap<String, Value>(Globals.FUNCTIONS);
        settings.variables().forEach((name, value) -> variables.put(name, value(run, value)));
        variables.put("bos_token", Text.trusted(settings.bosToken()));
        variables.put("eos_token", Text.trusted(settings.eosToken()));
        variables.put("messages", value(run, messages));
        if (!tools.isEmpty()) variables.put("tools", value(run, tools));
        variables.put("add_generation_prompt", Bool.of(addGenerationPrompt));
        var out = new Text.Builder(run);
        var generations = new Interpreter(run).render(nodes, new Scope(new Scope(variables)), out);
        return new Rendering(out.toText().marked(), generations);
    }

    /** What comes from outside, as a value of the template: all text in it is untrusted. */
    private static Value value(Run run, Object object) {
        run.enter();
        var value = switch (object) {
            case null -> None.NONE;
            case CharSequence text -> Text.untrusted(text.toString());
            case Boolean bool -> Bool.of(bool);
            case BigInteger number -> Numbers.checked(run, number);
            case BigDecimal number -> new Real(number.doubleValue());
            case Double number -> new Real(number);
            case Float number -> new Real(number);
            case Number number -> Int.of(number.longValue());
            case Map<?, ?> map -> {
                var entries = new LinkedHashMap<Value, Value>();
                map.forEach((key, item) -> entries.put(Operators.key(run, value(run, key)), value(run, item)));
                yield new Dict(entries);
            }
            case Collection<?> list -> {
                var items = new ArrayList<Value>(list.size());
                for (var item : list) items.add(value(run, item));
                yield Sequence.list(items);
            }
            default -> throw run.fail("messages and tools hold maps, lists, texts, numbers, booleans and null, not " + object.getClass().getSimpleName());
        };
        run.leave();
        return value;
    }
}
