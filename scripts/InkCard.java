import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tokenizer.MarkedText;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.GenerationResult.Finish;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.Models;
import inkstone.transformer.Packed;
import inkstone.transformer.SamplerSettings;
import inkstone.transformer.Session;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.json.JsonMapper;

/** Measures the embedded model and writes the card's section of it: size, losses on unseen conversations, greedy answers to the fixed prompts. {@code scripts/ink-card} runs it. */
final class InkCard {
    private static final int LONGEST = 300;
    private static final Pattern SECTION = Pattern.compile("(?ms)^## Measured\n.*?(?=^## |\\z)"), BEFORE = Pattern.compile("(?m)^## Make it again");

    /** Sums of -log p over tokens. */
    private static final class Loss {
        private double sum;
        private int count;

        void add(double loss) {
            sum += loss;
            count++;
        }

        String row(String what) { return String.format(Locale.ROOT, "| %s | %,d | %.3f | %.2f |\n", what, count, sum / count, Math.exp(sum / count)); }
    }

    private InkCard() {}

    public static void main(String[] arguments) throws IOException {
        var folder = Path.of(arguments[1]);
        var card = folder.resolve("README.md");
        try (var backend = new CpuBackend(); var model = Models.open(Path.of(arguments[0]), backend)) {
            var measured = "## Measured\n\n" + size(model, Path.of(arguments[0])) + losses(model, backend, Path.of(arguments[2])) + samples(model, folder.resolve("prompts.jsonl"));
            var text = Files.readString(card);
            var old = SECTION.matcher(text);
            var replacement = Matcher.quoteReplacement(measured);
            Files.writeString(card, old.find() ? old.replaceFirst(replacement) : BEFORE.matcher(text).replaceFirst(replacement + "$0"));
        }
        System.out.println(card + ": section Measured written");
    }

    private static String size(LanguageModel model, Path file) throws IOException {
        return String.format(Locale.ROOT, "%.1f million parameters, %s, a file of %.1f MB. By `scripts/ink-card`:\n\n", model.parameters() / 1e6, model.format(), Files.size(file) / 1e6);
    }

    /** Every conversation by itself, as far as the model sees. */
    private static String losses(LanguageModel model, Backend backend, Path heldOut) throws IOException {
        Loss all = new Loss(), own = new Loss();
        for (var line : Files.readAllLines(heldOut)) {
            var messages = new ArrayList<Map<String, Object>>();
            JsonMapper.shared().readTree(line).get("messages").forEach(message -> messages.add(Map.of("role", message.get("role").stringValue(), "content", message.get("content").stringValue())));
            var tokens = tokens(model, messages, false);
            if (tokens.length <= model.config().contextLength()) add(model, backend, tokens, answered(model, messages, tokens.length), all, own);
        }
        return "| loss on conversations that it has not seen | tokens | mean -log p | perplexity |\n|---|--:|--:|--:|\n" + own.row("what Ink says") + all.row("everything") + "\n";
    }

    private static int[] tokens(LanguageModel model, List<Map<String, Object>> messages, boolean addGenerationPrompt) {
        MarkedText text = model.template().render(messages, List.of(), addGenerationPrompt);
        return model.tokenizer().encodePrompt(text);
    }

    /** Which tokens are the assistant's, with the one that ends its turn. Turns begin and end at special tokens, so that the tokens of a part are part of the tokens. */
    private static boolean[] answered(LanguageModel model, List<Map<String, Object>> messages, int length) {
        var answered = new boolean[length];
        for (int i = 0; i < messages.size(); i++) {
            if (!messages.get(i).get("role").equals("assistant")) continue;
            int from = tokens(model, messages.subList(0, i), true).length, to = tokens(model, messages.subList(0, i + 1), false).length;
            for (int at = from; at < to; at++) answered[at] = true;
        }
        return answered;
    }

    private static void add(LanguageModel model, Backend backend, int[] tokens, boolean[] answered, Loss all, Loss own) {
        int vocabulary = model.config().vocabularySize();
        try (var scope = Scope.inference(backend)) {
            var logits = model.model().logits(model.model().forward(scope.ints(tokens), Packed.of(scope, tokens.length))).toFloats();
            for (int at = 1; at < tokens.length; at++) {
                double loss = -logProbability(logits, (at - 1) * vocabulary, vocabulary, tokens[at]);
                all.add(loss);
                if (answered[at]) own.add(loss);
            }
        }
    }

    private static double logProbability(float[] logits, int offset, int vocabulary, int token) {
        double largest = Double.NEGATIVE_INFINITY, sum = 0;
        for (int i = offset; i < offset + vocabulary; i++) largest = Math.max(largest, logits[i]);
        for (int i = offset; i < offset + vocabulary; i++) sum += Math.exp(logits[i] - largest);
        return logits[offset + token] - largest - Math.log(sum);
    }

    private static String samples(LanguageModel model, Path prompts) throws IOException {
        var text = new StringBuilder("The likeliest answers (temperature 0, at most " + LONGEST + " tokens, nothing chosen) to [prompts.jsonl](prompts.jsonl):\n\n");
        try (var session = Session.open(model, model.config().contextLength(), DType.F16)) {
            for (var line : Files.readAllLines(prompts)) {
                var messages = new ArrayList<Map<String, Object>>();
                for (var turn : JsonMapper.shared().readTree(line).get("turns")) {
                    messages.add(Map.of("role", "user", "content", turn.stringValue()));
                    var result = session.generate(new GenerationRequest(tokens(model, messages, true), SamplerSettings.GREEDY, LONGEST, List.of()), piece -> { });
                    messages.add(Map.of("role", "assistant", "content", result.text()));
                    text.append("> **").append(turn.stringValue()).append("**  \n> ").append(result.text().strip().replaceAll("\\R+", "  \n> ")).append(result.finish() == Finish.STOP ? "" : " [...]").append("\n>\n");
                }
                text.setLength(text.length() - ">\n".length());
                text.append("\n");
            }
        }
        return text.toString();
    }
}
