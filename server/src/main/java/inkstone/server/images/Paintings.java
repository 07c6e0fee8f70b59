package inkstone.server.images;

import inkstone.diffusion.ImagePipeline;
import inkstone.diffusion.ImagePipeline.Watcher;
import inkstone.diffusion.Picture;
import inkstone.diffusion.picture.Parameters;
import inkstone.diffusion.picture.Png;
import inkstone.server.jobs.Feed;
import inkstone.server.jobs.JobBus;
import inkstone.server.jobs.JobJson;
import inkstone.server.jobs.JobMessage;
import inkstone.server.jobs.JobMessage.Kind;
import inkstone.tensor.ModelException;
import inkstone.transformer.QueueFullException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.ObjectNode;

/**
 * What is painted here: one queue of jobs, one thread that paints picture by picture, clients in turn, and the {@link Gallery} that keeps what is finished. Jobs tell of
 * every step, with what the network expects and what it sees as small pictures; whoever follows gets what is known of the picture being painted first. Any thread.
 *
 * <p>Orders that make no sense throw {@link IllegalArgumentException}, unknown ids {@link NoSuchElementException}, a full queue {@link QueueFullException}.
 */
public final class Paintings implements AutoCloseable {
    /** Jobs that have ended and can still be looked at. */
    private static final int KEPT = 20;
    /** After so long without a job the model's memory is given back. */
    private static final Duration IDLE = Duration.ofMinutes(5);
    /** How long the program waits at its end for the evaluation that is under way. */
    private static final Duration FAREWELL = Duration.ofSeconds(30);
    private static final Logger LOG = LoggerFactory.getLogger(Paintings.class);

    private final Easel easel;
    private final Gallery gallery;
    private final int queue;
    private final JobBus bus = new JobBus();
    private final SecureRandom random = new SecureRandom();
    private final Map<String, PaintJob> jobs = new LinkedHashMap<>();
    /** What waits of each client, whose turn is next first. Who is served goes to the end with all that it wants. */
    private final LinkedHashMap<String, ArrayDeque<PaintJob>> waiting = new LinkedHashMap<>();
    private final Thread painter;
    private PaintJob running;
    /** Counts what is told, also over restarts: an answer to a request may arrive after a newer message of the bus. */
    private long revision = System.currentTimeMillis() << 10;
    private boolean closed;

    private Paintings(Easel easel, Gallery gallery, int queue) {
        this.easel = easel;
        this.gallery = gallery;
        this.queue = queue;
        this.painter = Thread.ofPlatform().name("painter").start(this::work);
    }

    /**
     * @param folder of the gallery, made where it is missing
     * @param easel  closed with this
     * @param queue  jobs of one client that may wait
     * @throws IOException where the folder cannot be used
     */
    public static Paintings open(Path folder, Easel easel, int queue) throws IOException { return new Paintings(easel, Gallery.open(folder), queue); }

    public Easel easel() { return easel; }
    public Gallery gallery() { return gallery; }

    // Asking

    /**
     * A new job at the end of its client's queue.
     *
     * @param client who asks, for turns; the same text is the same client
     */
    public PaintJob paint(PaintOrder order, String client) {
        var info = easel.model(order.model());
        var cells = order.cells(info, this::pixels, random.nextLong(PaintOrder.RANDOM_SEEDS));
        return submit(new PaintJob(gallery.newId(), client, info.name(), order, cells, null, System.currentTimeMillis()));
    }

    /** A picture of the gallery, larger. */
    public PaintJob enlarge(String picture, String client) {
        if (easel.enlarging() == null) throw new IllegalStateException("nothing here makes pictures larger");
        var painting = gallery.painting(picture);
        return submit(new PaintJob(gallery.newId(), client, easel.enlarging().name(), PaintOrder.of(painting.prompt()), List.of(), painting, System.currentTimeMillis()));
    }

    private Picture pixels(String id) {
        try {
            return gallery.pixels(id);
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
    }

    private synchronized PaintJob submit(PaintJob job) {
        if (closed) throw new IllegalStateException("the program is about to end");
        int own = waiting.getOrDefault(job.client, new ArrayDeque<>()).size(), all = inTurn().size();
        if (own >= queue || all >= 4 * queue) throw new QueueFullException("%d jobs wait to be painted already, %d of them of this client; try again later".formatted(all, own));
        jobs.put(job.id, job);
        waiting.computeIfAbsent(job.client, _ -> new ArrayDeque<>()).add(job);
        forgetOld();
        publish(job);
        notifyAll();
        return job;
    }

    private void forgetOld() {
        var ended = jobs.values().stream().filter(job -> job.state.ended()).map(job -> job.id).toList();
        for (var id : ended.subList(0, Math.max(0, ended.size() - KEPT))) jobs.remove(id);
    }

    public synchronized PaintJob job(String id) {
        var job = jobs.get(id);
        if (job == null) throw new NoSuchElementException("there is no such job");
        return job;
    }

    /** Ends a job; the pictures that it has finished stay. What has ended stays as it is. */
    public synchronized PaintJob cancel(String id) {
        var job = job(id);
        if (job == running) job.cancelled = true;   // it ends at the next evaluation
        else if (!job.state.ended()) {
            waiting.get(job.client).remove(job);
            waiting.values().removeIf(ArrayDeque::isEmpty);
            end(job, PaintJob.State.CANCELLED, null, false);
        }
        return job;
    }

    // Reading

    public synchronized ObjectNode seen(PaintJob job) { return job.seen(++revision, position(job)); }

    /** All jobs that are known, the newest first. */
    public synchronized List<ObjectNode> seen() { return jobs.values().stream().toList().reversed().stream().map(this::seen).toList(); }

    /** Jobs that are served before this one begins. */
    private int position(PaintJob job) {
        if (job == running || job.state.ended()) return 0;
        return inTurn().indexOf(job) + (running == null ? 0 : 1);
    }

    /** All that waits, what is to be begun next first: the first of each client, then the second of each. */
    private List<PaintJob> inTurn() {
        var turns = new ArrayList<PaintJob>();
        var left = waiting.values().stream().map(ArrayDeque::iterator).toList();
        for (boolean more = true; more; ) {
            more = false;
            for (var own : left) if (own.hasNext()) more = turns.add(own.next());
        }
        return turns;
    }

    /** The jobs as they are and the steps of the picture being painted, then whatever comes. */
    public synchronized Feed follow() {
        var feed = new Feed(null, 0);
        feed.begin(bus, () -> {
            var known = new ArrayList<JobMessage>();
            for (var job : jobs.values()) known.add(message(seen(job)));
            if (running != null) for (var frame : running.film.frames()) known.add(message(step(running, frame)));
            known.add(new JobMessage("", 0, Kind.LIVE, "{\"type\":\"live\"}"));
            return known;
        });
        return feed;
    }

    /** Waits until the job has ended, or for {@code patience}; returns whether it has. */
    public synchronized boolean await(PaintJob job, Duration patience) throws InterruptedException {
        long end = System.nanoTime() + patience.toNanos();
        for (long left = patience.toMillis(); !job.state.ended() && left > 0; left = (end - System.nanoTime()) / 1_000_000) wait(left);
        return job.state.ended();
    }

    private static JobMessage message(ObjectNode json) { return new JobMessage("", 0, Kind.JOB, JobJson.text(json)); }

    private void publish(PaintJob job) { bus.publish(message(seen(job))); }

    private static ObjectNode step(PaintJob job, Filmstrip.Frame frame) {
        return JobJson.object().put("type", "step").put("job", job.id).put("picture", job.done.size()).put("step", frame.step()).put("steps", job.steps).put("sigma", frame.sigma())
            .put("secondsLeft", job.secondsLeft()).put("predicted", dataUrl(frame.predicted())).put("noisy", dataUrl(frame.noisy()));
    }

    private static String dataUrl(Picture picture) { return "data:image/png;base64," + Base64.getEncoder().encodeToString(Png.write(picture, Map.of())); }

    // Painting, on the painter's thread

    private void work() {
        try {
            for (var job = next(); job != null; job = next()) {
                var problem = "painting stopped unexpectedly; the server's log says why";
                boolean invalid = false;
                try {
                    if (job.enlarged != null) enlarge(job);
                    else paint(job, easel.open(job.model));
                    problem = null;
                } catch (CancellationException asked) {
                    problem = null;
                } catch (IllegalArgumentException wrong) {
                    problem = wrong.getMessage();
                    invalid = true;
                } catch (IOException | UncheckedIOException | IllegalStateException | UnsupportedOperationException | ModelException told) {
                    problem = told.getMessage() == null ? problem : told.getMessage();
                    LOG.warn("a picture was not painted: {}", told.toString());
                } catch (RuntimeException | OutOfMemoryError ours) {
                    LOG.error("a picture was not painted", ours);
                }
                rest(job, problem, invalid);
            }
        } catch (InterruptedException closing) {
            Thread.currentThread().interrupt();
        } finally {
            easel.clear();
        }
    }

    /**
     * Whose turn it is; null at the end of the program. Clients take turns picture by picture, but a job that has begun is finished before another model is opened for
     * the next one: opening takes longer than painting.
     */
    private synchronized PaintJob next() throws InterruptedException {
        long idle = System.nanoTime() + IDLE.toNanos();
        while (!closed && waiting.isEmpty()) {
            long left = (idle - System.nanoTime()) / 1_000_000;
            if (left <= 0) easel.clear();
            wait(Math.max(0, left));   // 0: until there is something
        }
        if (closed) return null;
        var first = waiting.firstEntry().getValue().getFirst();
        var job = waiting.values().stream().map(ArrayDeque::getFirst).filter(begun -> !begun.done.isEmpty() && !begun.model.equals(first.model)).findFirst().orElse(first);
        var own = waiting.remove(job.client);
        own.removeFirst();
        if (!own.isEmpty()) waiting.putLast(job.client, own);
        running = job;
        job.begin(System.currentTimeMillis());
        publish(job);
        return job;
    }

    private void paint(PaintJob job, ImagePipeline pipeline) throws IOException {
        var cell = job.cells.get(job.done.size());
        long start = System.nanoTime();
        var painted = pipeline.paint(cell.request(), new Watcher() {
            @Override public void step(ImagePipeline.Step step) {
                evaluating();
                var frame = step.step() == 0 ? null : Filmstrip.Frame.of(step);
                told(job, step.steps(), frame);
            }

            @Override public void evaluating() { if (job.cancelled) throw new CancellationException(); }
        }).getFirst();
        var picture = painted.picture();
        var from = job.order.from() != null && gallery.has(job.order.from()) ? job.order.from() : "";
        keep(job, Painting.of(gallery.newId(), job.id, job.model, cell.request(), painted.seed(), picture, from, job.film.sigmas(), seconds(start), System.currentTimeMillis()),
            Parameters.of(cell.request(), painted.seed(), job.model), picture);
    }

    private void enlarge(PaintJob job) throws IOException {
        long start = System.nanoTime();
        easel.clear();   // both in memory at once may not fit
        var enlarging = easel.enlarging();
        var id = job.enlarged.id();
        Picture larger;
        try (var enlarger = enlarging.opening().open()) { larger = enlarger.enlarge(gallery.pixels(id).rgb(0xFFFFFF)); }
        var told = gallery.parameters(id);
        var fields = new LinkedHashMap<>(told.fields());
        fields.put("Postprocess upscale by", Integer.toString(enlarging.factor()));   // as A1111 has it
        fields.put("Postprocess upscaler", enlarging.name());
        keep(job, job.enlarged.enlarged(gallery.newId(), job.id, larger, seconds(start), System.currentTimeMillis()), new Parameters(told.prompt(), told.negative(), fields), larger);
    }

    private static double seconds(long start) { return Math.round((System.nanoTime() - start) / 1e7) / 100.0; }

    private synchronized void told(PaintJob job, int steps, Filmstrip.Frame frame) {
        job.stepped(frame == null ? 0 : frame.step(), steps, System.nanoTime());
        if (frame == null) {
            publish(job);
            return;
        }
        job.film.add(frame);
        bus.publish(message(step(job, frame)));
    }

    private void keep(PaintJob job, Painting painting, Parameters parameters, Picture picture) throws IOException {
        var kept = gallery.add(painting, parameters, picture, job.film);
        synchronized (this) { job.done.add(kept); }
    }

    /** A picture is finished, or is not to be: on with the next. */
    private synchronized void rest(PaintJob job, String problem, boolean invalid) {
        running = null;
        if (problem != null) end(job, PaintJob.State.FAILED, problem, invalid);
        else if (job.done.size() == job.pictures()) end(job, PaintJob.State.FINISHED, null, false);
        else if (job.cancelled || closed) end(job, PaintJob.State.CANCELLED, null, false);
        else {
            waiting.computeIfAbsent(job.client, _ -> new ArrayDeque<>()).addFirst(job);
            publish(job);
        }
    }

    private void end(PaintJob job, PaintJob.State state, String problem, boolean invalid) {
        job.end(state, problem, invalid, System.currentTimeMillis());
        publish(job);
        for (var other : jobs.values()) if (!other.state.ended()) publish(other);   // who waits for how many has changed
        notifyAll();
    }

    /** Ends what runs at the next evaluation, and waits for that; finished pictures are kept. */
    @Override public void close() throws IOException {
        synchronized (this) {
            closed = true;
            if (running != null) running.cancelled = true;
            notifyAll();
        }
        try {
            painter.join(FAREWELL);
        } catch (InterruptedException hurry) {
            Thread.currentThread().interrupt();
        } finally {
            bus.close();
            gallery.close();
        }
    }
}
