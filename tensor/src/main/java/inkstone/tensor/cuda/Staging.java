package inkstone.tensor.cuda;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;
import jcuda.driver.CUevent;
import jcuda.driver.CUstream;

/**
 * Two pinned buffers between the host's memory and the device, for the copies of one stream: while one is being copied by the device, the other is filled. Small uploads return at
 * once, because they are in a pinned buffer by then, and are done before whatever is launched after them on the stream.
 */
final class Staging implements AutoCloseable {
    private static final long BUFFER = 16 << 20;
    /** What one thread copies at a time where several do: a mapped file is read page by page, and one thread reads slower than a GPU takes it. */
    private static final long PART = 1 << 20;

    private final CUstream stream;
    private final MemorySegment[] buffers = new MemorySegment[2];
    private final CUevent[] copied = new CUevent[2];
    private int current;
    private long used;

    Staging(CUstream stream) {
        this.stream = stream;
        for (int i = 0; i < 2; i++) {
            buffers[i] = CudaDriver.allocateHost(BUFFER);
            copied[i] = CudaDriver.event();
        }
    }

    /** Told of the bytes of a part that are on their way. */
    interface Progress { void sent(long bytes); }

    /** The host's memory may change when this returns. */
    void upload(long destination, MemorySegment host) { upload(destination, host, false, _ -> {}); }

    /** As {@link #upload(long, MemorySegment)}, of much: {@code host} is memory that any thread may read. */
    void upload(long destination, MemorySegment host, Progress progress) { upload(destination, host, true, progress); }

    private void upload(long destination, MemorySegment host, boolean together, Progress progress) {
        for (long at = 0; at < host.byteSize(); ) {
            if (used == BUFFER) next();
            long count = Math.min(host.byteSize() - at, BUFFER - used);
            var pinned = buffers[current].asSlice(used, count);
            fill(pinned, host.asSlice(at, count), together);
            CudaDriver.upload(destination + at, pinned, stream);
            used += count;
            at += count;
            progress.sent(count);
        }
        used = Math.min(BUFFER, Math.ceilDiv(used, 64) * 64);
    }

    private static void fill(MemorySegment pinned, MemorySegment host, boolean together) {
        long count = host.byteSize();
        if (together && count > PART) {
            IntStream.range(0, (int) Math.ceilDiv(count, PART)).parallel().forEach(part -> {
                long from = part * PART, size = Math.min(PART, count - from);
                MemorySegment.copy(host, from, pinned, from, size);
            });
        } else {
            MemorySegment.copy(host, 0, pinned, 0, count);
        }
    }

    /** Goes on with the other buffer, once the device has taken what was in it. */
    private void next() {
        CudaDriver.record(copied[current], stream);
        current ^= 1;
        used = 0;
        CudaDriver.await(copied[current]);
    }

    /** Makes what is launched on another stream from now on wait for everything that was uploaded. */
    void before(CUstream other) {
        CudaDriver.record(copied[current], stream);
        CudaDriver.await(other, copied[current]);
    }

    /** Waits for everything launched so far. */
    void download(MemorySegment host, long source) {
        for (long at = 0; at < host.byteSize(); ) {
            if (used == BUFFER) next();
            long count = Math.min(host.byteSize() - at, BUFFER - used);
            var pinned = buffers[current].asSlice(used, count);
            CudaDriver.download(pinned, source + at, stream);
            CudaDriver.synchronize(stream, "copying results from the GPU");
            MemorySegment.copy(pinned, ValueLayout.JAVA_BYTE, 0, host, ValueLayout.JAVA_BYTE, at, count);
            at += count;
        }
    }

    @Override public void close() {
        for (int i = 0; i < 2; i++) {
            CudaDriver.destroy(copied[i]);
            CudaDriver.freeHost(buffers[i]);
        }
    }
}
