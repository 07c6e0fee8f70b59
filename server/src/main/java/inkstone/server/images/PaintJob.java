package inkstone.server.images;

import inkstone.server.jobs.JobJson;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CopyOnWriteArrayList;
import tools.jackson.databind.node.ObjectNode;

/** One order on its way through the queue. What changes is guarded by the {@link Paintings} that has it. */
public final class PaintJob {
    public enum State {
        WAITING, RUNNING, FINISHED, CANCELLED, FAILED;

        boolean ended() { return this != WAITING && this != RUNNING; }
    }

    /** How much the newest step counts where the time of steps is averaged. */
    private static final double NEWEST = 0.3;

    final String id, client, model;
    final PaintOrder order;
    final List<PaintOrder.Cell> cells;
    /** The picture that is to be larger; null where pictures are painted. */
    final Painting enlarged;
    /** What is finished, in the order of the cells. */
    final List<Painting> done = new CopyOnWriteArrayList<>();
    private final long created;
    /** Of the picture being painted. */
    Filmstrip film = new Filmstrip();
    State state = State.WAITING;
    String problem;
    boolean invalid;
    volatile boolean cancelled;
    int step, steps;
    private long started, ended, lastStep;
    private double secondsPerStep;

    PaintJob(String id, String client, String model, PaintOrder order, List<PaintOrder.Cell> cells, Painting enlarged, long created) {
        this.id = id;
        this.client = client;
        this.model = model;
        this.order = order;
        this.cells = cells;
        this.enlarged = enlarged;
        this.created = created;
    }

    public String id() { return id; }

    /** For whoever waited until it ended. */
    public State state() { return state; }

    /** Why it failed, in one sentence; null where it did not. */
    public String problem() { return problem; }

    /** Whether it failed because the order is one that the model does not accept. */
    public boolean invalid() { return invalid; }

    public List<Painting> done() { return List.copyOf(done); }

    public int pictures() { return enlarged != null ? 1 : cells.size(); }

    /** Pixels of the pictures as they were ordered. */
    public int width() { return cells.getFirst().request().width(); }
    public int height() { return cells.getFirst().request().height(); }

    void begin(long now) {
        state = State.RUNNING;
        if (started == 0) started = now;
        film = new Filmstrip();
        step = 0;
        lastStep = 0;
        if (enlarged == null) steps = cells.get(done.size()).request().steps();
    }

    /** @param now in nanoseconds */
    void stepped(int newStep, int newSteps, long now) {
        if (lastStep != 0 && newStep > step) {
            double took = (now - lastStep) / 1e9 / (newStep - step);
            secondsPerStep = secondsPerStep == 0 ? took : NEWEST * took + (1 - NEWEST) * secondsPerStep;
        }
        step = newStep;
        steps = newSteps;
        lastStep = now;
    }

    /** Of the whole job; 0 where nobody knows yet. */
    double secondsLeft() {
        int others = pictures() - done.size() - 1;
        return Math.round(10 * secondsPerStep * (steps - step + (double) others * steps)) / 10.0;
    }

    void end(State newState, String newProblem, boolean newInvalid, long now) {
        state = newState;
        problem = newProblem;
        invalid = newInvalid;
        ended = now;
        film = new Filmstrip();
    }

    /** As clients see it. */
    ObjectNode seen(long revision, int ahead) {
        var json = JobJson.object().put("type", "job").put("id", id).put("state", state.name().toLowerCase(Locale.ROOT)).put("model", model).put("problem", problem)
            .put("kind", enlarged == null ? "paint" : "enlarge").put("prompt", order.prompt()).put("pictures", pictures()).put("ahead", ahead).put("step", step).put("steps", steps)
            .put("secondsPerStep", Math.round(1_000 * secondsPerStep) / 1_000.0).put("secondsLeft", state == State.RUNNING ? secondsLeft() : 0)
            .put("created", created).put("started", started).put("ended", ended).put("revision", revision);
        json.set("order", JobJson.of(order));
        var seeds = json.putArray("seeds");
        cells.forEach(cell -> seeds.add(cell.request().seed()));
        var finished = json.putArray("done");
        done.forEach(painting -> finished.add(JobJson.of(painting)));
        return json;
    }
}
