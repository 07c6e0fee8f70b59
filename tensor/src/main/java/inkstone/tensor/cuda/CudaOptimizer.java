package inkstone.tensor.cuda;

import inkstone.tensor.AdamStep;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;

/** Steps of the optimizer. */
final class CudaOptimizer {
    /** Of states in eight bits: threads of a block, each of which owns two numbers. */
    private static final int BLOCK = 256;

    private final Kernel adamW, adamWOfBlocks, average;

    CudaOptimizer(Gpu gpu) {
        adamW = gpu.kernel("optimizer", "adamw");
        adamWOfBlocks = gpu.kernel("optimizer", "adamw_q8_0");
        average = gpu.kernel("optimizer", "average_weights");
    }

    void adamW(Tensor weight, Tensor gradient, Tensor m, Tensor v, AdamStep step) {
        boolean floats = m.dtype() == DType.F32;
        double share = 1 / (1 - Math.pow(step.beta2(), step.step())), rate = step.rate() / (1 - Math.pow(step.beta1(), step.step()));
        var kernel = (floats ? adamW : adamWOfBlocks).with(weight).with(gradient).with(m).with(v).with(step.gradient()).with(step.beta1()).with(1 - step.beta1())
            .with(step.beta2()).with(1 - step.beta2()).with((float) rate).with((float) (floats ? share : Math.sqrt(share))).with(step.eps()).with(step.rate() * step.decay());
        if (floats) {
            Elements.launch(kernel, weight);
        } else {
            long count = weight.shape().elements();
            kernel.with(step.key()).with(count).launch(Math.ceilDiv(count, 2 * BLOCK), BLOCK);
        }
    }

    void average(Tensor average, Tensor weight, float share) { Elements.launch(this.average.with(average).with(weight).with(share), average); }
}
