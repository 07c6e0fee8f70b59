package inkstone.diffusion.dit;

import inkstone.diffusion.sampling.Objective;
import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * What a {@link Dit} takes for the clean pictures of noisy ones, several side by side, drawn from what it thinks without the prompt towards what it thinks with it (classifier-free guidance, Ho &
 * Salimans 2022, arXiv:2207.12598). For the thread of the backend.
 */
public final class GuidedDit implements AutoCloseable {
    private final Dit dit;
    private final Objective objective;
    private final double guidance;
    private final List<int[]> prompts;
    private final Scope scope;

    /**
     * @param prompts   tokens of each picture's
     * @param negatives tokens of what guidance leads away from, as many; read only where guidance is not 1
     */
    public GuidedDit(Dit dit, Objective objective, List<int[]> prompts, List<int[]> negatives, double guidance, Backend backend) {
        this.dit = dit;
        this.objective = objective;
        this.guidance = guidance;
        this.prompts = new ArrayList<>(prompts);
        if (guidance != 1) this.prompts.addAll(negatives);
        scope = Scope.inference(backend);
    }

    /** @param x pictures [n, size, size, channels] with {@code noise} in them, as the objective counts it @return the same without */
    public float[] denoise(float[] x, double noise) {
        scope.reset();
        var level = objective.at(noise);
        var config = dit.config();
        int copies = guidance == 1 ? 1 : 2;
        var input = new float[x.length * copies];
        for (int copy = 0; copy < copies; copy++) for (int i = 0; i < x.length; i++) input[copy * x.length + i] = (float) (level.input() * x[i]);
        var times = new double[prompts.size()];
        Arrays.fill(times, level.time());
        var rows = scope.floats(Dit.toPatches(config, input), prompts.size() * config.tokens(), config.patchNumbers());
        float[] said = Dit.fromPatches(config, dit.forward(rows, times, dit.read(scope, prompts)).toFloats());
        var clean = new float[x.length];
        for (int i = 0; i < x.length; i++) {
            double with = said[i], guided = copies == 1 ? with : said[x.length + i] + guidance * (with - said[x.length + i]);
            clean[i] = (float) (level.skip() * x[i] + level.output() * guided);
        }
        return clean;
    }

    /** As many empty prompts. */
    public static List<int[]> empty(DitModel model, int count) { return Collections.nCopies(count, model.tokens("")); }

    @Override public void close() { scope.close(); }
}
