package inkstone.tensor.cuda;

/** Why this machine cannot compute on a GPU, in one line. */
public final class CudaAbsent extends UnsupportedOperationException {
    private final boolean driver;

    CudaAbsent(boolean driver, String reason) {
        super(reason);
        this.driver = driver;
    }

    /** Whether there is an NVIDIA driver, so that somebody may wonder why it is not used. */
    public boolean hasDriver() { return driver; }
}
