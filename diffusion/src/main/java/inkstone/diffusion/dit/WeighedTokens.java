package inkstone.diffusion.dit;

/**
 * A prompt as a {@link Dit} reads it.
 *
 * @param tokens  1 or more, the first of which stands for the whole
 * @param weights of each, 1 where nobody says
 */
public record WeighedTokens(int[] tokens, float[] weights) {
    public WeighedTokens {
        if (tokens.length == 0 || tokens.length != weights.length) throw new IllegalArgumentException("expected a weight for each of 1 or more tokens, got %d and %d".formatted(weights.length, tokens.length));
    }

    int length() { return tokens.length; }

    boolean isWeighed() {
        for (float weight : weights) if (weight != 1) return true;
        return false;
    }
}
