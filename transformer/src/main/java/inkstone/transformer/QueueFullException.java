package inkstone.transformer;

/** Too many requests wait: try again later. */
public final class QueueFullException extends IllegalStateException {
    public QueueFullException(String message) { super(message); }
}
