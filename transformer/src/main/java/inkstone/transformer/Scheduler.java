package inkstone.transformer;

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

    /** Cancels what runs and waits, and ends the thread. */
    @Override void close();
}
