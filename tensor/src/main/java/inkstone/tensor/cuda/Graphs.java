package inkstone.tensor.cuda;

import inkstone.tensor.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import jcuda.driver.CUgraphExec;

/**
 * Steps recorded as CUDA graphs: those used last. A step runs plainly when it comes for the first time, which loads its kernels and lets scratch memory grow; the second time its
 * launches are recorded and from then on repeated. Where scratch memory moves, records hold its old address and are made again.
 */
final class Graphs implements AutoCloseable {
    private static final int MOST = 48;

    /** What is known of a step; without a graph before it is recorded. */
    private static final class Step {
        private CUgraphExec graph;
        private Tensor result;

        void forget() {
            if (graph != null) CudaDriver.destroy(graph);
            graph = null;
            result = null;
        }
    }

    private final Gpu gpu;
    private final Map<Object, Step> steps = new LinkedHashMap<>(16, 0.75f, true);
    private int moves;
    private boolean recording;

    Graphs(Gpu gpu) { this.gpu = gpu; }

    Tensor run(Object key, Supplier<Tensor> work) {
        if (gpu.careful()) return work.get();                                         // which waits for every launch, and a recorded one never runs
        if (moves != gpu.moves()) {
            steps.values().forEach(Step::forget);
            moves = gpu.moves();
        }
        var step = steps.get(key);
        if (step == null) {
            var result = work.get();
            steps.put(key, new Step());
            if (steps.size() > MOST) steps.remove(steps.keySet().iterator().next()).forget();
            return result;
        }
        if (step.graph == null) record(step, work);
        CudaDriver.launch(step.graph, gpu.stream);
        return step.result;
    }

    private void record(Step step, Supplier<Tensor> work) {
        CudaDriver.beginCapture(gpu.stream);
        recording = true;
        try {
            step.result = work.get();
        } catch (RuntimeException | Error problem) {
            recording = false;
            CudaDriver.abandonCapture(gpu.stream);
            throw problem;
        }
        recording = false;
        var graph = CudaDriver.endCapture(gpu.stream);
        step.graph = CudaDriver.instantiate(graph);
        CudaDriver.destroy(graph);
    }

    /** Throws where a step is being recorded: what is not on the stream would happen once, now, and never again. */
    void forbid(String what) {
        if (recording) throw new IllegalStateException("a step that is recorded to be repeated may not %s".formatted(what));
    }

    /** How many steps are recorded. */
    int recorded() { return (int) steps.values().stream().filter(step -> step.graph != null).count(); }

    @Override public void close() {
        steps.values().forEach(Step::forget);
        steps.clear();
    }
}
