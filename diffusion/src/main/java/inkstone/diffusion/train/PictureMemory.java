package inkstone.diffusion.train;

import inkstone.tensor.Backend;
import inkstone.tensor.CountingBackend;
import inkstone.tensor.DType;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.Parameters;
import inkstone.transformer.MachineMemory;
import inkstone.transformer.train.MemoryNeed;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** What memory a run that learns from pictures will need, known before its first step: its own code carries a batch forward and back on a backend whose kernels do nothing. */
final class PictureMemory {
    /* Of the JVM apart from its heap; see MemoryNeed. */
    private static final long NATIVE = 100_000_000L;
    /* Batches beyond this are as many times larger as they have pictures: the pictures themselves lie in the heap. */
    private static final int MEASURED = 64;

    /** A network as the run makes it. */
    interface Learner extends AutoCloseable {
        /** Carries a batch of so many pictures forward. */
        Tensor loss(Scope scope, int pictures);

        @Override void close();
    }

    interface Building { Learner on(Backend backend, Parameters parameters) throws IOException; }

    private PictureMemory() {}

    /**
     * @return the most that the run will hold
     * @throws inkstone.tensor.ModelException where that is not there, naming settings with which it would be
     */
    static MemoryNeed require(Backend backend, Building building, PictureTraining training, String what) throws IOException {
        boolean device = backend.memory().isPresent();
        long available = MachineMemory.available(backend);
        var need = of(device, building, training, training.pictures(), training.recomputes());
        if (!need.fits(available)) {
            var fitting = new ArrayList<String>();
            for (boolean recompute : training.recomputes() ? new boolean[] {true} : new boolean[] {false, true}) {
                for (int pictures = training.pictures(); pictures >= 1; pictures /= 2) {
                    if (!of(device, building, training, pictures, recompute).fits(available)) continue;
                    fitting.add("\"batch\": %d%s".formatted(pictures, recompute ? ", \"recompute\": true" : ""));
                    break;
                }
            }
            need.require(available, what, () -> List.copyOf(fitting));
        }
        return need;
    }

    private static MemoryNeed of(boolean device, Building building, PictureTraining training, int pictures, boolean recompute) throws IOException {
        var counting = new CountingBackend(device);
        try (var parameters = new Parameters(counting); var learner = building.on(counting, parameters)) {
            long learning = 2 * DType.F32.bytes(parameters.count()), built = counting.held(), optimizer, activations, evaluation;
            try (var adam = new AdamW(counting, parameters.tensors(), training.adam(), 1)) {
                adam.step(1, 1, 1);
                optimizer = counting.held() - built;
            }
            try (var scope = recompute ? Scope.recomputing(counting) : Scope.training(counting)) {
                scope.backward(learner.loss(scope, Math.min(pictures, MEASURED)));
                scope.reset();                                                        // which puts together what the first step took piece by piece
                activations = scaled(scope.bytes(), pictures);
            }
            try (var scope = Scope.inference(counting)) {
                learner.loss(scope, Math.min(pictures, MEASURED));
                evaluation = scaled(scope.bytes(), pictures);
            }
            long largest = parameters.tensors().values().stream().mapToLong(tensor -> tensor.data().byteSize()).max().orElse(0);
            return new MemoryNeed(learning, built - learning, optimizer, training.decay() > 0 ? learning / 2 : 0, activations, evaluation, 0,
                NATIVE + Runtime.getRuntime().totalMemory() + 2 * largest, device);
        }
    }

    private static long scaled(long bytes, int pictures) { return pictures <= MEASURED ? bytes : (long) ((double) bytes * pictures / MEASURED); }
}
