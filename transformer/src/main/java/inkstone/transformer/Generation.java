package inkstone.transformer;

import inkstone.tokenizer.StreamDecoder;
import inkstone.tokenizer.Tokenizer;
import inkstone.transformer.GenerationResult.Finish;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/**
 * One answer on its way: what {@link Session} and {@link BatchScheduler} do between steps. Everything but {@link #cancel} belongs to the engine's thread.
 */
final class Generation {
    private final GenerationRequest request;
    private final CausalModel variant;
    private final Consumer<Piece> onPiece;
    private final Constraint constraint;
    private final Sampler sampler;
    /** Null where no log-probabilities are wanted. */
    private final Distribution distribution;
    private final StopFilter stops;
    private final StreamDecoder decoder;
    private final int[] endTokens;
    private final int maxTokens;
    private final StringBuilder text = new StringBuilder();
    /** Of tokens whose text has begun to be shown, and of those after them. */
    private final List<TokenLogprob> logprobs = new ArrayList<>();
    private final ArrayDeque<TokenLogprob> held = new ArrayDeque<>();
    /** Code points of the text so far, and of what of it is shown. */
    private int decoded, shown;
    private volatile boolean cancelled;
    private Sequence sequence;
    private Finish finish;
    private int cachedTokens, written;
    /** Of the tokens at the end of the sequence, those that are guesses. */
    private int guessed;
    private final Acceptance acceptance = new Acceptance();
    private Guesses guesses = Guesses.NONE;
    private long started, firstToken;

    Generation(GenerationRequest request, Consumer<Piece> onPiece, Tokenizer tokenizer, Engine engine) {
        engine.check(request.prompt());
        for (int token : request.logitBias().keySet()) {
            if (token < 0 || token >= engine.vocabulary()) {
                throw new IllegalArgumentException("logit_bias has token %d, the vocabulary ends at %d".formatted(token, engine.vocabulary() - 1));
            }
        }
        this.request = request;
        this.variant = request.variant() == null ? engine.model() : request.variant();
        this.onPiece = onPiece;
        this.endTokens = tokenizer.endOfGeneration().stream().mapToInt(Integer::intValue).sorted().toArray();
        this.constraint = request.constraint() == null ? null : request.constraint().get();
        this.sampler = new Sampler(request.sampling(), request.logitBias());
        this.distribution = request.topLogprobs() < 0 ? null : new Distribution(request.topLogprobs());
        this.stops = new StopFilter(request.stop());
        this.decoder = tokenizer.streamDecoder();
        this.maxTokens = Math.min(request.maxTokens(), engine.contextLength() - request.prompt().length);
        if (maxTokens == 0) finish = Finish.LENGTH;
    }

    int[] prompt() { return request.prompt(); }

    /** The model that answers. */
    CausalModel variant() { return variant; }

    String client() { return request.client(); }

    /** The answer goes on in this sequence, which becomes the prompt. */
    void start(Sequence sequence) {
        this.sequence = sequence;
        started = System.nanoTime();
        sequence.become(variant);
        cachedTokens = sequence.restart(request.prompt());
    }

    /** So many more tokens of the prompt were found in the cache after the start. */
    void reuse(int tokens) { cachedTokens += tokens; }

    Sequence sequence() { return sequence; }

    /** Whether the prompt is read and every step brings a token. */
    boolean writing() { return written > 0; }

    void cancel() { cancelled = true; }

    /** Whether the answer has ended; a cancel ends it here. */
    boolean ended() {
        if (cancelled && finish == null) finish = Finish.CANCELLED;
        return finish != null;
    }

    // ---- guesses: what may come next is appended to the sequence, runs in the same step as its last token, and stands where the sampler chooses it -----------------

    Acceptance acceptance() { return acceptance; }

    /** How many tokens the answer may still get: what was asked for, as far as the context goes. */
    int tokensLeft() { return maxTokens - written; }

    /** Rows of the next step whose logits {@link #accept} reads. */
    int rowsToAccept() { return 1 + guessed; }

    /** How many of the largest logits of such a row are enough; 0: it reads all. */
    int deciding() { return constraint == null && distribution == null ? sampler.deciding() : 0; }

    /** Null without a constraint. */
    Constraint forkedConstraint() { return constraint == null ? null : constraint.fork(); }

    /** Appends a guess; false where it would end the answer, after which nothing can be guessed. */
    boolean guess(int token) {
        if (Arrays.binarySearch(endTokens, token) >= 0) return false;
        sequence.append(token);
        guessed++;
        return true;
    }

    /**
     * Appends what the sampler would choose if a row of a draft's logits, which are overwritten, were the model's; false where that would end the answer.
     *
     * @param vocabulary tokens that count, where the logits of all are there
     * @param fork of the constraint, which is told; null for none
     */
    boolean guess(Logits logits, int row, int vocabulary, Constraint fork) {
        int token;
        try {
            token = sampler.sample(logits.values(), logits.tokens(), logits.at(row), Math.min(vocabulary, logits.width()), fork, sequence.tokens(), sequence.length(), request.prompt().length);
        } catch (ConstraintException end) {
            return false;
        } catch (ArithmeticException broken) {
            throw new ArithmeticException("draft model: " + broken.getMessage());
        }
        if (!guess(token)) return false;
        if (fork != null) fork.accept(token);
        return true;
    }

    /** The step that ran the sequence's last token, and the guesses after it, gave these logits, {@link #rowsToAccept} rows from {@code first} on, which are overwritten. */
    void accept(Logits logits, int first) {
        int made = guessed, start = sequence.length() - made, right = 0;
        int[] ahead = Arrays.copyOfRange(sequence.tokens(), start, start + made);
        sequence.retract(made);
        guessed = 0;
        try {
            for (int row = 0; row <= made && !ended(); row++) {
                choose(logits, first + row);
                boolean asGuessed = row < made && sequence.length() > start + row && sequence.tokens()[start + row] == ahead[row];
                if (!asGuessed) break;
                right++;
            }
        } finally {
            sequence.settle(start + right);
            if (made > 0) {
                var told = new Guesses(made, right);
                guesses = guesses.plus(told);
                acceptance.told(told);
            }
        }
    }

    private void choose(Logits logits, int row) {
        if (distribution != null) distribution.read(logits.values(), logits.at(row), logits.width());
        int token = sampler.sample(logits.values(), logits.tokens(), logits.at(row), logits.width(), constraint, sequence.tokens(), sequence.length(), request.prompt().length);
        if (written == 0) firstToken = System.nanoTime();
        if (Arrays.binarySearch(endTokens, token) >= 0) {
            end(Finish.STOP);
            return;
        }
        sequence.append(token);
        written++;
        if (constraint != null) constraint.accept(token);
        if (distribution != null) held.add(distribution.of(token, decoded));
        var part = decoder.next(token);
        decoded += characters(part);
        show(stops.next(part), false);
        if (stops.stopped()) finish = Finish.STOP;
        else if (written == maxTokens) end(Finish.LENGTH);
    }

    /** Ends the answer and shows what was held back. */
    void end(Finish how) {
        finish = how;
        var rest = stops.next(decoder.flush()) + stops.flush();
        if (stops.stopped()) finish = Finish.STOP;
        boolean all = !stops.stopped();
        if (!rest.isEmpty() || all && !held.isEmpty()) show(rest, all);
    }

    /** @param all whether no text was cut off, so that even tokens without text of their own are told of */
    private void show(String part, boolean all) {
        text.append(part);
        shown += characters(part);
        int before = logprobs.size();
        while (!held.isEmpty() && (all || held.peek().offset() < shown)) logprobs.add(held.poll());
        onPiece.accept(new Piece(part, written, List.copyOf(logprobs.subList(before, logprobs.size()))));
    }

    private static int characters(String text) { return text.codePointCount(0, text.length()); }

    GenerationResult result() {
        int[] prompt = request.prompt();
        int[] tokens = sequence == null ? new int[0] : Arrays.copyOfRange(sequence.tokens(), prompt.length, prompt.length + written);
        long now = System.nanoTime(), first = firstToken == 0 ? now : firstToken;
        return new GenerationResult(text.toString(), tokens, List.copyOf(logprobs), finish, prompt.length, cachedTokens, guesses,
            sequence == null ? 0 : first - started, now - first);
    }
}
