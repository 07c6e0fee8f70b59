package inkstone.server.jobs;

import inkstone.tensor.ModelException;
import inkstone.tensor.train.Insight;
import inkstone.tensor.train.TrainingControl;
import inkstone.tensor.train.TrainingEvent;
import inkstone.tensor.train.TrainingEvent.End;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * Training jobs: kept in a database under the data folder, run one at a time on each device, in the order they came. What they tell is written down and carried by
 * the event bus to every {@link Feed}. When the program ends they are paused; one that a crash ended is shown as interrupted and goes on from its last
 * checkpoint when asked, and those that waited still wait. Any thread; a job runs on a thread of its own.
 *
 * <p>Wrong moments throw {@link IllegalStateException}, unknown ids {@link NoSuchElementException}, settings that make no sense {@link IllegalArgumentException}.
 */
public final class Jobs implements AutoCloseable {
    /** How long a cancellation or a deletion can be taken back. */
    public static final Duration UNDO = Duration.ofSeconds(10);
    /** Points of a curve that are kept: beyond twice as many, every second one goes. */
    private static final int POINTS = 1_000;
    /** Between two messages for those who look now, in nanoseconds: steps of the curve, and the job as a whole. */
    private static final long STEP_PAUSE = 50_000_000L, JOB_PAUSE = 400_000_000L;
    /** How long the program waits at its end for checkpoints to be written. */
    private static final Duration FAREWELL = Duration.ofSeconds(30);
    private static final Logger LOG = LoggerFactory.getLogger(Jobs.class);

    /** Why a running job was asked to stop. */
    private enum Intent { NONE, PAUSE, FINISH, CANCEL, CONTINUE }

    /** A job on its thread. */
    private static final class Active {
        final TrainingControl control = new TrainingControl();
        final Insight insight = new Insight();
        Intent intent = Intent.NONE;
        End end;
        long number, points, toldStep, toldJob, saved;
        boolean owed;
    }

    private final Path folder;
    private final FileChannel lock;
    private final Training training;
    private final Duration undo;
    private final JobStore store;
    private final JobBus bus;
    private final Uploads uploads;
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(Thread.ofPlatform().daemon().name("jobs").factory());
    private final SecureRandom random = new SecureRandom();
    private final Map<String, Job> jobs = new LinkedHashMap<>();
    private final Map<String, Active> active = new HashMap<>();
    private String loaded;
    /** Counts what is told of jobs, also over restarts: an answer to a request may arrive after a newer message of the bus. */
    private long revision = System.currentTimeMillis() << 10;
    private boolean closing, closed;

    private Jobs(Path folder, FileChannel lock, Training training, Duration undo) throws IOException {
        this.folder = folder;
        this.lock = lock;
        this.training = training;
        this.undo = undo;
        this.uploads = new Uploads(folder.resolve("uploads"));
        this.store = new JobStore(folder.resolve("jobs.db"));
        this.bus = new JobBus();
    }

    public static Jobs open(Path folder, Training training) throws IOException { return open(folder, training, UNDO); }

    /**
     * @param folder made where it is missing
     * @throws IOException where it cannot be written, or another Inkstone has it open
     */
    static Jobs open(Path folder, Training training, Duration undo) throws IOException {
        Folders.make(folder);
        var lock = FileChannel.open(folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        Jobs jobs = null;
        boolean whole = false;
        try {
            if (lock.tryLock() == null) throw taken(folder);
            jobs = new Jobs(folder, lock, training, undo);
            jobs.recover();
            whole = true;
            return jobs;
        } catch (OverlappingFileLockException same) {
            throw taken(folder);
        } finally {
            if (!whole && jobs != null) jobs.close();
            else if (!whole) lock.close();
        }
    }

    private static IOException taken(Path folder) {
        return new IOException("another Inkstone keeps its jobs in %s; give this one a folder of its own with --data-dir".formatted(folder));
    }

    /** What the end of the program left behind. */
    private synchronized void recover() throws IOException {
        store.jobs().stream().sorted(Comparator.comparingLong(Job::created)).forEach(job -> jobs.put(job.id(), job));
        for (var job : List.copyOf(jobs.values())) {
            switch (job.state()) {
                case RUNNING, STOPPING -> put(job.with(Job.State.INTERRUPTED));
                case CANCELLED, DELETED -> { if (job.undoState() != null) settle(job); }
                default -> { }
            }
        }
        schedule();
    }

    public Uploads uploads() { return uploads; }
    public Training training() { return training; }

    // Reading

    /** All jobs as clients see them, the newest first. */
    public synchronized List<ObjectNode> seen() { return list().stream().map(this::seen).toList(); }

    /** All jobs, the newest first. */
    synchronized List<Job> list() {
        return jobs.values().stream().filter(job -> job.state() != Job.State.DELETED).sorted(Comparator.comparingLong(Job::created).reversed()).toList();
    }

    public synchronized Job job(String id) {
        var job = jobs.get(id);
        if (job == null || job.state() == Job.State.DELETED) throw new NoSuchElementException("there is no such job");
        return job;
    }

    /** The job that this one waits for: the one before it on its device; null where it does not wait. */
    public synchronized Job before(Job job) {
        if (job.state() != Job.State.WAITING) return null;
        return jobs.values().stream().filter(other -> other.device().equals(job.device()))
            .filter(other -> active.containsKey(other.id()) || other.state() == Job.State.WAITING && other.position() < job.position())
            .max(Comparator.comparingLong(other -> active.containsKey(other.id()) ? Long.MIN_VALUE : other.position())).orElse(null);
    }

    /** Everything kept of a job's steps and evaluations, as lines of JSON. */
    public synchronized List<String> history(String id) {
        job(id);
        return store.events(id, 0).stream().map(JobStore.Stored::json).toList();
    }

    /**
     * All jobs as they are, then the events of job {@code id} after number {@code after}, then whatever comes.
     *
     * @param id null: the jobs alone
     */
    public synchronized Feed follow(String id, long after) {
        if (id != null) job(id);
        var feed = new Feed(id, after);
        feed.begin(bus, () -> {
            var known = new ArrayList<JobMessage>();
            for (var job : list()) known.add(message(job));
            if (id != null) for (var event : store.events(id, after)) known.add(new JobMessage(id, event.number(), JobMessage.Kind.KEPT, event.json()));
            known.add(new JobMessage(id == null ? "" : id, 0, JobMessage.Kind.LIVE, "{\"type\":\"live\"}"));
            return known;
        });
        return feed;
    }

    /** The job's own files. */
    public Training.Run run(Job job) throws IOException {
        var own = folder.resolve("jobs").resolve(job.id());
        return new Training.Run(job.settings(), own.resolve("data").resolve(job.data()), Files.createDirectories(own.resolve("run")));
    }

    /** Where results of the job in forms for others lie. */
    public Path exports(Job job) throws IOException { return Files.createDirectories(folder.resolve("jobs").resolve(job.id()).resolve("exports")); }

    // Asking

    /** A new job at the end of the queue. */
    public Job create(TuneSettings settings) throws IOException {
        var upload = uploads.file(settings.data());
        var plan = training.plan(upload, settings);
        if (plan.problem() != null) throw new IllegalArgumentException(plan.problem());
        var id = Uploads.newId(random);
        var name = upload.getFileName().toString();
        copy(upload, Files.createDirectories(folder.resolve("jobs").resolve(id).resolve("data")).resolve(name));
        synchronized (this) {
            long now = System.currentTimeMillis();
            long created = jobs.values().stream().mapToLong(Job::created).reduce(now, (latest, other) -> Math.max(latest, other + 1));
            var chosen = plan.settings().title().isEmpty() ? plan.settings().titled(name.replaceFirst("\\.\\w{1,8}$", "")) : plan.settings();
            var job = new Job(id, chosen, name, training.device(chosen), lastPosition() + 1, Job.State.WAITING, null, created, 0, 0, 0, null, Job.Progress.NONE);
            put(job);
            schedule();
            return job(id);
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        try {
            Files.createLink(to, from);
        } catch (IOException | UnsupportedOperationException noLinks) {
            Files.copy(from, to);
        }
    }

    public synchronized Job pause(String id) {
        var job = job(id);
        switch (job.state()) {
            case WAITING -> put(job.with(Job.State.PAUSED));
            case RUNNING -> stop(job, Intent.PAUSE);
            default -> throw wrongMoment(job, "paused");
        }
        return job(id);
    }

    /** Goes on where it stopped, at the end of the queue. */
    public synchronized Job resume(String id) {
        var job = job(id);
        if (job.state() == Job.State.STOPPING && active.get(id).intent == Intent.PAUSE) {
            active.get(id).intent = Intent.CONTINUE;
        } else if (job.state().continues()) {
            put(job.waiting(lastPosition() + 1));
            schedule();
        } else {
            throw wrongMoment(job, "continued");
        }
        return job(id);
    }

    /** Ends a job for good, with what it has learned so far. */
    public synchronized Job finish(String id) {
        var job = job(id);
        if (job.state() == Job.State.RUNNING) stop(job, Intent.FINISH);
        else if (job.state().continues() && job.progress().resultStep() > 0) put(job.with(Job.State.FINISHED).ended(System.currentTimeMillis()));
        else throw wrongMoment(job, "ended with what it has learned");
        return job(id);
    }

    /** Ends a job; for a while that can be undone. Its checkpoints go after that; its curve stays until it is deleted. */
    public synchronized Job cancel(String id) {
        var job = job(id);
        boolean runs = job.state() == Job.State.RUNNING || job.state() == Job.State.STOPPING;
        if (!runs && job.state() != Job.State.WAITING && !job.state().continues()) throw wrongMoment(job, "cancelled");
        requireUnloaded(id);
        /* A running job is paused first: then undoing loses nothing. */
        if (runs) stop(job, Intent.CANCEL);
        undoable(job, Job.State.CANCELLED, runs ? Job.State.WAITING : job.state());
        return job(id);
    }

    /** Takes a job and all its files away; for a while that can be undone. */
    public synchronized void delete(String id) {
        var job = job(id);
        if (!job.state().rests() || active.containsKey(id)) throw new IllegalStateException("a job that waits or runs is not deleted; cancel it first");
        requireUnloaded(id);
        if (job.undoState() != null) settleQuietly(job);
        undoable(jobs.get(id), Job.State.DELETED, job.state());
    }

    private void requireUnloaded(String id) {
        if (id.equals(loaded)) throw new IllegalStateException("the chat answers with this job's model; go back to the base model first");
    }

    private void undoable(Job job, Job.State state, Job.State before) {
        put(job.undoable(state, before, System.currentTimeMillis() + undo.toMillis()));
        timer.schedule(() -> settle(job.id()), undo.toMillis(), TimeUnit.MILLISECONDS);
    }

    /** Takes back a cancellation or a deletion. */
    public synchronized Job undo(String id) {
        var job = jobs.get(id);
        if (job == null) throw new NoSuchElementException("there is no such job");
        if (job.undoState() == null) throw new IllegalStateException("there is nothing to undo any more");
        if (active.containsKey(id)) {
            active.get(id).intent = Intent.CONTINUE;
            put(job.with(Job.State.STOPPING));
        } else if (job.undoState() == Job.State.WAITING) {
            put(job.waiting(job.position()));
            schedule();
        } else {
            put(job.with(job.undoState()));
        }
        return job(id);
    }

    /** The chat answers with this job's model, or, with null, with its own again. */
    public void load(String id) throws IOException {
        if (id == null) training.unload();
        else training.load(run(trained(id)));
        String before;
        synchronized (this) {
            before = loaded;
            loaded = id;
            for (var changed : new String[] {before, id}) if (changed != null && jobs.containsKey(changed)) bus.publish(message(jobs.get(changed)));
        }
    }

    /** A job that has learned something. */
    public Job trained(String id) {
        var job = job(id);
        if (job.progress().resultStep() == 0) throw new IllegalStateException("this job has saved nothing yet; wait for its first checkpoint");
        if (job.state() == Job.State.CANCELLED) throw new IllegalStateException("this job was cancelled, and what it had learned is gone");
        return job;
    }

    private static IllegalStateException wrongMoment(Job job, String what) {
        return new IllegalStateException("a job that is %s cannot be %s".formatted(job.state().name().toLowerCase(Locale.ROOT), what));
    }

    // Running

    private long lastPosition() { return jobs.values().stream().mapToLong(Job::position).max().orElse(0); }
    private long firstPosition() { return jobs.values().stream().mapToLong(Job::position).min().orElse(0); }

    private void stop(Job job, Intent intent) {
        var run = active.get(job.id());
        run.intent = intent;
        run.control.pause();
        put(job.with(Job.State.STOPPING));
    }

    /** Starts on each free device the job that has waited longest. */
    private void schedule() {
        if (closing) return;
        var waiting = jobs.values().stream().filter(job -> job.state() == Job.State.WAITING).sorted(Comparator.comparingLong(Job::position)).toList();
        for (var job : waiting) {
            boolean busy = active.keySet().stream().anyMatch(id -> jobs.get(id).device().equals(job.device()));
            if (!busy) start(job);
        }
        /* Who waits for whom has changed. */
        for (var job : waiting) if (!active.containsKey(job.id())) bus.publish(message(job));
    }

    private void start(Job job) {
        var run = new Active();
        run.number = store.lastNumber(job.id());
        run.points = store.points(job.id());
        store.events(job.id(), 0).forEach(event -> replay(run.insight, event.json()));
        active.put(job.id(), run);
        put(job.running(System.currentTimeMillis()));
        Thread.ofPlatform().name("training " + job.id()).start(() -> run(job, run));
    }

    private static void replay(Insight insight, String json) {
        var event = JobJson.parse(json);
        double loss = event.path("loss").isNumber() ? event.path("loss").doubleValue() : Double.NaN;
        switch (event.path("type").stringValue()) {
            case "step" -> insight.accept(new TrainingEvent.Step(event.path("step").longValue(), 0, loss, 0, 0, 0, 0, 0));
            case "evaluation" -> insight.accept(new TrainingEvent.Evaluation(event.path("step").longValue(), loss));
            default -> { }
        }
    }

    /** On the job's thread. */
    private void run(Job job, Active run) {
        var problem = "the training stopped unexpectedly; the server's log says why";
        try {
            training.job(run(job)).run(run.control, event -> accept(job.id(), run, event));
            problem = null;
        } catch (IOException | UncheckedIOException | IllegalArgumentException | IllegalStateException | UnsupportedOperationException | ModelException told) {
            problem = told.getMessage() == null ? problem : told.getMessage();
            LOG.warn("the training job {} failed: {}", job.settings().title(), told.toString());
        } catch (RuntimeException ours) {
            LOG.error("the training job {} failed", job.settings().title(), ours);
        } finally {
            ended(job.id(), run, problem);
        }
    }

    private synchronized void accept(String id, Active run, TrainingEvent event) {
        if (closed) return;
        long now = System.nanoTime();
        var job = jobs.get(id);
        var progress = job.progress().after(event, System.currentTimeMillis());
        run.insight.accept(event);
        if (event instanceof TrainingEvent.Started started) store.forget(id, started.fromStep() == 0 ? -1 : started.fromStep());   // from the start, also the evaluation before the first step
        if (event instanceof TrainingEvent.Finished finished) run.end = finished.end();
        boolean passing = event instanceof TrainingEvent.Step step && step.step() % progress.stride() != 0 && step.step() != step.steps();
        tell(id, run, event, passing, now);
        if (event instanceof TrainingEvent.Step && !passing && ++run.points > 2 * POINTS) {
            progress = progress.withStride(2 * progress.stride());
            store.thin(id, progress.stride());
            run.points = store.points(id);
        }
        var note = run.insight.note().orElse(null);
        if (!Objects.equals(note, progress.insight())) {
            progress = progress.with(note);
            keep(id, run, "insight", progress.step(), JobJson.text(JobJson.of(note)));
        }
        boolean step = event instanceof TrainingEvent.Step;
        jobs.put(id, job.with(progress));
        if (!step || now - run.saved > 1_000_000_000L) {
            store.put(jobs.get(id));
            run.saved = now;
        }
        if (!step || now - run.toldJob > JOB_PAUSE) {
            bus.publish(message(jobs.get(id)));
            run.toldJob = now;
        } else if (!run.owed) {
            run.owed = true;                                    // the next step may take minutes
            timer.schedule(() -> pay(id, run), JOB_PAUSE, TimeUnit.NANOSECONDS);
        }
    }

    private synchronized void pay(String id, Active run) {
        run.owed = false;
        if (closed || active.get(id) != run) return;
        bus.publish(message(jobs.get(id)));
        run.toldJob = System.nanoTime();
    }

    private void tell(String id, Active run, TrainingEvent event, boolean passing, long now) {
        var json = JobJson.of(event);
        if (!passing) {
            keep(id, run, json.path("type").stringValue(), json.path(event instanceof TrainingEvent.Started ? "fromStep" : "step").longValue(), JobJson.text(json));
        } else if (now - run.toldStep > STEP_PAUSE) {
            bus.publish(new JobMessage(id, run.number, JobMessage.Kind.PASSING, JobJson.text(json)));
            run.toldStep = now;
        }
    }

    private void keep(String id, Active run, String type, long step, String json) {
        run.number++;
        store.append(id, run.number, type, step, json);
        bus.publish(new JobMessage(id, run.number, JobMessage.Kind.KEPT, json));
    }

    /** @param problem null where the run returned */
    private synchronized void ended(String id, Active run, String problem) {
        if (closed) return;
        active.remove(id);
        var job = jobs.get(id);
        long now = System.currentTimeMillis();
        boolean undone = run.intent == Intent.CONTINUE, cancelled = run.intent == Intent.CANCEL, stopped = run.control.pauseRequested();
        boolean complete = run.end == End.COMPLETE || run.end == End.STOPPED_EARLY || run.end == null && !stopped && problem == null;
        if (complete && problem == null) put(job.with(Job.State.FINISHED).ended(now));
        else if (cancelled) {
            if (job.undoState() == null) settleQuietly(job);
            else put(job.undoable(Job.State.CANCELLED, problem == null ? Job.State.WAITING : Job.State.PAUSED, job.undoUntil()));
        } else if (problem != null) put(job.failed(problem).ended(now));
        else if (undone && !closing) put(job.waiting(firstPosition() - 1));
        else if (run.intent == Intent.FINISH) put(job.with(Job.State.FINISHED).ended(now));
        else put(job.with(Job.State.PAUSED));
        notifyAll();
        schedule();
    }

    // What cannot be undone any more

    private synchronized void settle(String id) {
        if (closed) return;
        var job = jobs.get(id);
        if (job != null && job.undoState() != null && System.currentTimeMillis() >= job.undoUntil()) settleQuietly(job);
    }

    private void settleQuietly(Job job) {
        try {
            settle(job);
        } catch (IOException left) {
            LOG.warn("files of the job {} could not be deleted", job.settings().title(), left);
        }
    }

    private void settle(Job job) throws IOException {
        var own = folder.resolve("jobs").resolve(job.id());
        if (job.state() == Job.State.DELETED) {
            jobs.remove(job.id());
            store.remove(job.id());
            Folders.delete(own);
        } else if (active.containsKey(job.id())) {
            active.get(job.id()).control.cancel();              // it is still in the step; its end settles the rest
            put(job.with(Job.State.CANCELLED));
        } else {
            put(job.with(Job.State.CANCELLED).ended(System.currentTimeMillis()));
            Folders.delete(own.resolve("run"));
            Folders.delete(own.resolve("exports"));
        }
    }

    private void put(Job job) {
        jobs.put(job.id(), job);
        store.put(job);
        bus.publish(message(job));
    }

    private JobMessage message(Job job) {
        if (job.state() == Job.State.DELETED) return new JobMessage(job.id(), 0, JobMessage.Kind.GONE, JobJson.text(JobJson.object().put("type", "gone").put("id", job.id())));
        return new JobMessage(job.id(), 0, JobMessage.Kind.JOB, JobJson.text(seen(job)));
    }

    /** The job as it is now, as clients see it. */
    public synchronized ObjectNode seen(String id) { return seen(job(id)); }

    private ObjectNode seen(Job job) {
        var json = JobJson.object().put("type", "job");
        json.setAll(JobJson.of(job));
        json.remove(List.of("position", "undoState"));
        if (job.undoState() == null) json.put("undoUntil", 0);
        var before = before(job);
        return json.put("after", before == null ? null : before.settings().title()).put("loaded", job.id().equals(loaded)).put("revision", ++revision)
            .put("resultStep", job.state() == Job.State.CANCELLED ? 0 : job.progress().resultStep());
    }

    /** Pauses what runs, waits for the checkpoints, and closes the files. What is too slow is interrupted when the program ends. */
    @Override public void close() throws IOException {
        try {
            stop();
        } finally {
            bus.close();
            lock.close();
        }
    }

    private synchronized void stop() {
        closing = true;
        for (var entry : active.entrySet()) {
            entry.getValue().control.pause();
            if (jobs.get(entry.getKey()).state() == Job.State.RUNNING) stop(jobs.get(entry.getKey()), Intent.PAUSE);
        }
        long end = System.nanoTime() + FAREWELL.toNanos();
        try {
            for (long left = FAREWELL.toMillis(); !active.isEmpty() && left > 0; left = (end - System.nanoTime()) / 1_000_000) wait(left);
        } catch (InterruptedException hurry) {
            Thread.currentThread().interrupt();
        }
        timer.shutdownNow();
        closed = true;
        store.close();
    }
}
