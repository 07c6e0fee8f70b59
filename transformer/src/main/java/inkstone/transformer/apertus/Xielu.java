package inkstone.transformer.apertus;

import inkstone.tensor.Elementwise;
import inkstone.tensor.Tensor;

/**
 * xIELU (Huang & Schlag 2024, arXiv:2411.13010): alphaP · z² + beta · z above 0, alphaN · (eᶻ - 1 - z) + beta · z below. The paper's bound on z next to 0, 1e-6, is there for
 * the gradient and changes the value by less than alphaN times that.
 */
record Xielu(float alphaP, float alphaN, float beta) {
    Tensor of(Tensor z) {
        var below = z.map(Elementwise.ELU).add(z.scale(-1)).scale(alphaN);
        return z.map(Elementwise.RELU_SQUARED).scale(alphaP).add(below).add(z.scale(beta));
    }
}
