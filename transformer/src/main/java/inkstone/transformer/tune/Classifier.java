package inkstone.transformer.tune;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.checkpoint.TensorInfo;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.Models;
import inkstone.transformer.Packed;
import inkstone.transformer.adapters.Adapter;
import inkstone.transformer.tune.data.Prompting;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Tells texts apart: a language model whose head, in place of a token, names one of a few labels, from the hidden state of a text's last token (Radford et al. 2018, "Improving
 * language understanding by generative pre-training"). Made by {@link FineTuneRun} from texts with labels. For the thread of the backend; closing it closes the model.
 */
public final class Classifier implements AutoCloseable {
    /** In a run's folder: labels and head. */
    public static final String FILE = "classifier.gguf";
    /** The head, [labels, dim], and what it is called in the file and among the parameters of a run. */
    static final String HEAD = "score.weight";
    private static final String LABELS = "classifier.labels", ARCHITECTURE = "classifier";

    private final LanguageModel model;
    private final Backend backend;
    private final List<String> labels;
    private final MemorySegment memory;
    private final Tensor head;

    private Classifier(LanguageModel model, Backend backend, List<String> labels, float[] head) {
        this.model = model;
        this.backend = backend;
        this.labels = labels;
        this.memory = backend.allocate(DType.F32.bytes(head.length));
        backend.upload(memory, MemorySegment.ofArray(head));
        this.head = Tensor.of(DType.F32, memory, labels.size(), head.length / labels.size());
    }

    /**
     * What a run left in its folder.
     *
     * @param base the model that was tuned; null where every weight was, which then lie in the folder too
     */
    public static Classifier open(Path folder, Path base, Backend backend) throws IOException {
        var file = folder.resolve(FILE);
        if (!Files.isRegularFile(file)) throw new ModelException("%s holds no %s: give the folder that finetune wrote from texts with labels".formatted(folder, FILE));
        var whole = folder.resolve(FineTuneRun.MODEL);
        if (base == null && !Files.exists(whole)) throw new ModelException("%s holds a head and an adapter; say with -m which model they were made for".formatted(folder));
        var model = Models.open(base == null ? whole : base, backend);
        try (var head = Gguf.open(file)) {
            var labels = head.metadata().strings(LABELS);
            var info = head.tensors().get(HEAD);
            int dim = model.config().dim();
            if (labels.isEmpty() || info == null || info.dtype() != DType.F32 || info.shape().rank() != 2 || info.shape().dim(0) != labels.size() || info.shape().last() != dim) {
                throw new ModelException("%s: expected a head %s F32 [%d, %d] for %s, found %s".formatted(file, HEAD, labels.size(), dim, model.name(), info == null ? "none" : info.dtype() + " " + info.shape()));
            }
            return new Classifier(base == null ? model : adapted(model, folder), backend, labels, head.data(HEAD).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED));
        } catch (IOException | RuntimeException problem) {
            model.close();
            throw problem;
        }
    }

    private static LanguageModel adapted(LanguageModel model, Path folder) throws IOException {
        for (var name : List.of(FineTuneRun.GGUF_LORA, FineTuneRun.PEFT)) {
            var adapter = folder.resolve(name);
            if (Files.exists(adapter)) return model.adapted(Adapter.together(List.of(new Adapter.Use(Adapter.open(adapter, model), 1)), model.backend()));
        }
        throw new ModelException("%s holds neither %s nor %s, with which its head was trained".formatted(folder, FineTuneRun.GGUF_LORA, FineTuneRun.PEFT));
    }

    /** Writes labels and head. */
    static void write(List<String> labels, Tensor head, Backend backend, Path target) throws IOException {
        new GgufWriter().string("general.architecture", ARCHITECTURE).strings(LABELS, labels).tensor(new TensorInfo(HEAD, DType.F32, head.shape()), out -> {
            try (var arena = Arena.ofConfined()) {
                var host = arena.allocate(head.data().byteSize());
                backend.download(host, head.data());
                out.write(host);
            }
        }).write(target);
    }

    /** In the order of the numbers that {@link #probabilities} gives. */
    public List<String> labels() { return labels; }

    public String name() { return model.name(); }

    /** The probability of each label, for each text; a text beyond the model's context is read from its beginning. */
    public List<float[]> probabilities(List<String> texts) {
        var prompting = Prompting.of(model);
        var found = new ArrayList<float[]>();
        try (var scope = Scope.inference(backend)) {
            for (var text : texts) {
                int[] tokens = prompting.whole(text);
                if (tokens.length == 0) throw new IllegalArgumentException("text %d is empty".formatted(found.size() + 1));
                tokens = Arrays.copyOf(tokens, Math.min(tokens.length, model.config().contextLength()));
                scope.reset();
                var hidden = model.model().forward(scope.ints(tokens), Packed.of(scope, tokens.length));
                found.add(softmax(hidden.rows(tokens.length - 1, tokens.length).linear(head, null).toFloats()));
            }
        }
        return found;
    }

    /** Logits become probabilities, in place. */
    static float[] softmax(float[] logits) {
        double largest = Double.NEGATIVE_INFINITY, sum = 0;
        for (float logit : logits) largest = Math.max(largest, logit);
        for (float logit : logits) sum += Math.exp(logit - largest);
        for (int i = 0; i < logits.length; i++) logits[i] = (float) (Math.exp(logits[i] - largest) / sum);
        return logits;
    }

    /** The place of the largest, the first of several. */
    public static int likeliest(float[] probabilities) {
        int best = 0;
        for (int i = 1; i < probabilities.length; i++) if (probabilities[i] > probabilities[best]) best = i;
        return best;
    }

    @Override public void close() {
        backend.free(memory);
        model.close();
    }
}
