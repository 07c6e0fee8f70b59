package inkstone.transformer;

import inkstone.tokenizer.StreamDecoder;
import inkstone.tokenizer.Tokenizer;
import inkstone.transformer.GenerationResult.Finish;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * One answer on its way: what {@link Session} and {@link BatchScheduler} do between steps. Everything but {@link #cancel} belongs to the engine's thread.
 */
final class Generation {
    private final GenerationRequest request;
    private final Consumer<Piece> onPiece;
    private final Sampler sampler;
    private final StopFilter stops;
    private final StreamDecoder decoder;
    private final int[] endTokens;
    private final int vocabulary;
    private final int maxTokens;
    private final StringBuilder text = new StringBuilder();
    private volatile boolean cancelled;
    private Sequence sequence;
    private Finish finish;
    private int cachedTokens, written;
    private long started, firstToken;

    Generation(GenerationRequest request, Consumer<Piece> onPiece, Tokenizer tokenizer, Engine engine) {
        engine.check(request.prompt());
        this.request = request;
        this.onPiece = onPiece;
        this.endTokens = tokenizer.endOfGeneration().stream().mapToInt(Integer::intValue).sorted().toArray();
        this.vocabulary = engine.vocabulary();
        this.sampler = new Sampler(request.sampling());
        this.stops = new StopFilter(request.stop());
        this.decoder = tokenizer.streamDecoder();
        this.maxTokens = Math.min(request.maxTokens(), engine.contextLength() - request.prompt().length);
        if (maxTokens == 0) finish = Finish.LENGTH;
    }

    int[] prompt() { return request.prompt(); }

    /** Most tokens the answer may have: what was asked for, as far as the context goes. */
    int maxTokens() { return maxTokens; }

    /** The answer goes on in this sequence, which becomes the prompt. */
    void start(Sequence sequence) {
        this.sequence = sequence;
        started = System.nanoTime();
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

    /** The step that ran the sequence's last token gave these logits, which are overwritten. */
    void accept(float[] logits, int offset) {
        int token = sampler.sample(logits, offset, vocabulary, sequence.tokens(), sequence.length(), request.prompt().length);
        if (written == 0) firstToken = System.nanoTime();
        if (Arrays.binarySearch(endTokens, token) >= 0) {
            end(Finish.STOP);
            return;
        }
        sequence.append(token);
        written++;
        show(stops.next(decoder.next(token)));
        if (stops.stopped()) finish = Finish.STOP;
        else if (written == maxTokens) end(Finish.LENGTH);
    }

    /** Ends the answer and shows what was held back. */
    void end(Finish how) {
        finish = how;
        var rest = stops.next(decoder.flush()) + stops.flush();
        if (stops.stopped()) finish = Finish.STOP;
        if (!rest.isEmpty()) show(rest);
    }

    private void show(String part) {
        text.append(part);
        onPiece.accept(new Piece(part, written));
    }

    GenerationResult result() {
        int[] prompt = request.prompt();
        int[] tokens = sequence == null ? new int[0] : Arrays.copyOfRange(sequence.tokens(), prompt.length, prompt.length + written);
        long now = System.nanoTime(), first = firstToken == 0 ? now : firstToken;
        return new GenerationResult(text.toString(), tokens, finish, prompt.length, cachedTokens, sequence == null ? 0 : first - started, now - first);
    }
}
