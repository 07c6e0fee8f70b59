package inkstone.tensor.cuda;

/** A call of the driver failed. After some failures, such as a kernel that touched memory that is not its own, the device's context is lost and every later call fails too. */
public final class CudaFailure extends RuntimeException {
    private final int result;

    CudaFailure(int result, String message) {
        super(message);
        this.result = result;
    }

    /** The driver's number for what happened. */
    public int result() { return result; }
}
