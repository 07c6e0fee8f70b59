package inkstone.transformer;

import inkstone.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A small model that writes ahead of a large one of the same vocabulary. It has keys and values of its own, at the same pages and slots as the large model's: what sequences
 * share, keep and give back there they do here as well, and all that is to be remembered is how far the draft has come, {@link Sequence#drafted}. It reads every prompt
 * along with the large model, and beyond what its own context holds guesses no more. One thread.
 */
final class Draft implements AutoCloseable {
    /** Rows that the draft may be behind, as after steps without guesses, and still guess in the same step; further behind it only reads, so many at a time. */
    private static final int CATCH_UP = 32;

    private final Engine engine;
    /** Token ids that both models have. */
    private final int vocabulary;
    /** Tokens of a sequence that the draft can read. */
    private final int reach;

    Draft(LanguageModel draft, LanguageModel model, int contextLength, int cacheTokens, DType cacheType) {
        requireSameVocabulary(draft, model);
        var config = draft.model().config();
        if (KvCache.recurrent(config)) {
            throw new IllegalArgumentException("the draft model %s keeps states, which cannot be taken back to the last right guess; draft with a model that has attention"
                .formatted(draft.name()));
        }
        this.engine = Engine.ofDraft(draft, contextLength, cacheTokens, cacheType);
        this.vocabulary = Math.min(config.vocabularySize(), model.model().config().vocabularySize());
        this.reach = Math.min(contextLength, config.contextLength());
    }

    /** Sizes may differ, for sizes of a family are padded differently; the tokens that both have must be the same. */
    private static void requireSameVocabulary(LanguageModel draft, LanguageModel model) {
        var small = draft.tokenizer();
        var large = model.tokenizer();
        for (int token = 0; token < Math.min(small.vocabularySize(), large.vocabularySize()); token++) {
            if (Arrays.equals(small.bytes(token), large.bytes(token)) && small.isControl(token) == large.isControl(token)) continue;
            throw new IllegalArgumentException("the draft model %s has another vocabulary than %s: token %d is \"%s\" there and \"%s\" here; draft with a smaller model of the same family"
                .formatted(draft.name(), model.name(), token, small.piece(token), large.piece(token)));
        }
    }

    long cacheBytes() { return engine.cache().bytes(); }

    /** How many tokens it can write after these. */
    int reach(Sequence sequence) { return Math.max(0, reach - sequence.length()); }

    /** Reads the rows of prompts that the model has read, and as many again of those it is behind. */
    void follow(List<Engine.Run> runs) {
        var own = new ArrayList<Engine.Run>();
        for (var run : runs) {
            var sequence = run.sequence();
            int rows = Math.min(2 * run.rows(), Math.min(sequence.cached(), reach) - sequence.drafted());
            if (rows > 0) own.add(new Engine.Run(sequence, sequence.drafted(), rows, 0, 0));
        }
        if (!own.isEmpty()) run(own);
    }

    private Logits run(List<Engine.Run> runs) {
        var logits = engine.forward(runs);
        for (var run : runs) run.sequence().drafted(run.from() + run.rows());
        return logits;
    }

    private record Guessing(Generation answer, Constraint constraint, int end) {}

    /** Appends up to {@code most[i]} guesses, none beyond its {@link #reach}, to the sequence of answer i: one pass of the draft for each token, all answers together. */
    void guess(List<Generation> answers, int[] most) {
        var guessing = new ArrayList<Guessing>();
        for (int i = 0; i < most.length; i++) {
            var sequence = answers.get(i).sequence();
            if (most[i] > 0) guessing.add(new Guessing(answers.get(i), answers.get(i).forkedConstraint(), sequence.length() + most[i]));
        }
        var behind = guessing.stream().map(each -> each.answer.sequence()).filter(sequence -> sequence.length() - sequence.drafted() > CATCH_UP).toList();
        guessing.removeIf(each -> behind.contains(each.answer.sequence()));
        if (!behind.isEmpty()) run(behind.stream().map(sequence -> new Engine.Run(sequence, sequence.drafted(), CATCH_UP, 0, 0)).toList());
        while (!guessing.isEmpty()) {
            var logits = run(guessing.stream().map(each -> next(each.answer)).toList());
            var next = new ArrayList<Guessing>();
            for (int i = 0; i < guessing.size(); i++) {
                var each = guessing.get(i);
                boolean guessed = each.answer.guess(logits, i, vocabulary, each.constraint);
                if (guessed && each.answer.sequence().length() < each.end) next.add(each);
            }
            guessing.clear();
            guessing.addAll(next);
        }
    }

    /** All that the draft has not read of an answer. Its largest logits decide where none of them can be of a token that the model does not have. */
    private Engine.Run next(Generation answer) {
        var sequence = answer.sequence();
        return new Engine.Run(sequence, sequence.drafted(), sequence.length() - sequence.drafted(), 1, vocabulary == engine.vocabulary() ? answer.deciding() : 0);
    }

    @Override public void close() { engine.close(); }
}
