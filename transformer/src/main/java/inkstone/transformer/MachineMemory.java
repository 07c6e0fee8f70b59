package inkstone.transformer;

import com.sun.management.OperatingSystemMXBean;
import inkstone.tensor.ModelException;
import java.lang.management.ManagementFactory;

/** What this machine can hold. Said before it is allocated: afterwards the system ends the process without a word. */
final class MachineMemory {
    private MachineMemory() {}

    /** Throws where {@code bytes} are more than the machine's memory; {@code instead} is what the user may try. */
    static void require(long bytes, String what, String instead) {
        long total = ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system ? system.getTotalMemorySize() : Long.MAX_VALUE;
        if (bytes > total) {
            throw new ModelException("%s takes %.1f GB, this machine has %.1f GB of memory; use %s".formatted(what, bytes / 1e9, total / 1e9, instead));
        }
    }
}
