package inkstone.server.tuning;

import inkstone.server.Served;
import inkstone.server.jobs.BaseModel;
import inkstone.server.jobs.DataSummary;
import inkstone.server.jobs.Plan;
import inkstone.server.jobs.Training;
import inkstone.server.jobs.TrainingJob;
import inkstone.server.jobs.TuneSettings;
import inkstone.server.jobs.TuneSettings.Method;
import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.train.Schedule;
import inkstone.tokenizer.MarkedText;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.MachineMemory;
import inkstone.transformer.Models;
import inkstone.transformer.SamplerSettings;
import inkstone.transformer.Session;
import inkstone.transformer.adapters.Adapter;
import inkstone.transformer.train.MemoryNeed;
import inkstone.transformer.tune.FineTuneRun;
import inkstone.transformer.tune.FineTuneSettings;
import inkstone.transformer.tune.Learned;
import inkstone.transformer.tune.data.Format;
import inkstone.transformer.tune.data.Prompting;
import inkstone.transformer.tune.data.TuneData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/**
 * Fine-tuning of the model that is served, on the device that serves it; on the CPU where that holds a part of the model only. A job opens the model's file once more on a backend of its own:
 * on the CPU the weights are mapped, so what does not learn is in memory once; on a GPU it is there twice. Chat and training share the device. Any thread.
 */
public final class FineTuning implements Training {
    private static final List<String> FLOATS = List.of("F32", "F16", "BF16");
    private static final String ALL = "all";

    /** What was read last of a file: reports and plans of the same examples come one after the other. */
    private record Known(Path data, FileTime written, FineTuneSettings settings, TuneData examples) {
        boolean is(Path file, FileTime time, FineTuneSettings asked) {
            return data.equals(file) && written.equals(time) && settings.method() == asked.method() && settings.format() == asked.format() && settings.context() == asked.context() && settings.seed() == asked.seed()
                && settings.batchTokens() == asked.batchTokens() && settings.validationShare() == asked.validationShare();
        }
    }

    private final Path file;
    private final Served served;
    private final LanguageModel model;
    private final Supplier<Backend> computing;
    private final Exports exports;
    private final Object comparing = new Object(), reading = new Object();
    private Known known;

    /**
     * @param file      of the model that is served, or its folder
     * @param served    whose model is a {@link LanguageModel}
     * @param threads   that results are written with
     * @param computing opens what a job computes with
     */
    public FineTuning(Path file, Served served, int threads, Supplier<Backend> computing) {
        this.file = file.toAbsolutePath();
        this.served = served;
        this.model = (LanguageModel) served.model();
        this.computing = computing;
        this.exports = new Exports(file, model, threads);
    }

    @Override public List<BaseModel> models() { return List.of(new BaseModel(model.name(), model.name(), model.format(), model.parameters(), model.bytes(), methods())); }

    private List<Method> methods() {
        boolean floats = FLOATS.contains(model.format());
        var methods = new ArrayList<Method>();
        methods.add(floats ? Method.LORA : Method.QLORA);
        if (model.adapterBase().layout() != null) methods.add(Method.DORA);      // its result is a PEFT folder, which needs Hugging Face's names
        if (floats) methods.add(Method.FULL);
        methods.add(Method.DPO);
        return methods;
    }

    @Override public String device(TuneSettings settings) { return onGpu() ? "cuda" : "cpu"; }

    private boolean onGpu() { return model.backend().memory().isPresent(); }

    // ---- before the start ------------------------------------------------------------------------------------------------------------------------------

    @Override public DataSummary report(Path data, TuneSettings settings) throws IOException {
        var examples = examples(data, settings);
        return Reports.of(examples, Prompting.of(model));
    }

    @Override public Plan plan(Path data, TuneSettings settings) throws IOException {
        requireModel(settings);
        if (!methods().contains(settings.method())) {
            throw new IllegalArgumentException("%s, whose weights are %s, is not tuned with %s here; choose %s".formatted(model.name(), model.format(), name(settings.method()),
                String.join(", ", methods().stream().map(FineTuning::name).toList())));
        }
        var asked = asked(data, settings, data.resolveSibling("run"));
        var examples = examples(data, settings);
        var need = FineTuneRun.need(asked, model, examples, model.backend());
        long free = MachineMemory.available(model.backend());
        return new Plan(settings, FineTuneRun.steps(asked, examples), model.parameters(), need.learning(), need.allocated(), free, problem(asked, examples, need, free));
    }

    private String problem(FineTuneSettings asked, TuneData examples, MemoryNeed need, long free) {
        try {
            FineTuneRun.requireFitting(asked, examples.report());
            if (examples.report().format() == Format.LABELLED) return "texts with labels make a classifier, which cannot be talked to: ./inkstone finetune teaches one on the terminal, and ./inkstone classify uses it";
        } catch (ModelException unfit) {
            return shown(unfit, asked.data()).getMessage();
        }
        if (need.allocated() <= free) return null;
        return "this needs about %.1f GB of %smemory, and %.1f GB are free; fewer tokens a step need less%s".formatted(need.allocated() / 1e9, onGpu() ? "the GPU's " : "", free / 1e9,
            asked.method() == FineTuneSettings.Method.FULL ? ", LoRA much less" : "");
    }

    private TuneData examples(Path data, TuneSettings settings) throws IOException {
        requireModel(settings);
        var asked = asked(data, settings, data.resolveSibling("run"));
        synchronized (reading) {
            var written = Files.getLastModifiedTime(data);
            if (known == null || !known.is(data, written, asked)) {
                known = null;
                try {
                    known = new Known(data, written, asked, FineTuneRun.read(asked, model, (_, _) -> { }));
                } catch (ModelException problem) {
                    throw shown(problem, data);
                }
            }
            return known.examples;
        }
    }

    /** The same without where this machine keeps the file, which is nobody else's matter. */
    private static ModelException shown(ModelException problem, Path data) {
        return new ModelException(problem.getMessage().replace(data.toString(), data.getFileName().toString()), problem);
    }

    private static String name(Method method) { return method.name().toLowerCase(Locale.ROOT); }

    private void requireModel(TuneSettings settings) {
        if (!settings.model().equals(model.name())) {
            throw new IllegalArgumentException("this job is of the model %s, and %s is open; start Inkstone with that model".formatted(settings.model(), model.name()));
        }
    }

    private FineTuneSettings asked(Run run) {
        requireModel(run.settings());
        return asked(run.data(), run.settings(), run.folder());
    }

    private FineTuneSettings asked(Path data, TuneSettings settings, Path out) {
        var method = switch (settings.method()) {
            case LORA, QLORA -> FineTuneSettings.Method.LORA;
            case DORA -> FineTuneSettings.Method.DORA;
            case FULL -> FineTuneSettings.Method.FULL;
            case DPO -> FineTuneSettings.Method.DPO;
        };
        var usual = FineTuneSettings.usual(file, data, method, out);
        return new FineTuneSettings(file, data, settings.format().isEmpty() ? null : Format.of(settings.format()), method, settings.rank(), (float) settings.alpha(), (float) settings.dropout(),
            settings.targets().isEmpty() ? List.of(ALL) : settings.targets(), settings.epochs(), settings.maxSteps(), settings.learningRate(), Schedule.Shape.COSINE, settings.batchTokens(),
            usual.accumulate(), settings.context(), settings.validationShare(), usual.patience(), usual.beta(), usual.recompute(), settings.seed(), out);
    }

    // ---- the run ---------------------------------------------------------------------------------------------------------------------------------------

    @Override public TrainingJob job(Run run) {
        var asked = asked(run);
        return (control, events) -> {
            try (var backend = computing.get(); var tuning = FineTuneRun.open(asked, backend, (_, _) -> { })) {
                tuning.run(control, events);
            } catch (ModelException problem) {
                throw shown(problem, asked.data());
            }
        };
    }

    // ---- the result ------------------------------------------------------------------------------------------------------------------------------------

    @Override public void compare(Run run, Question question, BiConsumer<Side, String> pieces, BooleanSupplier cancelled) throws IOException {
        var asked = asked(run);
        var format = examples(run.data(), run.settings()).report().format();
        synchronized (comparing) {
            try (var backend = computing.get(); var base = Models.open(file, backend)) {
                var prompt = prompt(question.text(), format, base);
                answer(base, prompt, question, piece -> pieces.accept(Side.BASE, piece), cancelled);
                if (cancelled.getAsBoolean()) return;
                try (var tuned = tuned(asked, base, backend)) { answer(tuned, prompt, question, piece -> pieces.accept(Side.TUNED, piece), cancelled); }
            }
        }
    }

    /** As the examples speak to the model: of text there is no template, it is gone on with. */
    private static int[] prompt(String question, Format format, LanguageModel base) {
        var text = format == Format.TEXT ? MarkedText.untrusted(question) : Prompting.of(base).template().render(List.of(Map.of("role", "user", "content", question)), List.of(), true);
        return base.tokenizer().encodePrompt(text);
    }

    private interface Told { void piece(String text); }

    private static void answer(LanguageModel model, int[] prompt, Question question, Told told, BooleanSupplier cancelled) {
        int context = Math.min(model.config().contextLength(), prompt.length + question.maxTokens());
        if (prompt.length >= context) throw new IllegalArgumentException("the question has %,d tokens, the model has room for %,d; ask a shorter one".formatted(prompt.length, context));
        var usual = SamplerSettings.DEFAULT;
        var sampling = new SamplerSettings((float) question.temperature(), usual.topK(), usual.topP(), usual.minP(), usual.repetitionPenalty(), usual.presencePenalty(), usual.frequencyPenalty(),
            usual.penaltyWindow(), question.seed());
        try (var session = Session.open(model, context, DType.F32)) {
            session.generate(new GenerationRequest(prompt, sampling, context - prompt.length, List.of()), piece -> {
                if (cancelled.getAsBoolean()) session.cancel();
                else if (!piece.text().isEmpty()) told.piece(piece.text());
            });
        }
    }

    /** The base with what was learned; closing it closes what only it has. */
    private static LanguageModel tuned(FineTuneSettings asked, LanguageModel base, Backend backend) throws IOException {
        if (asked.method() == FineTuneSettings.Method.FULL) return Models.open(Learned.model(asked, backend), backend);
        var learned = Adapter.of(Learned.adapter(asked, base.name()), asked.out(), base);
        return base.adapted(Adapter.together(List.of(new Adapter.Use(learned, 1)), backend));
    }

    @Override public List<Export> exports(Run run) { return exports.of(run.settings()); }

    @Override public void export(Run run, String export, Path out) throws IOException { exports.write(asked(run), run.settings(), export, out); }

    /**
     * The tuned model is a variant for the scheduler that runs: as it has the shape of the one that is served, it shares its cache. A whole model is mapped and stays so until the program
     * ends, as answers may still be written with it.
     */
    @Override public void load(Run run) throws IOException {
        var asked = asked(run);
        var template = examples(run.data(), run.settings()).report().format() == Format.TEXT ? model.template() : Prompting.of(model).template();
        try (var own = new CpuBackend(1)) {                                     // the served one belongs to the scheduler's thread
            if (asked.method() == FineTuneSettings.Method.FULL) {
                served.tuned().set(new Served.Answering(Models.open(Learned.model(asked, own), model.backend()).model(), template));
                return;
            }
            try (var base = Models.open(file, own)) {
                var learned = Adapter.of(Learned.adapter(asked, base.name()), asked.out(), base, model.backend());
                served.tuned().set(new Served.Answering(model.adapterBase().builder().apply(Adapter.together(List.of(new Adapter.Use(learned, 1)), model.backend())), template));
            }
        }
    }

    @Override public void unload() { served.tuned().set(null); }
}
