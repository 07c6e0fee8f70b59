package inkstone.diffusion.dit;

import inkstone.diffusion.sampling.Denoiser;
import inkstone.diffusion.sampling.Guidance;
import inkstone.diffusion.sampling.Objective;
import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A {@link Dit} as samplers see it: what it takes for the clean pictures of noisy ones, several side by side, each with its prompt and guidance. For the thread of the backend. */
public final class GuidedDit implements Denoiser, AutoCloseable {
    private final Dit dit;
    private final Objective objective;
    private final Guidance guidance;
    private final List<WeighedTokens> prompts;
    private final Scope scope;

    /**
     * @param prompts   one for each picture
     * @param negatives what guidance leads away from, as many; read only where there is guidance
     */
    public GuidedDit(Dit dit, Objective objective, List<WeighedTokens> prompts, List<WeighedTokens> negatives, Guidance guidance, Backend backend) {
        this.dit = dit;
        this.objective = objective;
        this.guidance = guidance;
        this.prompts = new ArrayList<>(prompts);
        if (!guidance.isNone()) this.prompts.addAll(negatives);
        scope = Scope.inference(backend);
    }

    /** @param x pictures [n, size, size, channels] */
    @Override public float[] denoise(float[] x, double sigma) {
        scope.reset();
        var preconditioning = objective.noise().preconditioning(sigma);
        var config = dit.config();
        float[] seen = preconditioning.input(x), input = seen;
        if (!guidance.isNone()) {
            input = Arrays.copyOf(seen, 2 * seen.length);
            System.arraycopy(seen, 0, input, seen.length, seen.length);
        }
        var times = new double[prompts.size()];
        Arrays.fill(times, objective.time(preconditioning));
        var rows = scope.floats(Dit.toPatches(config, input), prompts.size() * config.tokens(), config.patchNumbers());
        float[] said = Dit.fromPatches(config, dit.forward(rows, times, dit.read(scope, prompts)).toFloats());
        if (guidance.isNone()) return preconditioning.clean(x, said);
        float[] with = preconditioning.clean(x, Arrays.copyOf(said, x.length)), without = preconditioning.clean(x, Arrays.copyOfRange(said, x.length, 2 * x.length));
        return guidance.combine(x, sigma, objective.noise(), with, without);
    }

    @Override public void close() { scope.close(); }
}
