package inkstone.tensor.train;

/** How a run is told from outside to end before its last step. Any thread may ask; the run looks between two steps. */
public final class TrainingControl {
    private volatile boolean pause, cancel;

    /** The run saves a checkpoint and ends; it can be resumed. */
    public void pause() { pause = true; }

    /** The run ends as it is. */
    public void cancel() { cancel = true; }

    public boolean pauseRequested() { return pause; }

    public boolean cancelRequested() { return cancel; }
}
