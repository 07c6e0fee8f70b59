package inkstone.tensor.train;

import inkstone.tensor.Tensor;
import java.util.Map;

/** Turns gradients into steps of the parameters it was made for. Owns its states. One thread at a time. */
public sealed interface Optimizer extends AutoCloseable permits AdamW, Muon {
    /**
     * @param step     from 1
     * @param rate     learning rate
     * @param gradient what all gradients are multiplied by first
     */
    void step(int step, double rate, float gradient);

    /** What must be kept between steps besides the parameters: name -> tensor, names as the parameters' with a prefix. */
    Map<String, Tensor> states();

    /** Bytes of states for each parameter of F32, about. */
    double bytesPerParameter();

    @Override void close();
}
