package inkstone.transformer;

import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Serves many requests on one model: one thread owns the backend and runs steps in which every active request takes part.
 * Requests may be submitted by any thread.
 */
public interface Scheduler extends AutoCloseable {
    /**
     * @param onPiece called on the scheduler's thread for every piece; must be quick. A throw cancels the request and fails its result.
     * @throws QueueFullException   when too many requests wait
     * @throws ContextFullException when the prompt leaves no room for an answer
     */
    Ticket submit(GenerationRequest request, Consumer<Piece> onPiece);

    /**
     * The vector of a text: its tokens' hidden states after the last norm, pooled and divided by their length, [dim]. Answers that are being written pause for
     * the one pass that a text takes. A cancel of the future takes the text back while it waits.
     *
     * @throws QueueFullException when too many texts wait
     */
    CompletableFuture<float[]> embed(int[] tokens, Pooling pooling);

    /** Cancels what runs and waits, and ends the thread. */
    @Override void close();
}
