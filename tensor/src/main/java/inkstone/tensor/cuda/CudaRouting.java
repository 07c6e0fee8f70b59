package inkstone.tensor.cuda;

import inkstone.tensor.Routing;
import inkstone.tensor.Tensor;

/** The choice of experts, and the sum of what they say. */
final class CudaRouting {
    /** Warps of a block, each of which chooses for a row; threads of a block for the gradient of a weighted row. */
    private static final int WARPS = 4, BLOCK = 256;

    private final Kernel route, routeGradient, weightedSum, weightedSumGradient;

    CudaRouting(Gpu gpu) {
        route = gpu.kernel("routing", "route");
        routeGradient = gpu.kernel("routing", "route_gradient");
        weightedSum = gpu.kernel("routing", "weighted_sum");
        weightedSumGradient = gpu.kernel("routing", "weighted_sum_gradient");
    }

    void route(Tensor experts, Tensor weights, Tensor scores, Tensor bias, Routing routing) {
        int count = scores.shape().last();
        launch(withScoring(route.with(experts).with(weights).with(scores).with(bias), scores, routing).with(routing.groups()).with(routing.groupsUsed()), scores,
            2 * (count + routing.groups()));
    }

    void routeGradient(Tensor dScores, Tensor dWeights, Tensor experts, Tensor weights, Tensor scores, Routing routing) {
        if (dScores == null) return;
        launch(withScoring(routeGradient.with(dScores).with(dWeights).with(experts).with(weights).with(scores), scores, routing), scores, scores.shape().last());
    }

    private static Kernel withScoring(Kernel kernel, Tensor scores, Routing routing) {
        return kernel.with((long) scores.shape().rows()).with(scores.shape().last()).with(routing.used()).with(routing.scoring() == Routing.Scoring.SOFTMAX)
            .with(routing.normalised()).with(routing.scale());
    }

    /** @param floats of shared memory for each row */
    private static void launch(Kernel kernel, Tensor scores, int floats) {
        kernel.launch(Math.ceilDiv(scores.shape().rows(), WARPS), 1, 1, WARPS * Gpu.WARP, WARPS * 4 * floats);
    }

    void weightedSum(Tensor y, Tensor x, Tensor weights) { Elements.launchRows(weightedSum.with(y).with(x).with(weights).with(weights.shape().last()), y); }

    void weightedSumGradient(Tensor dx, Tensor dWeights, Tensor dy, Tensor x, Tensor weights) {
        weightedSumGradient.with(dx).with(dWeights).with(dy).with(x).with(weights).with(weights.shape().last()).with(x.shape().last()).launch(x.shape().rows(), BLOCK);
    }
}
