package inkstone.transformer;

import inkstone.tensor.DType;
import inkstone.transformer.GenerationResult.Finish;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Continuous batching (Yu et al. 2022, "Orca", OSDI): every step takes one row of each answer being written and a chunk of the oldest prompts being read, so that
 * answers go on while prompts come in. One platform thread owns the backend, the cache and every callback.
 *
 * <p>Requests start in the order they came, each as soon as the cache has room for its prompt and one more token. Finished sequences keep their pages: a request
 * that shares at least half of the shorter of its prompt and a kept sequence takes that sequence and reads only what is new; the least recently used give way
 * when pages are needed. Where answers outgrow the cache and nothing is kept, the request that started last gives way: if it has written anything it ends with
 * {@link Finish#LENGTH}, otherwise it waits again, first in line. An answer that reaches the end of the context ends with {@link Finish#LENGTH}; a prompt that
 * leaves no room for one token is refused at once.
 *
 * <p>A step that fails fails the requests in it and no other; a callback that throws fails its own request. The model must outlive the scheduler.
 */
public final class BatchScheduler implements Scheduler {
    /**
     * @param contextLength tokens that one prompt and its answer may have together
     * @param cacheTokens   tokens of all sequences together, running and kept
     * @param cacheType     of keys and values, F32 or F16
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
    private final Thread thread;
    /** Of all threads, guarded by itself, as are the next two. */
    private final ArrayDeque<Job> waiting = new ArrayDeque<>();
    private boolean closed;
    private int running;
    /** Of the scheduler's thread: what runs, in order of start, and what is kept, least recently used first. */
    private final List<Job> active = new ArrayList<>();
    private final List<Sequence> kept = new ArrayList<>();

    private BatchScheduler(LanguageModel model, Settings settings) {
        this.model = model;
        this.settings = settings;
        this.engine = new Engine(model, settings.contextLength(), settings.cacheTokens(), settings.cacheType());
        this.thread = Thread.ofPlatform().name("scheduler").daemon().unstarted(this::run);
    }

    public static BatchScheduler start(LanguageModel model, Settings settings) {
        var scheduler = new BatchScheduler(model, settings);
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

    @Override public void close() {
        synchronized (waiting) {
            closed = true;
            waiting.notifyAll();
        }
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
            engine.close();
        }
    }

    /** False when closed. */
    private boolean awaitWork() {
        synchronized (waiting) {
            try {
                while (!closed && waiting.isEmpty() && active.isEmpty()) waiting.wait();
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

    private void keep(Sequence sequence) {
        sequence.truncate(sequence.cached());
        if (sequence.cached() > 0) kept.add(sequence);
    }

    private void startWaiting() {
        while (active.size() < settings.maxActive()) {
            Job job;
            synchronized (waiting) {
                job = waiting.peek();
                if (job == null || Math.ceilDiv(job.generation.prompt().length + 1, engine.cache().pageSize()) > availablePages()) return;
                waiting.remove();
                running++;
            }
            var sequence = takeKept(job.generation.prompt());
            job.generation.start(sequence);
            while (!sequence.reserve(sequence.length() + 1)) evict();
            active.add(job);
        }
    }

    /** Free pages and those of kept sequences; exact on the scheduler's thread and when nothing runs. */
    int availablePages() {
        int pages = engine.cache().freePages();
        for (var sequence : kept) pages += sequence.pages();
        return pages;
    }

    /** The kept sequence with the longest prefix of this prompt, of equals the least recently used; a new one where none has enough of it. */
    private Sequence takeKept(int[] prompt) {
        Sequence best = null;
        int longest = 0;
        for (var sequence : kept) {
            int common = sequence.commonPrefix(prompt);
            if (common > longest && 2 * common >= Math.min(sequence.cached(), prompt.length)) {
                best = sequence;
                longest = common;
            }
        }
        if (best == null) return engine.sequence(prompt.length + 64);
        kept.remove(best);
        return best;
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
        int prefill = Engine.PREFILL_ROWS;
        for (var job : active) {
            var sequence = job.generation.sequence();
            int rows = job.generation.writing() ? 1 : Math.min(prefill, sequence.pending());
            if (rows == 0) continue;
            if (!job.generation.writing()) prefill -= rows;
            jobs.add(job);
            runs.add(new Engine.Run(sequence, rows, rows == sequence.pending() ? 1 : 0));
        }
        if (runs.isEmpty()) return;
        float[] logits;
        try {
            logits = engine.step(runs);
        } catch (RuntimeException | VirtualMachineError e) {
            jobs.forEach(job -> fail(job, e));
            return;
        }
        int offset = 0;
        for (int i = 0; i < runs.size(); i++) {
            if (runs.get(i).logits() == 0) continue;
            var generation = jobs.get(i).generation;
            int at = offset;
            if (!generation.ended()) guarded(jobs.get(i), () -> generation.accept(logits, at));
            offset += engine.vocabulary();
        }
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
