package inkstone.server.cli;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;

/** What this Java virtual machine can do for vectors. */
final class Jvm {
    static final String NO_VECTORS = "this Java runs without its vector module; start it with --add-modules=jdk.incubator.vector";
    static final String SLOW =
        "this Java runs without its optimising compiler (C2), and vectors are very slow without it; drop -Xint, -client and -XX:TieredStopAtLevel";
    /** The tier of HotSpot's compilation that knows vectors. */
    private static final int C2 = 4;

    private Jvm() {}

    static boolean hasVectors() { return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent(); }

    static boolean isSlow() {
        if (System.getProperty("java.vm.info", "").contains("interpreted")) return true;
        var hotSpot = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        return hotSpot != null && Integer.parseInt(hotSpot.getVMOption("TieredStopAtLevel").getValue()) < C2;
    }
}
