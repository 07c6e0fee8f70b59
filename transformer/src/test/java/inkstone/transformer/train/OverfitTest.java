package inkstone.transformer.train;

import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.Muon;
import inkstone.tensor.train.Optimizer;
import inkstone.tensor.train.Parameters;
import inkstone.transformer.NewModel;
import inkstone.transformer.RandomWeights;
import java.util.Map;
import java.util.Random;
import java.util.function.BiFunction;
import org.junit.jupiter.api.Test;

/** A model that can learn at all can learn one batch by heart: 64 random tokens, which nothing but memory foretells. */
class OverfitTest {
    private static final NewModel.Size LLAMA = new NewModel.Size("llama", 2, 64, 4, 2, 192, 32, true, 10_000), GPT2 = new NewModel.Size("gpt2", 2, 64, 4, 4, 256, 32, true, 10_000);
    private static final AdamW.Settings ADAM = new AdamW.Settings(0.9f, 0.95f, 1e-8f, 0, false), EIGHT_BITS = new AdamW.Settings(0.9f, 0.95f, 1e-8f, 0, true);
    private static final int VOCABULARY = 96, STEPS = 60;
    /** Of ln 96 = 4.6 at first: each next token has a probability of 99%. */
    private static final double NEAR_ZERO = 0.01;

    private interface Maker extends BiFunction<Backend, Map<String, Tensor>, Optimizer> {}

    @Test void llamaByAdamW() { learnsByHeart(LLAMA, (backend, parameters) -> new AdamW(backend, parameters, ADAM, 1), 0.01); }

    @Test void llamaByAdamWOfEightBits() { learnsByHeart(LLAMA, (backend, parameters) -> new AdamW(backend, parameters, EIGHT_BITS, 1), 0.01); }

    @Test void llamaByMuon() { learnsByHeart(LLAMA, (backend, parameters) -> new Muon(backend, parameters, ADAM, 1), 0.02); }

    @Test void gpt2ByAdamW() { learnsByHeart(GPT2, (backend, parameters) -> new AdamW(backend, parameters, ADAM, 1), 0.01); }

    private static void learnsByHeart(NewModel.Size size, Maker maker, double rate) {
        int[] tokens = new Random(5).ints(64, 0, VOCABULARY).toArray(), targets = new int[64];
        for (int i = 0; i < 64; i++) targets[i] = i % 32 == 31 ? -1 : tokens[i + 1];
        var batch = new TokenBatch(tokens, targets, new int[] {32, 32});
        try (var backend = new CpuBackend(2); var parameters = new Parameters(backend); var scope = Scope.training(backend)) {
            var model = RandomWeights.learning(size, VOCABULARY, parameters, backend);
            try (var optimizer = maker.apply(backend, parameters.tensors())) {
                float first = 0, last = 0;
                for (int step = 0; step <= STEPS; step++) {
                    scope.reset();
                    parameters.clearGradients();
                    var loss = LanguageLoss.of(model, scope, batch, 1f / batch.learned());
                    scope.backward(loss);
                    last = loss.toFloats()[0];
                    if (step == 0) first = last;
                    optimizer.step(step + 1, rate, 1);
                }
                assertTrue(first > 4 && last < NEAR_ZERO, "from %.3f to %.4f in %d steps".formatted(first, last, STEPS));
            }
        }
    }
}
