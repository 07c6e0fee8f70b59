package inkstone.transformer.tune;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.train.Trainer;
import inkstone.transformer.adapters.AdapterData;
import inkstone.transformer.adapters.LowRank;
import inkstone.transformer.train.TrainedModel;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;

/**
 * What a run has learned so far, from its folder: the parameters with the lowest validation loss, else those of the last checkpoint. At any time, also while the run goes on and
 * after it was killed: the files of a run appear whole or not at all.
 */
public final class Learned {
    private static final String A = ".lora_a", B = ".lora_b", MAGNITUDE = ".lora_magnitude";

    /** What an optimizer keeps of a parameter has a prefix with this, which no parameter's name has: "m:blk.0.attn_q.lora_a". */
    private static final char OF_OPTIMIZER = ':';

    private Learned() {}

    /** @throws IllegalStateException where it has saved nothing yet */
    private static Path state(FineTuneSettings settings) {
        var best = Trainer.best(settings.out());
        if (Files.exists(best)) return best;
        var last = Trainer.checkpoint(settings.out());
        if (!Files.exists(last)) throw new IllegalStateException("nothing is saved yet of what is learned; wait for the first checkpoint");
        return last;
    }

    /** The adapter of a run with LoRA, DoRA or what builds on them. */
    public static AdapterData adapter(FineTuneSettings settings, String name) throws IOException {
        try (var file = Gguf.open(state(settings))) {
            var changes = new ArrayList<LowRank>();
            for (var a : file.tensors().values()) {
                if (!a.name().endsWith(A) || a.name().indexOf(OF_OPTIMIZER) >= 0) continue;
                var linear = a.name().substring(0, a.name().length() - A.length());
                int rank = a.shape().dim(0), out = file.tensors().get(linear + B).shape().dim(0);
                var magnitude = file.tensors().containsKey(linear + MAGNITUDE) ? floats(file, linear + MAGNITUDE) : null;
                changes.add(new LowRank(linear, a.shape().dim(1), out, rank, floats(file, a.name()), floats(file, linear + B), settings.alpha() / rank, magnitude));
            }
            return new AdapterData(name, changes);
        }
    }

    private static float[] floats(Gguf file, String tensor) { return file.data(tensor).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED); }

    /**
     * The model of a run that changes every weight, F32, in the run's folder: written where the last one is older than what is learned.
     *
     * @return the GGUF file
     */
    public static Path model(FineTuneSettings settings, Backend backend) throws IOException {
        var state = state(settings);
        var target = settings.out().resolve(FineTuneRun.MODEL);
        if (Files.exists(target) && Files.getLastModifiedTime(target).compareTo(Files.getLastModifiedTime(state)) > 0) return target;
        try (var file = Gguf.open(state)) {
            var parameters = new LinkedHashMap<String, Tensor>();
            file.tensors().forEach((name, info) -> {
                if (name.indexOf(OF_OPTIMIZER) < 0) parameters.put(name, Tensor.of(DType.F32, backend.resident(file.data(name)), info.shape().toArray()));
            });
            TrainedModel.write(FineTuneRun.whole(settings), parameters, backend, target);
        }
        return target;
    }
}
