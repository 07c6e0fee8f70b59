package inkstone.tensor;

/**
 * How the scores of a router become a choice of experts (Shazeer et al. 2017, arXiv:1701.06538). Probabilities over all experts choose the {@code used} largest,
 * with a bias added for the choice alone where there is one (Wang et al. 2024, arXiv:2408.15664), and are their weights.
 *
 * @param normalised whether the weights of the chosen are divided by their sum
 * @param scale      what the weights are multiplied by
 * @param groups     experts stand in this many equal groups, of which only the {@code groupsUsed} with the largest sum of their two best take part
 *                   (DeepSeek-AI 2024, arXiv:2412.19437); 1: no groups
 */
public record Routing(int used, Scoring scoring, boolean normalised, float scale, int groups, int groupsUsed) {
    /** What makes probabilities of scores. */
    public enum Scoring { SOFTMAX, SIGMOID }

    public Routing {
        if (used < 1 || groups < 1 || groupsUsed < 1 || groupsUsed > groups) {
            throw new IllegalArgumentException("routing needs an expert to choose, and groups of which some are used, got %d, %d, %d".formatted(used, groups, groupsUsed));
        }
    }

    /** Softmax over the chosen alone (Jiang et al. 2024, arXiv:2401.04088), which is softmax over all, normalised. */
    public static Routing softmax(int used) { return new Routing(used, Scoring.SOFTMAX, true, 1, 1, 1); }

    /** Which experts each row goes to, I32 [n, used], best first, and the weight of each, F32 [n, used]. */
    public record Choice(Tensor experts, Tensor weights) {}
}
