package inkstone.transformer.grammar;

import inkstone.transformer.Constraint;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/** Answers by a model that knows nothing: random logits under a constraint. What it likes grows towards closing brackets, so that it comes to an end. */
record Walks(Spelled tokenizer, Random random) {
    private static final List<String> CLOSING = List.of("}", "]", "\"", "\"}", "]]");

    /** A whole answer; the last token was one that ends a text. */
    String answer(Constraint constraint) {
        var text = new ByteArrayOutputStream();
        var logits = new float[tokenizer.vocabularySize() + 3];                        // models pad their vocabulary
        var closing = IntStream.range(0, tokenizer.vocabularySize()).filter(token -> CLOSING.contains(new String(tokenizer.bytes(token), StandardCharsets.UTF_8))).toArray();
        for (int step = 0; step < 3_000; step++) {
            for (int i = 0; i < logits.length; i++) logits[i] = random.nextFloat() - tokenizer.bytes(Math.min(i, tokenizer.vocabularySize() - 1)).length * (step > 100 ? 1f : 0);
            logits[0] = step > 20 ? 200 : 0.9f;
            if (step > 100 || random.nextInt(3) == 0) for (int token : closing) logits[token] += (tokenizer.bytes(token)[0] == '"' && step > 100 ? 60 : 50) + random.nextFloat();
            constraint.mask(logits, 0, logits.length);
            int best = best(logits);
            if (best == 0) return text.toString(StandardCharsets.UTF_8);
            constraint.accept(best);
            text.writeBytes(tokenizer.bytes(best));
        }
        throw new AssertionError("no end after %d bytes: %s".formatted(text.size(), text.toString(StandardCharsets.UTF_8)));
    }

    List<String> answers(int count, Supplier<Constraint> constraint) {
        var answers = new ArrayList<String>();
        for (int i = 0; i < count; i++) answers.add(answer(constraint.get()));
        return answers;
    }

    static int best(float[] logits) {
        int best = -1;
        for (int i = 0; i < logits.length; i++) if (logits[i] > Float.NEGATIVE_INFINITY && (best < 0 || logits[i] > logits[best])) best = i;
        if (best < 0) throw new AssertionError("every token is ruled out");
        return best;
    }
}
