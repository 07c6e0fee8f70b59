package inkstone.diffusion.prompt;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A prompt in the notation of A1111's web UI: (x) weighs x 1.1 times, [x] as much less, (x:1.3) 1.3 times, each within each; \( \) \[ \] \\ are the characters themselves; BREAK begins a new chunk;
 * {@code <lora:name:0.8>} names an adapter and is no text. Brackets that are never closed hold to the end, those never opened are text, so that everything can be typed.
 *
 * @param parts in order; neighbours weigh differently or have a break between them
 * @param loras in order; whoever opens files looks their names up among those that there are
 */
public record Prompt(List<Part> parts, List<Lora> loras) {
    private static final double STRONGER = 1.1;
    /** Beyond it no encoder's numbers mean anything. */
    private static final double MOST = 1000;
    private static final Pattern LORA = Pattern.compile("<lora:([^:<>]++)(?::([^<>]*+))?>");
    private static final Pattern WEIGHT = Pattern.compile(":\\s*([+-]?(?:\\d+\\.?\\d*|\\.\\d+))\\s*\\)");
    private static final Pattern BREAK = Pattern.compile("\\bBREAK\\b");

    /**
     * Text of one weight.
     *
     * @param breaks whether a new chunk begins before it
     */
    public record Part(String text, double weight, boolean breaks) {}

    /**
     * An adapter.
     *
     * @param weight     on the picture's network
     * @param textWeight on the text encoders
     */
    public record Lora(String name, double weight, double textWeight) {}

    /** @throws IllegalArgumentException for an adapter whose weight is no number; nothing else is wrong */
    public static Prompt parse(String prompt) {
        var loras = new ArrayList<Lora>();
        Matcher matcher = LORA.matcher(prompt);
        var text = new StringBuilder();
        while (matcher.find()) {
            loras.add(lora(matcher.group(1).strip(), matcher.group(2)));
            matcher.appendReplacement(text, "");
        }
        matcher.appendTail(text);
        return new Prompt(weighed(text.toString()), List.copyOf(loras));
    }

    /** "0.8", or "0.5:0.8" with the text encoders' first, also by name: "te=0.5:unet=0.8". */
    private static Lora lora(String name, String weights) {
        if (weights == null || weights.isBlank()) return new Lora(name, 1, 1);
        double text = Double.NaN, network = Double.NaN;
        String[] values = weights.split(":", -1);
        for (int i = 0; i < values.length; i++) {
            int equals = values[i].indexOf('=');
            String key = equals < 0 ? i == 0 ? "te" : "unet" : values[i].substring(0, equals).strip(), number = values[i].substring(equals + 1).strip();
            if (i > 1 || !number.matches("[+-]?(\\d{1,6}\\.?\\d{0,9}|\\.\\d{1,9})") || !key.matches("te|unet")) {
                throw new IllegalArgumentException("<lora:%s:%s>: expected a weight as 0.8, or one for text and one for the picture as 0.5:0.8".formatted(name, weights));
            }
            if (key.equals("te")) text = Double.parseDouble(number); else network = Double.parseDouble(number);
        }
        if (Double.isNaN(text)) text = Double.isNaN(network) ? 1 : network;
        return new Lora(name, Double.isNaN(network) ? text : network, text);
    }

    private static List<Part> weighed(String text) {
        var pieces = new ArrayList<Part>();
        Deque<Integer> round = new ArrayDeque<>(), square = new ArrayDeque<>();
        var plain = new StringBuilder();
        Matcher weight = WEIGHT.matcher(text);
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean colon = c == ':' && !round.isEmpty() && weight.region(i, text.length()).lookingAt();
            if (c == '\\' && i + 1 < text.length() && "()[]\\".indexOf(text.charAt(i + 1)) >= 0) plain.append(text.charAt(++i));
            else if (c == '(' || c == '[') {
                flush(plain, pieces);
                (c == '(' ? round : square).push(pieces.size());
            } else if (colon || c == ')' && !round.isEmpty() || c == ']' && !square.isEmpty()) {
                flush(plain, pieces);
                if (colon) {
                    multiply(pieces, round.pop(), Double.parseDouble(weight.group(1)));
                    i = weight.end() - 1;
                } else if (c == ')') multiply(pieces, round.pop(), STRONGER);
                else multiply(pieces, square.pop(), 1 / STRONGER);
            } else plain.append(c);
        }
        flush(plain, pieces);
        for (int start : round) multiply(pieces, start, STRONGER);
        for (int start : square) multiply(pieces, start, 1 / STRONGER);
        return merged(pieces);
    }

    private static void flush(StringBuilder plain, List<Part> pieces) {
        if (plain.isEmpty()) return;
        String[] texts = BREAK.split(plain, -1);
        for (int i = 0; i < texts.length; i++) {
            String text = i > 0 ? texts[i].stripLeading() : texts[i];
            pieces.add(new Part(i + 1 < texts.length ? text.stripTrailing() : text, 1, i > 0));
        }
        plain.setLength(0);
    }

    private static void multiply(List<Part> pieces, int start, double factor) {
        for (int i = start; i < pieces.size(); i++) pieces.set(i, new Part(pieces.get(i).text, Math.clamp(pieces.get(i).weight * factor, -MOST, MOST), pieces.get(i).breaks));
    }

    private static List<Part> merged(List<Part> pieces) {
        var parts = new ArrayList<Part>();
        for (Part piece : pieces) {
            Part last = parts.isEmpty() ? null : parts.getLast();
            if (last != null && !piece.breaks && last.weight == piece.weight) parts.set(parts.size() - 1, new Part(last.text + piece.text, last.weight, last.breaks));
            else parts.add(piece);
        }
        return List.copyOf(parts);
    }
}
