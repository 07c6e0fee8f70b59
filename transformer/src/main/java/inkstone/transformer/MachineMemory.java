package inkstone.transformer;

import com.sun.management.OperatingSystemMXBean;
import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What this machine, or the container this process runs in, can hold, or the backend's own memory where it has one. Said before it is allocated: afterwards the system ends the process
 * without a word.
 */
public final class MachineMemory {
    private static final Path MEMINFO = Path.of("/proc/meminfo");

    private MachineMemory() {}

    /** Throws where {@code bytes} are more than the machine's memory; {@code instead} is what the user may try. */
    static void require(long bytes, String what, String instead) {
        long total = total();
        if (bytes > total) {
            throw new ModelException("%s takes %.1f GB, this machine has %.1f GB of memory; use %s".formatted(what, bytes / 1e9, total / 1e9, instead));
        }
    }

    /** The same of memory that the backend allocates. */
    static void require(Backend backend, long bytes, String what, String instead) {
        var own = backend.memory();
        if (own.isEmpty()) {
            require(bytes, what, instead);
        } else if (bytes > own.get().free()) {
            throw new ModelException("%s takes %.1f GB, of the %.1f GB of %s %.1f GB are free; use %s"
                .formatted(what, bytes / 1e9, own.get().total() / 1e9, backend.device(), own.get().free() / 1e9, instead));
        }
    }

    /** Bytes that the backend can allocate now. */
    public static long available(Backend backend) { return backend.memory().map(Backend.Memory::free).orElseGet(MachineMemory::available); }

    /** All of it, in bytes, at most what the container may use. */
    private static long total() { return ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system ? system.getTotalMemorySize() : Long.MAX_VALUE; }

    /** What is free now, in bytes, or can be made free without writing to a disk; all of it where the system does not say (outside Linux). */
    public static long available() {
        if (!Files.isReadable(MEMINFO)) return total();
        try (var lines = Files.lines(MEMINFO)) {
            return lines.filter(line -> line.startsWith("MemAvailable:")).mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024).map(bytes -> Math.min(bytes, total())).findFirst().orElse(total());
        } catch (IOException unreadable) {
            return total();
        }
    }
}
