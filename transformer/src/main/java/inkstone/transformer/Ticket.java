package inkstone.transformer;

import java.util.concurrent.CompletableFuture;

/** A submitted request. */
public interface Ticket {
    /**
     * Completes when the generation has ended, normally with the result (also after a cancel), exceptionally where it failed.
     */
    CompletableFuture<GenerationResult> result();

    /** Ends the generation at its next step. May be called at any time, by any thread, more than once. */
    void cancel();
}
