package inkstone.transformer;

/** A constraint has led an answer where no token of the model's vocabulary may come next. */
public final class ConstraintException extends IllegalStateException {
    public ConstraintException(String message) { super(message); }
}
