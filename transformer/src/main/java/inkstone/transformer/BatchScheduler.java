package inkstone.transformer;

import inkstone.tensor.DType;
import inkstone.transformer.GenerationResult.Finish;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * Continuous batching (Yu et al. 2022, "Orca", OSDI): every step takes one row of each answer being written and a chunk of the oldest prompts being read, so that
 * answers go on while prompts come in; {@link PrefillPace} sizes the chunk so that no step takes long. One platform thread owns the backend, the cache and every callback.
 *
 * <p>Requests start in the order they came, each as soon as the cache has room for its prompt and one more token. What several prompts have in common is read once:
 * a request shares the full pages of any sequence, running or kept, that begins as its prompt does, and waits while another reads what it could share. Finished
 * sequences are kept for that; one that a prompt merely continues becomes the request's own. The least recently used are given up when pages are needed. Where answers outgrow the cache and nothing is kept, the request that started last gives way: if it has written anything it ends with
 * {@link Finish#LENGTH}, otherwise it waits again, first in line. An answer that reaches the end of the context ends with {@link Finish#LENGTH}; a prompt that
 * leaves no room for one token is refused at once.
 *
 * <p>A step that fails fails the requests in it and no other; a callback that throws fails its own request. The model must outlive the scheduler.
 */
public final class BatchScheduler implements Scheduler {
    /**
     * @param contextLength tokens that one prompt and its answer may have together
     * @param cacheTokens   tokens of all sequences together, running and kept
     * @param cacheType     of keys and values, F32, F16 or Q8_0
     * @param maxActive     requests that run at the same time
     * @param maxWaiting    requests that may wait for their start; one more is refused
     */
    public record Settings(int contextLength, int cacheTokens, DType cacheType, int maxActive, int maxWaiting) {
        public Settings {
            if (maxActive < 1 || maxWaiting < 1) {
                throw new IllegalArgumentException("requests that run and wait must each be 1 or more, got %d and %d".formatted(maxActive, maxWaiting));
            }
            if (cacheTokens < contextLength) {
                throw new IllegalArgumentException("a cache for %d tokens is smaller than the context of %d".formatted(cacheTokens, contextLength));
            }
        }
    }

    private record Job(Generation generation, CompletableFuture<GenerationResult> result) implements Ticket {
        @Override public void cancel() { generation.cancel(); }
    }

    private final LanguageModel model;
    private final Settings settings;
    private final Engine engine;
    private final EmbeddingQueue embeddings;
    private final Thread thread;
    private final LongSupplier clock;
    /** Of all threads, guarded by itself, as are the next two. */
    private final ArrayDeque<Job> waiting = new ArrayDeque<>();
    private boolean closed;
    private int running;
    /** Of the scheduler's thread: what runs, in order of start, and what is kept, least recently used first. */
    private final List<Job> active = new ArrayList<>();
    private final List<Sequence> kept = new ArrayList<>();
    private final PrefillPace pace = new PrefillPace();

    private BatchScheduler(LanguageModel model, Settings settings, LongSupplier clock) {
        this.model = model;
        this.settings = settings;
        this.clock = clock;
        this.engine = new Engine(model, settings.contextLength(), settings.cacheTokens(), settings.cacheType());
        this.embeddings = new EmbeddingQueue(model, settings.contextLength(), settings.maxWaiting());
        this.thread = Thread.ofPlatform().name("scheduler").daemon().unstarted(this::run);
    }

    public static BatchScheduler start(LanguageModel model, Settings settings) { return start(model, settings, System::nanoTime); }

    /** @param clock nanoseconds, as {@link System#nanoTime} counts them */
    static BatchScheduler start(LanguageModel model, Settings settings, LongSupplier clock) {
        var scheduler = new BatchScheduler(model, settings, clock);
        scheduler.thread.start();
        return scheduler;
    }

    /** Memory of keys and values. */
    public long cacheBytes() { return engine.cache().bytes(); }

    @Override public Ticket submit(GenerationRequest request, Consumer<Piece> onPiece) {
        var job = new Job(new Generation(request, onPiece, model.tokenizer(), engine), new CompletableFuture<>());
        synchronized (waiting) {
            if (closed) throw new IllegalStateException("the scheduler is closed");
            if (running + waiting.size() >= settings.maxActive() + settings.maxWaiting()) {
                throw new QueueFullException("%d requests are running and %d are waiting already; try again later".formatted(running, waiting.size()));
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
                active.addAll(waiting);
                waiting.clear();
            }
            active.forEach(Job::cancel);
            finishEnded();
            while (!kept.isEmpty()) evict();
            embeddings.close();
            engine.close();
        }
    }

    /** False when closed. */
    private boolean awaitWork() {
        synchronized (waiting) {
            try {
                while (!closed && waiting.isEmpty() && active.isEmpty() && embeddings.idle()) waiting.wait();
                running = active.size();
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
            var sequence = job.generation.sequence();
            if (sequence != null) keep(sequence);
            job.result.complete(result);
        }
    }

    /** None that is kept is the beginning of another, so there are never more than pages. */
    private void keep(Sequence sequence) {
        sequence.truncate(sequence.cached());
        for (int i = 0; i < kept.size(); i++) {
            if (kept.get(i).covers(sequence)) {
                sequence.truncate(0);
                touch(kept.get(i));
                return;
            }
        }
        kept.removeIf(other -> {
            if (!sequence.covers(other)) return false;
            other.truncate(0);
            return true;
        });
        kept.add(sequence);
    }

    /** The most recently used of those that are kept, if it is. */
    private void touch(Sequence sequence) { if (kept.remove(sequence)) kept.add(sequence); }

    private void startWaiting() {
        while (active.size() < settings.maxActive()) {
            Job job;
            synchronized (waiting) {
                job = waiting.peek();
            }
            if (job == null) return;
            int[] prompt = job.generation.prompt();
            var continued = continued(prompt);
            if (pagesToStart(prompt, continued) > availablePages()) return;
            synchronized (waiting) {
                waiting.remove();
                running++;
            }
            var sequence = continued == null ? engine.sequence(prompt.length + 64) : continued;
            kept.remove(sequence);
            sequence.restart(prompt);
            share(sequence);
            job.generation.start(sequence);
            while (!sequence.reserve(sequence.length() + 1)) evict();
            active.add(job);
        }
    }

    /** Pages for the prompt and one more token that must be had from those no running request holds. */
    private int pagesToStart(int[] prompt, Sequence continued) {
        int pages = Math.ceilDiv(prompt.length + 1, engine.cache().pageSize());
        var donor = continued == null ? donor(prompt, prompt.length, 0) : null;
        boolean running = donor != null && active.stream().anyMatch(job -> job.generation.sequence() == donor);
        return running ? pages - donor.sharable(prompt, prompt.length) / engine.cache().pageSize() : pages;
    }

    /** Pages that no running request holds: free, or of kept sequences alone. Exact on the scheduler's thread and when nothing runs. */
    int availablePages() {
        var held = new BitSet(engine.cache().pages());
        for (var job : active) {
            var sequence = job.generation.sequence();
            for (int page = 0; page < sequence.pages(); page++) held.set(sequence.page(page));
        }
        return engine.cache().pages() - held.cardinality();
    }

    /** Pages that hold anything, of running and kept requests; none after the close. */
    int pagesInUse() { return engine.cache().pagesInUse(); }

    /**
     * The kept sequence that saves this prompt most tokens if it becomes the prompt's own, where it loses no more of its own tokens by that than sharing its full pages
     * would leave to be read again; null where there is none.
     */
    private Sequence continued(int[] prompt) {
        Sequence best = null;
        int longest = 0;
        for (var sequence : kept) {
            int common = Math.min(sequence.commonPrefix(prompt), prompt.length - 1);
            int again = common - sequence.sharable(prompt, prompt.length);
            if (common > longest && sequence.cached() - common <= again) {
                best = sequence;
                longest = common;
            }
        }
        return best;
    }

    /** Lets a sequence whose prompt is being read share the pages of whichever other has most of what it lacks; returns how many tokens that saves. */
    private int share(Sequence sequence) {
        int before = sequence.cached();
        var donor = donor(sequence.tokens(), sequence.length(), before);
        if (donor == null) return 0;
        sequence.share(donor, donor.sharable(sequence.tokens(), sequence.length()));
        touch(donor);
        return sequence.cached() - before;
    }

    /** The sequence that can share most of these tokens, a running one rather than a kept one; null where none can share more than {@code have}. */
    private Sequence donor(int[] tokens, int length, int have) {
        Sequence best = null;
        int most = have;
        for (int i = 0; i < active.size() + kept.size(); i++) {
            var sequence = i < active.size() ? active.get(i).generation.sequence() : kept.get(i - active.size());
            int sharable = sequence.sharable(tokens, length);
            if (sharable > most) {
                best = sequence;
                most = sharable;
            }
        }
        return best;
    }

    /** Whether a request that started earlier is reading tokens that this one can share then. Earlier ones read first, so this ends. */
    private boolean awaitsAnother(int index) {
        var sequence = active.get(index).generation.sequence();
        for (int earlier = 0; earlier < index; earlier++) {
            if (active.get(earlier).generation.sequence().sharableLater(sequence.tokens(), sequence.length()) > sequence.cached()) return true;
        }
        return false;
    }

    private void evict() { kept.removeFirst().truncate(0); }

    /** Sees to it that every answer has a place for its next token. */
    private void makeRoom() {
        for (int i = 0; i < active.size(); i++) {
            var sequence = active.get(i).generation.sequence();
            while (i < active.size() && !sequence.reserve(sequence.length())) {
                if (kept.isEmpty()) yieldYoungest();
                else evict();
            }
        }
    }

    private void yieldYoungest() {
        var youngest = active.removeLast();
        if (youngest.generation.writing()) {
            guarded(youngest, () -> youngest.generation.end(Finish.LENGTH));
            if (youngest.result.isDone()) return;
            var result = youngest.generation.result();
            keep(youngest.generation.sequence());
            youngest.result.complete(result);
        } else {
            youngest.generation.sequence().truncate(0);
            synchronized (waiting) {
                waiting.addFirst(youngest);
            }
        }
    }

    private void step() {
        var jobs = new ArrayList<Job>();
        var runs = new ArrayList<Engine.Run>();
        int allowed = pace.rows(active.stream().anyMatch(job -> job.generation.writing())), prefill = allowed;
        for (int i = 0; i < active.size(); i++) {
            var job = active.get(i);
            var sequence = job.generation.sequence();
            int rows = 1;
            if (!job.generation.writing()) {
                job.generation.reuse(share(sequence));
                if (awaitsAnother(i)) continue;
                rows = Math.min(prefill, sequence.pending());
                prefill -= rows;
            }
            if (rows == 0) continue;
            jobs.add(job);
            runs.add(new Engine.Run(sequence, rows, rows == sequence.pending() ? 1 : 0));
        }
        if (runs.isEmpty()) return;
        float[] logits;
        long start = clock.getAsLong();
        try {
            logits = engine.step(runs);
        } catch (RuntimeException | VirtualMachineError e) {
            jobs.forEach(job -> fail(job, e));
            return;
        }
        pace.measured(allowed - prefill, clock.getAsLong() - start);
        int offset = 0;
        for (int i = 0; i < runs.size(); i++) {
            if (runs.get(i).logits() == 0) continue;
            var generation = jobs.get(i).generation;
            int at = offset;
            if (!generation.ended()) guarded(jobs.get(i), () -> generation.accept(logits, at));
            offset += engine.vocabulary();
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
        job.generation.sequence().truncate(0);
        job.result.completeExceptionally(cause);
    }
}
