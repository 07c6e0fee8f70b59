package inkstone.transformer;

/**
 * How tokens are guessed ahead of a model, which then checks several in one step for hardly more than the price of one (Leviathan et al. 2022, arXiv:2211.17192; Chen et
 * al. 2023, arXiv:2302.01318).
 *
 * <p>A guess is taken where it is what the sampler chooses of itself: each token is drawn from the model's own distribution after the tokens before it, with the random
 * number that it would have met without guesses. So bias, constraint, penalties and filters hold as ever, and not only the distribution but the text of every seed is the
 * same, whoever guesses and however well, up to the last bits in which logits of one row and of several may differ (a greedy answer changes only where two likeliest
 * tokens are that near). The papers' rule, accept with min(1, p/q) and else draw from what p has more than q, takes a few more guesses, but its texts depend on the
 * draft, on its precision and on who else is served. What is lost is little because a draft model draws with the same random number: the two agree wherever that number
 * falls into the same token's share of both (a coupling without communication, Daliri et al. 2024, arXiv:2408.07978).
 *
 * @param most  most tokens to guess at once for one answer, 1 to {@value #MOST}; 0 guesses never. How many are worth their time a {@code Speculator} measures
 * @param draft the model that guesses, of the same vocabulary; null where the text itself does, by {@link NgramLookup}. Must outlive whoever guesses with it
 */
public record Speculation(int most, LanguageModel draft) {
    /** Beyond this a step's rows cost more than any text repeats itself. */
    public static final int MOST = 64;

    public static final Speculation NONE = new Speculation(0, null);

    public Speculation {
        if (most < 0 || most > MOST) throw new IllegalArgumentException("tokens to guess must be 0 to %d, got %d".formatted(MOST, most));
    }

    /** Guesses what followed the last tokens earlier in the text. */
    public static Speculation lookup(int most) { return new Speculation(most, null); }
}
