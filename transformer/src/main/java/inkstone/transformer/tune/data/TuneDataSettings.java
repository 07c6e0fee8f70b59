package inkstone.transformer.tune.data;

/**
 * How training data is read.
 *
 * @param format          null to find out
 * @param contextLength   most tokens of one sequence
 * @param validationShare of the conversations, documents or rows, held out of training; 0 holds out none
 * @param seed            decides which
 */
public record TuneDataSettings(Format format, int contextLength, double validationShare, long seed) {
    public TuneDataSettings {
        if (contextLength < 8) throw new IllegalArgumentException("the context must have 8 tokens or more, got " + contextLength);
        if (!(validationShare >= 0 && validationShare < 1)) throw new IllegalArgumentException("the validation share must be from 0 to less than 1, got " + validationShare);
    }
}
