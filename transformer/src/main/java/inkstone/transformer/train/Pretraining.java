package inkstone.transformer.train;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.ModelException;
import inkstone.tensor.Tensor;
import inkstone.tensor.train.AdamW;
import inkstone.tensor.train.LearningWeights;
import inkstone.tensor.train.Muon;
import inkstone.tensor.train.Optimizer;
import inkstone.tensor.train.Parameters;
import inkstone.tensor.train.Trainer;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import inkstone.tokenizer.ByteLevelVocabulary;
import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.train.BpeTrainer;
import inkstone.tokenizer.train.Corpus;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.MachineMemory;
import inkstone.transformer.Models;
import inkstone.transformer.NewModel;
import inkstone.transformer.SamplerSettings;
import inkstone.transformer.Session;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * A language model from nothing: tokenizer, token files, random weights, training, all in one folder, each made once. A run in a folder that holds a checkpoint goes on from it.
 * For the thread of the backend.
 */
public final class Pretraining {
    /** Of a chat the tokenizer learns from messages; template and special tokens are the configuration's. */
    private static final String START = "start.gguf", MODEL = "model.gguf", TOKENIZER = "tokenizer";

    /** Told what is being made ready. */
    public interface Preparation { void at(String what, long done, long all); }

    private final PretrainingConfig config;
    private final Path base, folder;
    private final Backend backend;
    private final int threads;
    private final LongSupplier available;

    /** @param file the configuration, whose folder paths are relative to */
    public Pretraining(PretrainingConfig config, Path file, Backend backend, int threads) { this(config, file, backend, threads, () -> MachineMemory.available(backend)); }

    /** @param available bytes of memory that are free */
    Pretraining(PretrainingConfig config, Path file, Backend backend, int threads, LongSupplier available) {
        this.available = available;
        this.config = config;
        this.base = file.toAbsolutePath().getParent();
        this.folder = base.resolve(config.out() == null ? "runs/" + config.name() : config.out());
        this.backend = backend;
        this.threads = threads;
    }

    /** Where everything is kept. */
    public Path folder() { return folder; }

    /** The trained model, F32, once a run has ended. */
    public Path model() { return folder.resolve(MODEL); }

    /** Makes ready, trains and writes {@link #model}; a cancelled run writes none. */
    public End run(TrainingControl control, Preparation preparation, Consumer<TrainingEvent> events) throws IOException {
        Files.createDirectories(folder);
        BooleanSupplier cancelled = () -> control.cancelRequested() || control.pauseRequested();
        var tokenizer = tokenizer(preparation, cancelled);
        var template = config.chatTemplate() == null ? null : Files.readString(base.resolve(config.chatTemplate()));
        var start = folder.resolve(START);
        if (!Files.exists(start)) NewModel.write(config.size(), tokenizer, template, config.name(), config.seed(), start);
        var need = need();
        need.require(available.getAsLong(), config.name(), this::smaller);
        var files = new ArrayList<TokenFile>();
        try (var parameters = new Parameters(backend);
             var model = Models.open(start, backend, source -> new LearningWeights(source, parameters, LearningWeights.ALL))) {
            for (var data : config.data()) files.add(tokens(data, files.size(), model, preparation, cancelled));
            long dataBytes = 0;
            for (int i = 0; i < files.size(); i++) dataBytes += Files.size(tokenFile(i));
            return train(model, parameters, files, need.prepared(dataBytes).total(), control, events);
        } finally {
            files.forEach(TokenFile::close);
        }
    }

    /** Memory that the run needs, once its first model is written; its token files come on top. */
    MemoryNeed need() throws IOException { return memory(config.rows(), config.recompute(), config.optimizer()); }

    /** Memory of the run with some settings in place of its own. */
    private MemoryNeed memory(int rows, boolean recompute, String optimizer) throws IOException {
        var start = folder.resolve(START);
        var lengths = new int[rows];
        Arrays.fill(lengths, config.context());
        return MemoryNeed.of(backend.memory().isPresent(), (counting, parameters) -> Models.open(start, counting, source -> new LearningWeights(source, parameters, LearningWeights.ALL)),
            (counting, parameters) -> optimizer(optimizer, counting, parameters), MemoryNeed.Loss.ofLanguage(config.windows(), lengths), Files.size(start), recompute, config.average() > 0,
            config.samples().isEmpty() ? 0 : config.context());
    }

    /** Settings with which a run fits that does not, each found by trying. */
    private List<String> smaller() {
        var found = new ArrayList<String>();
        try {
            for (boolean recompute : config.recompute() ? new boolean[] {true} : new boolean[] {false, true}) {
                for (int rows = config.rows(); rows >= 1; rows /= 2) {
                    if (!memory(rows, recompute, config.optimizer()).fits(available.getAsLong())) continue;
                    found.add("%s%s".formatted(rows == config.rows() ? "" : "\"rows\": %d, \"accumulate\": %d".formatted(rows, config.accumulate() * Math.ceilDiv(config.rows(), rows)),
                        recompute && !config.recompute() ? (rows == config.rows() ? "" : ", ") + "\"recompute\": true" : ""));
                    break;
                }
            }
            if (!config.optimizer().equals("adamw8") && memory(config.rows(), config.recompute(), "adamw8").fits(available.getAsLong())) found.add("\"optimizer\": \"adamw8\"");
            if (found.isEmpty() && memory(1, true, "adamw8").fits(available.getAsLong())) {
                found.add("\"rows\": 1, \"accumulate\": %d, \"recompute\": true, \"optimizer\": \"adamw8\"".formatted(config.accumulate() * config.rows()));
            }
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
        return found;
    }

    private Path tokenFile(int index) { return folder.resolve("data-%d.tokens".formatted(index)); }

    private Path tokenizer(Preparation preparation, BooleanSupplier cancelled) throws IOException {
        var source = config.tokenizer();
        if (source.path() != null) return base.resolve(source.path());
        var made = folder.resolve(TOKENIZER);
        if (Files.exists(made.resolve("tokenizer.json"))) return made;
        var paths = config.data().stream().map(data -> base.resolve(data.path())).toList();
        List<String> special = source.special() == null ? List.of() : source.special();
        BpeTrainer.Progress progress = (stage, done, all) -> preparation.at(stage == BpeTrainer.Progress.Stage.READING_BYTES ? "counting words" : "merging pairs", done, all);
        ByteLevelVocabulary vocabulary = Boolean.TRUE.equals(source.characters())
            ? BpeTrainer.characters(Corpus.of(paths), special, source.bos(), source.eos(), progress, cancelled).vocabulary()
            : BpeTrainer.train(Corpus.of(paths), new BpeTrainer.Settings(source.vocabulary(), special, source.bos(), source.eos(), threads), progress, cancelled).vocabulary();
        var part = folder.resolve("." + TOKENIZER + ".part");
        Folders.delete(part);
        Files.createDirectories(part);
        vocabulary.write(part.resolve("tokenizer.json"));
        Files.move(part, made, StandardCopyOption.ATOMIC_MOVE);
        return made;
    }

    private TokenFile tokens(PretrainingConfig.Data data, int index, LanguageModel model, Preparation preparation, BooleanSupplier cancelled) throws IOException {
        var prepared = TokenPreparation.prepare(Corpus.of(List.of(base.resolve(data.path()))), model.tokenizer(), model.hasChatTemplate() ? model.template() : null,
            tokenFile(index), threads, (read, all) -> preparation.at("reading " + data.path(), read, all), cancelled);
        return prepared.file();
    }

    private End train(LanguageModel model, Parameters parameters, List<TokenFile> files, long predictedBytes, TrainingControl control, Consumer<TrainingEvent> events)
            throws IOException {
        var sources = new ArrayList<Batches.Source>();
        var validation = new ArrayList<TokenBatch>();
        for (int i = 0; i < files.size(); i++) {
            var split = files.get(i).split(config.validationShare(), config.seed());
            var weight = config.data().get(i).weight();
            sources.add(new Batches.Source(split.training(), weight == null ? split.training().tokens() : weight));
            int share = config.validationBatches() * (i + 1) / files.size() - validation.size();
            if (split.validation().count() > 0 && share > 0) validation.addAll(PackedBatches.inOrder(split.validation(), config.context(), config.rows(), share));
        }
        var batches = config.windows() ? new RandomWindows(sources, config.context(), config.rows(), config.seed()) : new PackedBatches(sources, config.context(), config.rows(), config.seed());
        var settings = new Trainer.Settings(config.name(), config.schedule(), config.accumulate(), config.clip(), config.evaluateEvery(), config.saveEvery(), config.patience(),
            config.average(), config.recompute(), config.seed());
        var log = new TrainingLog(folder, config.name());
        var task = new LanguageTask(model.model(), model.model(), backend, batches, validation, (step, out) -> sample(model, step, out));
        try (var trainer = new Trainer(backend, parameters, optimizer(config.optimizer(), backend, parameters.tensors()), settings, folder)) {
            var end = trainer.run(task, control, predictedBytes, model.parameters(), log.andThen(events));
            if (end == End.COMPLETE || end == End.STOPPED_EARLY) {
                if (config.average() > 0) trainer.useAverage(); else trainer.useBest();
                TrainedModel.write(folder.resolve(START), parameters.tensors(), backend, model());
            }
            return end;
        }
    }

    private Optimizer optimizer(String name, Backend backend, Map<String, Tensor> parameters) {
        var adam = config.adam(name.equals("adamw8"));
        return name.equals("muon") ? new Muon(backend, parameters, adam, config.seed()) : new AdamW(backend, parameters, adam, config.seed());
    }

    /** What the model makes of the prompts now, always with the same random numbers; of a chat model a prompt is what the user says. */
    private void sample(LanguageModel model, long step, Consumer<TrainingEvent> events) {
        if (config.samples().isEmpty()) return;
        try (var session = Session.open(model, config.context(), DType.F32)) {
            for (var prompt : config.samples()) {
                var text = model.hasChatTemplate() ? model.template().render(List.of(Map.of("role", "user", "content", prompt)), List.of(), true) : MarkedText.untrusted(prompt);
                int[] tokens = model.tokenizer().encodePrompt(text);
                if (tokens.length == 0) throw new ModelException("samples: the prompt \"%s\" has no tokens".formatted(prompt));
                var sampling = SamplerSettings.DEFAULT.withSeed(config.seed());
                var result = session.generate(new GenerationRequest(tokens, sampling, Math.min(config.sampleTokens(), config.context() - tokens.length), List.of()), _ -> {});
                events.accept(new TrainingEvent.Sample(step, prompt, result.text()));
            }
        }
    }
}
