package inkstone.server;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;

/** Memory of the machine and of this process, in bytes. */
public final class Memory {
    private Memory() {}

    public static long ofMachine() {
        return ManagementFactory.getOperatingSystemMXBean() instanceof com.sun.management.OperatingSystemMXBean system ? system.getTotalMemorySize() : 0;
    }

    /** What the process holds in RAM, mapped files included; where the system does not say (outside Linux), the Java heap and what belongs to it. */
    public static long resident() { return ofProcess("VmRSS").orElseGet(Memory::ofJvm); }

    /** The most the process ever held in RAM; empty where the system does not say. */
    public static OptionalLong peakResident() { return ofProcess("VmHWM"); }

    /** Heap and other memory that the JVM manages and has committed; mapped files are not in it. */
    public static long ofJvm() {
        var memory = ManagementFactory.getMemoryMXBean();
        return memory.getHeapMemoryUsage().getCommitted() + memory.getNonHeapMemoryUsage().getCommitted();
    }

    private static OptionalLong ofProcess(String name) { return read("/proc/self/status", name); }

    private static OptionalLong read(String file, String name) {
        var status = Path.of(file);
        if (!Files.isReadable(status)) return OptionalLong.empty();
        try (var lines = Files.lines(status)) {
            return lines.filter(line -> line.startsWith(name + ":")).mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024).findFirst();
        } catch (IOException unreadable) {
            return OptionalLong.empty();
        }
    }
}
