package inkstone.tensor;

/** A model file is wrong, or does not fit what reads it. The message says what was expected, what came, and what to do next. */
public final class ModelException extends RuntimeException {
    public ModelException(String message) { super(message); }
    public ModelException(String message, Throwable cause) { super(message, cause); }
}
