package inkstone.transformer.tune;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Scope;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Parameters;
import inkstone.tensor.train.Schedule;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import inkstone.transformer.Converter;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.MachineMemory;
import inkstone.transformer.Models;
import inkstone.transformer.Packed;
import inkstone.transformer.SamplerSettings;
import inkstone.transformer.Session;
import inkstone.transformer.adapters.GgufLora;
import inkstone.transformer.adapters.PeftFolder;
import inkstone.transformer.adapters.TrainableAdapter;
import inkstone.transformer.train.Folders;
import inkstone.transformer.train.LanguageTask;
import inkstone.transformer.train.MemoryNeed;
import inkstone.transformer.train.TokenBatch;
import inkstone.transformer.train.TokenBatches;
import inkstone.transformer.train.TrainedModel;
import inkstone.transformer.train.TrainingLog;
import inkstone.transformer.tune.FineTuneSettings.Method;
import inkstone.transformer.tune.data.DataReport;
import inkstone.transformer.tune.data.ExampleBatches;
import inkstone.transformer.tune.data.ExampleSet;
import inkstone.transformer.tune.data.Format;
import inkstone.transformer.tune.data.Prompting;
import inkstone.transformer.tune.data.TuneData;
import inkstone.transformer.tune.data.TuneDataSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * One fine-tuning of a model, from its data to its result, in one folder: checkpoint, log, curves, and at the end the adapter (a PEFT folder and a GGUF file) or the whole model,
 * and from texts with labels the head of a {@link Classifier}.
 * A run in a folder that holds a checkpoint goes on from it. For the thread of the backend; owns the model it opens.
 */
public final class FineTuneRun implements AutoCloseable {
    /** The result, in the run's folder. */
    public static final String PEFT = "adapter", GGUF_LORA = "adapter.gguf", MODEL = "model.gguf";
    private static final String BASE = "base.gguf";
    private static final int EVALUATIONS = 10, VALIDATION_BATCHES = 32, SAMPLE_TOKENS = 80, SAMPLES = 2, TEXT_PROMPT = 24;

    private final FineTuneSettings settings;
    private final Backend backend;
    private final Parameters parameters;
    private final LanguageModel base, tuned;
    /** The tuned model with a head for labels; null where the data has none. */
    private final LabelModel labels;
    private final TrainableAdapter adapter;
    private final TuneData data;
    private final MemoryNeed need;

    private FineTuneRun(FineTuneSettings settings, Backend backend, TuneData.Progress progress) throws IOException {
        this.settings = settings;
        this.backend = backend;
        Files.createDirectories(settings.out());
        this.parameters = new Parameters(backend);
        boolean full = settings.method() == Method.FULL;
        long available = MachineMemory.available(backend);
        var opened = Models.open(settings.model(), backend);
        try {
            data = read(settings, opened, progress);
            requireFitting(settings, data.report());
            need = need(settings, opened, data, backend);
            need.require(available, "%s of %s".formatted(settings.method().label(), opened.name()), () -> smaller(settings, opened, data, backend, available));
            base = full ? Models.open(whole(), backend, source -> new LearningWeights(source, parameters, LearningWeights.ALL)) : opened;
            adapter = full ? null : adapter(settings, base, backend, parameters);
            tuned = full ? base : base.adapted(adapter);
            labels = labels(data, tuned, parameters);
            if (full) opened.close();
        } catch (IOException | RuntimeException problem) {
            opened.close();
            parameters.close();
            throw problem;
        }
    }

    /** A head of zeros: at first every label is as likely as another. */
    private static LabelModel labels(TuneData data, LanguageModel model, Parameters parameters) {
        int count = data.report().labels().size(), dim = model.config().dim();
        return count == 0 ? null : new LabelModel(model.model(), parameters.add(Classifier.HEAD, new float[count * dim], count, dim));
    }

    private static TrainableAdapter adapter(FineTuneSettings settings, LanguageModel base, Backend backend, Parameters parameters) {
        return new TrainableAdapter(new TrainableAdapter.Settings(settings.rank(), settings.alpha(), settings.method() == Method.DORA,
            TrainableAdapter.targets(settings.targets(), base.adapterBase()), settings.seed()), backend, parameters::add, x -> x.dropout(settings.dropout()));
    }

    private static AdamW optimizer(FineTuneSettings settings, Backend backend, Map<String, Tensor> parameters) {
        float decay = settings.method() == Method.FULL ? 0.01f : 0;
        return new AdamW(backend, parameters, new AdamW.Settings(0.9f, 0.999f, 1e-8f, decay, false), settings.seed());
    }

    // ---- memory ------------------------------------------------------------------------------------------------------------------------------------

    /** Memory that a run needs on such a backend, and on examples that {@link #read} read. */
    public static MemoryNeed need(FineTuneSettings settings, LanguageModel base, TuneData data, Backend backend) throws IOException {
        int largest = 1;
        for (var examples : List.of(data.training(), data.validation())) {
            if (examples.size() == 0) continue;
            var batches = new ExampleBatches(examples, settings.batchTokens(), settings.seed(), ExampleBatches.Position.START);
            for (int i = 0; i < batches.batches(); i++) largest = Math.max(largest, batches.batch(i).tokens().length);
        }
        boolean full = settings.method() == Method.FULL;
        int rows = largest;
        return MemoryNeed.of(backend.memory().isPresent(), (counting, parameters) -> {
            if (full) return labelled(data, Models.open(settings.model(), counting, source -> new LearningWeights(source, parameters, LearningWeights.ALL)), parameters);
            var opened = Models.open(settings.model(), counting);
            return labelled(data, opened.adapted(adapter(settings, opened, counting, parameters)), parameters);
        }, (counting, parameters) -> optimizer(settings, counting, parameters), loss(settings, rows), base.bytes(), settings.recompute(), false,
            data.report().format() == Format.LABELLED ? 0 : context(settings, base));
    }

    private static LanguageModel labelled(TuneData data, LanguageModel model, Parameters parameters) {
        var labels = labels(data, model, parameters);
        return labels == null ? model : model.with(labels);
    }

    private static MemoryNeed.Loss loss(FineTuneSettings settings, int rows) {
        if (settings.method() != Method.DPO) return MemoryNeed.Loss.ofLanguage(false, rows);
        int chosen = Math.max(1, rows / 2), rejected = Math.max(1, rows - chosen);
        var batch = new TokenBatch(new int[chosen + rejected], new int[chosen + rejected], new int[] {chosen, rejected});
        return (model, scope) -> new PreferenceTask(model, model, scope.backend(), settings.beta(), null, List.of(), null).loss(scope, batch, 1);
    }

    /** Settings with which a run fits that does not, each found by trying. */
    private static List<String> smaller(FineTuneSettings settings, LanguageModel base, TuneData data, Backend backend, long available) {
        var found = new ArrayList<String>();
        try {
            if (!settings.recompute() && need(settings.with(settings.method(), true), base, data, backend).fits(available)) found.add("--recompute");
            if (settings.method() == Method.FULL && need(settings.with(Method.LORA, settings.recompute()), base, data, backend).fits(available)) found.add("--method lora");
        } catch (IOException unreadable) {
            return found;
        }
        return found;
    }

    /** Opens model and data; what cannot work is refused here, before anything is trained. */
    public static FineTuneRun open(FineTuneSettings settings, Backend backend, TuneData.Progress progress) throws IOException { return new FineTuneRun(settings, backend, progress); }

    /** The examples as a run of these settings reads them, whether or not its method learns from such. */
    public static TuneData read(FineTuneSettings settings, LanguageModel base, TuneData.Progress progress) throws IOException {
        return TuneData.read(settings.data(), Prompting.of(base), new TuneDataSettings(settings.format(), context(settings, base), settings.validationShare(), settings.seed()), progress);
    }

    /** Throws {@link ModelException} where the method does not learn from such examples. */
    public static void requireFitting(FineTuneSettings settings, DataReport report) {
        List<Method> fitting = switch (report.format()) {
            case PREFERENCE -> List.of(Method.DPO);
            case CHAT, SHAREGPT, ALPACA, PROMPT_COMPLETION, TEXT, LABELLED -> List.of(Method.LORA, Method.DORA, Method.FULL);
        };
        if (fitting.contains(settings.method())) return;
        throw new ModelException("%s holds %s data, which %s does not learn from; what does: %s".formatted(settings.data(), report.format().label(), settings.method().label(),
            fitting.stream().map(Method::label).collect(Collectors.joining(", "))));
    }

    private Path whole() throws IOException { return whole(settings); }

    /** The GGUF file of the model: a folder becomes one first, in the run's folder. */
    static Path whole(FineTuneSettings settings) throws IOException {
        if (!Files.isDirectory(settings.model())) return settings.model();
        var made = settings.out().resolve(BASE);
        if (!Files.exists(made)) Converter.convert(settings.model(), made, DType.F32, 1, (_, _, _) -> {});
        return made;
    }

    private int context() { return context(settings, base); }

    private static int context(FineTuneSettings settings, LanguageModel base) {
        int most = Math.min(base.config().contextLength(), settings.method() == Method.DPO ? settings.batchTokens() / 2 : settings.batchTokens());
        return settings.context() == 0 ? most : Math.min(settings.context(), most);
    }

    public DataReport report() { return data.report(); }

    /** Numbers that learn. */
    public long trainable() { return parameters.count(); }

    /** Steps in all: {@code maxSteps}, or what the epochs take. */
    public int steps() { return steps(settings, data); }

    /** The same of examples that {@link #read} read. */
    public static int steps(FineTuneSettings settings, TuneData data) {
        if (settings.maxSteps() > 0) return settings.maxSteps();
        int batches = new ExampleBatches(data.training(), settings.batchTokens(), settings.seed(), ExampleBatches.Position.START).batches();
        return Math.max(1, (int) Math.ceil(settings.epochs() * batches / settings.accumulate()));
    }

    /** Trains, and writes the result unless the run is cancelled: of the step with the lowest validation loss where there is one. */
    public End run(TrainingControl control, Consumer<TrainingEvent> events) throws IOException {
        int steps = steps(), evaluateEvery = Math.max(1, steps / EVALUATIONS);
        var schedule = new Schedule(settings.schedule(), settings.rate(), Math.min(steps, Math.max(1, steps / 20)), steps, 0.1);
        var what = "%s of %s".formatted(settings.method().label(), base.name());
        var run = new Trainer.Settings(what, schedule, settings.accumulate(), 1, evaluateEvery, evaluateEvery, settings.patience(), 0, settings.recompute(), settings.seed());
        Trainer.Task<TokenBatch> task;
        if (labels != null) task = new ClassificationTask(labels, backend, batches(data.training()), validation(), this::sampleLabels);
        else task = settings.method() == Method.DPO
            ? new PreferenceTask(tuned.model(), base.model(), backend, settings.beta(), batches(data.training()), validation(), this::sample)
            : new LanguageTask(tuned.model(), tuned.model(), backend, batches(data.training()), validation(), this::sample);
        try (var trainer = new Trainer(backend, parameters, optimizer(settings, backend, parameters.tensors()), run, settings.out())) {
            var end = trainer.run(task, control, need.total(), base.parameters(), new TrainingLog(settings.out(), what).andThen(events));
            if (end != End.CANCELLED) {
                trainer.useBest();
                writeResult();
            }
            return end;
        }
    }

    private TokenBatches batches(ExampleSet examples) {
        var fingerprint = data.report().fingerprint();
        return new TokenBatches() {
            private ExampleBatches batches = new ExampleBatches(examples, settings.batchTokens(), settings.seed(), ExampleBatches.Position.START);

            @Override public TokenBatch next() { return tokens(batches.next()); }
            @Override public String position() { return "%s %d %d".formatted(fingerprint, batches.position().epoch(), batches.position().batch()); }

            @Override public void seek(String position) {
                var parts = position.split(" ");
                if (parts.length != 3 || !parts[0].equals(fingerprint)) {
                    throw new ModelException("%s: the run was begun with other data; go on with the same, or take another output folder".formatted(settings.out()));
                }
                batches = new ExampleBatches(examples, settings.batchTokens(), settings.seed(), new ExampleBatches.Position(Long.parseLong(parts[1]), Integer.parseInt(parts[2])));
            }
        };
    }

    private List<TokenBatch> validation() {
        var validation = new ArrayList<TokenBatch>();
        if (data.validation().size() == 0) return validation;
        var batches = new ExampleBatches(data.validation(), settings.batchTokens(), settings.seed(), ExampleBatches.Position.START);
        for (int i = 0; i < Math.min(VALIDATION_BATCHES, batches.batches()); i++) validation.add(tokens(batches.batch(i)));
        return validation;
    }

    /** Where texts have labels, the number of its label is the target of a text's last token. */
    private static TokenBatch tokens(ExampleBatches.Batch batch) {
        for (int i = 0, row = -1; i < batch.labels().length; i++) {
            row += batch.lengths()[i];
            batch.targets()[row] = batch.labels()[i];
        }
        return new TokenBatch(batch.tokens(), batch.targets(), batch.lengths());
    }

    /** What the model answers now to the first held-out examples, without chance. */
    private void sample(long step, Consumer<TrainingEvent> events) {
        var examples = data.validation().size() > 0 ? data.validation() : data.training();
        try (var session = Session.open(tuned, context(), DType.F32)) {
            for (int i = 0; i < Math.min(SAMPLES, examples.size()); i++) {
                var example = examples.get(i);
                int prompt = 0;
                while (prompt < example.tokens().length && !example.learned()[prompt]) prompt++;
                if (prompt < 2) prompt = Math.min(TEXT_PROMPT, example.tokens().length);                     // all of a text is learned
                prompt = Math.min(prompt, context() / 2);
                int[] tokens = java.util.Arrays.copyOf(example.tokens(), prompt);
                var result = session.generate(new GenerationRequest(tokens, SamplerSettings.GREEDY, Math.min(SAMPLE_TOKENS, context() - prompt), List.of()), _ -> {});
                events.accept(new TrainingEvent.Sample(step, tuned.tokenizer().decode(tokens).strip(), result.text().strip()));
            }
        }
    }

    /** Which label the model gives now to the first held-out texts. */
    private void sampleLabels(long step, Consumer<TrainingEvent> events) {
        var examples = data.validation().size() > 0 ? data.validation() : data.training();
        try (var scope = Scope.inference(backend)) {
            for (int i = 0; i < Math.min(SAMPLES, examples.size()); i++) {
                int[] tokens = examples.get(i).tokens();
                scope.reset();
                var hidden = labels.forward(scope.ints(tokens), Packed.of(scope, tokens.length));
                var probabilities = Classifier.softmax(labels.logits(hidden.rows(tokens.length - 1, tokens.length)).toFloats());
                int likeliest = Classifier.likeliest(probabilities);
                events.accept(new TrainingEvent.Sample(step, tuned.tokenizer().decode(tokens).strip(),
                    "%s (%.0f%%)".formatted(data.report().labels().get(likeliest).name(), 100 * probabilities[likeliest])));
            }
        }
    }

    private void writeResult() throws IOException {
        if (labels != null) Classifier.write(data.report().labels().stream().map(DataReport.Label::name).toList(), labels.score(), backend, settings.out().resolve(Classifier.FILE));
        if (adapter == null) {
            TrainedModel.write(whole(), parameters.tensors(), backend, settings.out().resolve(MODEL));
            return;
        }
        var learned = adapter.data(base.name());
        var peft = settings.out().resolve(PEFT);
        Folders.delete(peft);
        if (base.adapterBase().layout() != null) PeftFolder.write(learned, base.adapterBase(), base.name(), peft);
        if (settings.method() != Method.DORA) {
            Files.deleteIfExists(settings.out().resolve(GGUF_LORA));
            GgufLora.write(learned, base.adapterBase(), settings.out().resolve(GGUF_LORA));
        }
    }

    @Override public void close() {
        base.close();
        parameters.close();
    }
}
