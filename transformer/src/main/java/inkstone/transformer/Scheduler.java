package inkstone.transformer;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Serves many requests on one model: one thread owns the backend and runs steps in which every active request takes part.
 * Requests may be submitted by any thread.
 */
public interface Scheduler extends AutoCloseable {
    /**
     * @param onPiece called on the scheduler's thread for every piece; must be quick. A throw cancels the request and fails its result.
     * @throws QueueFullException            when too many requests wait
     * @throws ContextFullException          when the prompt leaves no room for an answer
     * @throws UnsupportedOperationException where it makes vectors only
     */
    Ticket submit(GenerationRequest request, Consumer<Piece> onPiece);

    /**
     * The vectors of texts given as tokens: the hidden states of each after the last norm, pooled and divided by their length, [dim]. Several texts, of any requests,
     * are read side by side in one pass; answers that are being written pause for it. A cancel of the future takes back the texts that wait.
     *
     * @throws QueueFullException when too many requests wait
     */
    CompletableFuture<List<float[]>> embed(List<int[]> texts, Pooling pooling);

    /** Cancels what runs and waits, and ends the thread. */
    @Override void close();
}
