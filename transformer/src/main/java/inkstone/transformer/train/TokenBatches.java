package inkstone.transformer.train;

import java.io.IOException;

/** Batches without end, whose place can be kept and found again. One thread. */
public interface TokenBatches {
    TokenBatch next() throws IOException;

    /** Where {@link #next} goes on, in a form that {@link #seek} takes. */
    String position();

    void seek(String position) throws IOException;
}
