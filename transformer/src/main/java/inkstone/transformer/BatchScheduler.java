package inkstone.transformer;

import inkstone.tensor.DType;
import inkstone.transformer.GenerationResult.Finish;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * Continuous batching (Yu et al. 2022, "Orca", OSDI): every step takes the rows of each answer being written, its last token and the guesses after it, and a chunk of the
 * prompts being read, so that answers go on while prompts come in; {@link PrefillPace} sizes the chunk so that no step takes long and shares it out, so that a short prompt
 * does not wait for a long one. One platform thread owns the backend, the cache and every callback.
 *
 * <p>Clients take turns ({@link FairQueue}), and each request starts as soon as the cache has room for its prompt and one more token; one for which there is none yet lets
 * {@link #MOST_OVERTAKING} others pass. What several prompts have in common is read once: a request shares the full pages of any sequence, running or kept, that begins as
 * its prompt does, and waits while another reads what it could share. Finished sequences are kept for that ({@link KeptSequences}); one that a prompt merely continues
 * becomes the request's own. Where answers outgrow the cache and nothing is kept, the request that started last gives way: if it has written anything it ends with
 * {@link Finish#LENGTH}, otherwise it waits again, first in line. An answer that reaches the end of the context ends with {@link Finish#LENGTH}; a prompt that
 * leaves no room for one token is refused at once.
 *
 * <p>Memory: the caches of the model and of a draft model are allocated whole when the scheduler starts, and never grow. A step that fails fails the requests in it and no
 * other; a callback that throws fails its own request. The models must outlive the scheduler.
 */
public final class BatchScheduler implements Scheduler {
    /** Requests that may start before one that came earlier and does not fit in the cache yet: enough that a long prompt blocks nobody, few enough that it gets its turn. */
    private static final int MOST_OVERTAKING = 8;
    /** All clients together may have so many times as many requests waiting as one. */
    private static final int CLIENTS_WAITING = 4;

    /**
     * @param contextLength tokens that one prompt and its answer may have together
     * @param cacheTokens   tokens of all sequences together, running and kept
     * @param cacheType     of keys and values, F32, F16 or Q8_0
     * @param maxActive     requests that run at the same time
     * @param maxWaiting    requests of one client that may wait for their start; one more is refused
     * @param speculation   how tokens are guessed
     */
    public record Settings(int contextLength, int cacheTokens, DType cacheType, int maxActive, int maxWaiting, Speculation speculation) {
        public Settings {
            if (maxActive < 1 || maxWaiting < 1) {
                throw new IllegalArgumentException("requests that run and wait must each be 1 or more, got %d and %d".formatted(maxActive, maxWaiting));
            }
            if (cacheTokens < contextLength) {
                throw new IllegalArgumentException("a cache for %d tokens is smaller than the context of %d".formatted(cacheTokens, contextLength));
            }
        }

        /** Without guesses. */
        public Settings(int contextLength, int cacheTokens, DType cacheType, int maxActive, int maxWaiting) {
            this(contextLength, cacheTokens, cacheType, maxActive, maxWaiting, Speculation.NONE);
        }
    }

    private static final class Job implements Ticket {
        final Generation generation;
        final CompletableFuture<GenerationResult> result = new CompletableFuture<>();
        int overtaken;

        Job(Generation generation) { this.generation = generation; }

        @Override public CompletableFuture<GenerationResult> result() { return result; }
        @Override public void cancel() { generation.cancel(); }
        Sequence sequence() { return generation.sequence(); }
    }

    private final LanguageModel model;
    private final Settings settings;
    private final Engine engine;
    private final Speculator speculator;
    private final EmbeddingQueue embeddings;
    private final Thread thread;
    private final LongSupplier clock;
    /** Of all threads, guarded by itself, as are the next two. */
    private final FairQueue<Job> waiting = new FairQueue<>(job -> job.generation.client());
    private boolean closed;
    /** How many requests of each client run. */
    private final Map<String, Integer> running = new HashMap<>();
    /** Of the scheduler's thread: what runs, in order of start. */
    private final List<Job> active = new ArrayList<>();
    private final KeptSequences kept = new KeptSequences();
    private final PrefillPace pace = new PrefillPace();

    private BatchScheduler(LanguageModel model, Settings settings, LongSupplier clock) {
        this.model = model;
        this.settings = settings;
        this.clock = clock;
        this.engine = new Engine(model, settings.contextLength(), settings.cacheTokens(), settings.cacheType());
        this.speculator = speculator(model, settings, engine, clock);
        this.embeddings = new EmbeddingQueue(model, settings.contextLength(), settings.maxWaiting());
        this.thread = Thread.ofPlatform().name("scheduler").daemon().unstarted(this::run);
    }

    private static Speculator speculator(LanguageModel model, Settings settings, Engine engine, LongSupplier clock) {
        try {
            return new Speculator(settings.speculation(), model, engine, settings.cacheTokens(), settings.cacheType(), clock);
        } catch (RuntimeException unfit) {
            engine.close();
            throw unfit;
        }
    }

    public static BatchScheduler start(LanguageModel model, Settings settings) { return start(model, settings, System::nanoTime); }

    /** @param clock nanoseconds, as {@link System#nanoTime} counts them */
    static BatchScheduler start(LanguageModel model, Settings settings, LongSupplier clock) {
        var scheduler = new BatchScheduler(model, settings, clock);
        scheduler.thread.start();
        return scheduler;
    }

    /** Memory of keys and values, a draft model's included; it never grows. */
    public long cacheBytes() { return engine.cache().bytes() + speculator.cacheBytes(); }

    @Override public Ticket submit(GenerationRequest request, Consumer<Piece> onPiece) {
        var job = new Job(new Generation(request, onPiece, model.tokenizer(), engine));
        synchronized (waiting) {
            if (closed) throw new IllegalStateException("the scheduler is closed");
            int own = running.getOrDefault(request.client(), 0) + waiting.sizeOf(request.client()), all = running.values().stream().mapToInt(Integer::intValue).sum() + waiting.size();
            if (own >= settings.maxActive() + settings.maxWaiting() || all >= settings.maxActive() + CLIENTS_WAITING * settings.maxWaiting()) {
                throw new QueueFullException("%d requests are running or waiting already, %d of them of this client; try again later".formatted(all, own));
            }
            waiting.add(job);
            waiting.notifyAll();
        }
        return job;
    }

    @Override public CompletableFuture<List<float[]>> embed(List<int[]> texts, Pooling pooling) {
        synchronized (waiting) {
            if (closed) throw new IllegalStateException("the scheduler is closed");
            var vectors = embeddings.submit(texts, pooling);
            waiting.notifyAll();
            return vectors;
        }
    }

    @Override public void close() {
        synchronized (waiting) {
            closed = true;
            waiting.notifyAll();
        }
        awaitEnd(thread);
    }

    /** Waits for the end of a thread, unless it is the one that asks. */
    static void awaitEnd(Thread thread) {
        if (Thread.currentThread() == thread) return;
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) Thread.currentThread().interrupt();
    }

    // ---- the scheduler's thread ------------------------------------------------------------------------------------------------------------------------

    private void run() {
        try {
            while (awaitWork()) {
                finishEnded();
                startWaiting();
                makeRoom();
                step();
                embed();
            }
        } catch (Error e) {
            active.forEach(job -> job.result.completeExceptionally(e));
            throw e;
        } finally {
            synchronized (waiting) {
                closed = true;
                waiting.removeIf(active::add);
            }
            active.forEach(Job::cancel);
            finishEnded();
            while (!kept.isEmpty()) kept.evict();
            embeddings.close();
            speculator.close();
            engine.close();
        }
    }

    /** False when closed. */
    private boolean awaitWork() {
        synchronized (waiting) {
            try {
                while (!closed && waiting.isEmpty() && active.isEmpty() && embeddings.idle()) waiting.wait();
                return !closed;
            } catch (InterruptedException e) {
                return false;
            }
        }
    }

    /** Completes what has ended, by itself or by a cancel, running or waiting. */
    private void finishEnded() {
        var ended = new ArrayList<Job>();
        synchronized (waiting) {
            waiting.removeIf(job -> job.generation.ended() && ended.add(job));
        }
        active.removeIf(job -> job.generation.ended() && ended.add(job));
        for (var job : ended) {
            var result = job.generation.result();
            if (job.sequence() != null) kept.keep(job.sequence());
            job.result.complete(result);
        }
    }

    /** Starts what there is room for, in turn. */
    private void startWaiting() {
        synchronized (waiting) {
            running.clear();
            for (var job : active) running.merge(job.generation.client(), 1, Integer::sum);
        }
        for (boolean started = true; started && active.size() < settings.maxActive(); ) {
            started = false;
            List<Job> inTurn;
            synchronized (waiting) {
                if (waiting.isEmpty()) return;
                inTurn = waiting.inTurn(running);
            }
            for (int i = 0; i < inTurn.size() && !started; i++) {
                var job = inTurn.get(i);
                started = start(job);
                if (started) inTurn.subList(0, i).forEach(overtaken -> overtaken.overtaken++);
                else if (job.overtaken >= MOST_OVERTAKING) return;
            }
        }
    }

    /** False where the cache has no room for it. */
    private boolean start(Job job) {
        int[] prompt = job.generation.prompt();
        var continued = kept.continued(prompt, job.generation.variant());
        if (pagesToStart(job, continued) > availablePages()) return false;
        synchronized (waiting) {
            waiting.take(job);
            running.merge(job.generation.client(), 1, Integer::sum);
        }
        var sequence = continued == null ? engine.sequence(prompt.length + 64, job.generation.variant()) : continued;
        kept.remove(sequence);
        sequence.restart(prompt);
        share(sequence);
        job.generation.start(sequence);
        while (!sequence.reserve(sequence.length() + 1)) kept.evict();
        active.add(job);
        return true;
    }

    /** Pages for the prompt and one more token that must be had from those no running request holds. */
    private int pagesToStart(Job job, Sequence continued) {
        int[] prompt = job.generation.prompt();
        int pages = Math.ceilDiv(prompt.length + 1, engine.cache().pageSize());
        var donor = continued == null ? kept.donor(sequences(), job.generation.variant(), prompt, prompt.length, 0) : null;
        boolean running = donor != null && sequences().contains(donor);
        return running ? pages - donor.sharable(prompt, prompt.length) / engine.cache().pageSize() : pages;
    }

    private List<Sequence> sequences() { return active.stream().map(Job::sequence).toList(); }

    /** Pages that no running request holds: free, or of kept sequences alone. Exact on the scheduler's thread and when nothing runs. */
    int availablePages() {
        var held = new BitSet(engine.cache().pages());
        for (var sequence : sequences()) for (int page = 0; page < sequence.pages(); page++) held.set(sequence.page(page));
        return engine.cache().pages() - held.cardinality();
    }

    /** Pages that hold anything, of running and kept requests; none after the close. */
    int pagesInUse() { return engine.cache().pagesInUse(); }

    /** Lets a sequence whose prompt is being read share the pages of whichever other has most of what it lacks; returns how many tokens that saves. */
    private int share(Sequence sequence) {
        int before = sequence.cached();
        var donor = kept.donor(sequences(), sequence.variant(), sequence.tokens(), sequence.length(), before);
        if (donor == null) return 0;
        sequence.share(donor, donor.sharable(sequence.tokens(), sequence.length()));
        kept.touch(donor);
        return sequence.cached() - before;
    }

    /** Whether a request that started earlier is reading tokens that this one can share then. Earlier ones read first, so this ends. */
    private boolean awaitsAnother(int index) {
        var sequence = active.get(index).sequence();
        for (int earlier = 0; earlier < index; earlier++) {
            var other = active.get(earlier).sequence();
            if (other.isOf(sequence.variant()) && other.sharableLater(sequence.tokens(), sequence.length()) > sequence.cached()) return true;
        }
        return false;
    }

    /** Sees to it that every answer has a place for its next token. */
    private void makeRoom() {
        for (int i = 0; i < active.size(); i++) {
            var sequence = active.get(i).sequence();
            while (i < active.size() && !sequence.reserve(sequence.length())) {
                if (kept.isEmpty()) yieldYoungest();
                else kept.evict();
            }
        }
    }

    private void yieldYoungest() {
        var youngest = active.removeLast();
        if (youngest.generation.writing()) {
            guarded(youngest, () -> youngest.generation.end(Finish.LENGTH));
            if (youngest.result.isDone()) return;
            var result = youngest.generation.result();
            kept.keep(youngest.sequence());
            youngest.result.complete(result);
        } else {
            youngest.sequence().truncate(0);
            synchronized (waiting) {
                waiting.addFirst(youngest);
            }
        }
    }

    private void step() {
        var writing = active.stream().filter(job -> job.generation.writing()).toList();
        var reading = new ArrayList<Job>();
        for (int i = 0; i < active.size(); i++) {
            var job = active.get(i);
            if (job.generation.writing()) continue;
            job.generation.reuse(share(job.sequence()));
            if (!awaitsAnother(i)) reading.add(job);
        }
        var jobs = new ArrayList<>(writing);
        var runs = new ArrayList<Engine.Run>();
        int prefill = 0;
        Logits logits;
        long start = clock.getAsLong();
        try {
            speculator.guess(writing.stream().map(job -> job.generation).toList(), reading.isEmpty() ? 0 : PrefillPace.WHILE_WRITING);
            for (var job : writing) runs.add(new Engine.Run(job.sequence(), job.sequence().pending(), job.generation.rowsToAccept(), job.generation.deciding()));
            int[] rows = PrefillPace.shares(pace.rows(!writing.isEmpty()), reading.stream().mapToInt(job -> job.sequence().pending()).toArray());
            for (int i = 0; i < rows.length; i++) {
                if (rows[i] == 0) continue;
                var sequence = reading.get(i).sequence();
                jobs.add(reading.get(i));
                runs.add(new Engine.Run(sequence, rows[i], rows[i] == sequence.pending() ? 1 : 0, reading.get(i).generation.deciding()));
                prefill += rows[i];
            }
            if (runs.isEmpty()) return;
            long guessed = clock.getAsLong();
            logits = engine.step(runs);
            if (prefill == 0) speculator.measured(runs.stream().mapToInt(Engine.Run::rows).sum(), clock.getAsLong() - guessed);
            speculator.follow(runs.subList(writing.size(), runs.size()));
        } catch (RuntimeException | VirtualMachineError e) {
            jobs.forEach(job -> fail(job, e));
            return;
        }
        pace.measured(prefill, clock.getAsLong() - start);
        int row = 0;
        for (int i = 0; i < runs.size(); i++) {
            if (runs.get(i).logits() == 0) continue;
            var generation = jobs.get(i).generation;
            int first = row;
            guarded(jobs.get(i), () -> generation.accept(logits, first));
            row += runs.get(i).logits();
        }
    }

    /** As many texts as a step may take rows of prompts, so that answers wait for them no longer. */
    private void embed() {
        if (embeddings.idle()) return;
        long start = clock.getAsLong();
        int rows = embeddings.embedNext(pace.rows(active.stream().anyMatch(job -> job.generation.writing())));
        if (rows >= PrefillPace.FEWEST) pace.measured(rows, clock.getAsLong() - start);
    }

    /** A sampler that meets broken numbers, or a callback that throws, ends its own request only. */
    private void guarded(Job job, Runnable action) {
        try {
            action.run();
        } catch (RuntimeException e) {
            fail(job, e);
        }
    }

    private void fail(Job job, Throwable cause) {
        active.remove(job);
        job.sequence().truncate(0);
        job.result.completeExceptionally(cause);
    }
}
