package inkstone.tensor.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import inkstone.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.driver.CUfunction;

/**
 * A kernel to be launched: arguments in order, then the grid. They are laid out once in native memory, which JCuda hands on as it is: 0.2 microseconds a launch, where a tree of
 * pointers built each time takes 3.
 * <pre>{@code gelu.with(y).with(x).with(count).launch(Math.ceilDiv(count, 256), 256);}</pre>
 */
final class Kernel {
    private static final int MOST_ARGUMENTS = 40, SLOT = 8, USUAL_SHARED = 48 << 10;

    private final Gpu gpu;
    private final String file, name;
    private final MemorySegment values = Arena.ofAuto().allocate(MOST_ARGUMENTS * SLOT, SLOT), table = Arena.ofAuto().allocate(MOST_ARGUMENTS * SLOT, SLOT);
    private final Pointer arguments = Pointer.to(table.asByteBuffer());
    private CUfunction function;
    private int count, allowedShared = USUAL_SHARED;

    Kernel(Gpu gpu, String file, String name) {
        this.gpu = gpu;
        this.file = file;
        this.name = name;
        for (int i = 0; i < MOST_ARGUMENTS; i++) table.setAtIndex(ADDRESS, i, values.asSlice((long) i * SLOT));
    }

    /** The address of a tensor; null: 0. */
    Kernel with(Tensor tensor) { return with(tensor == null ? 0 : tensor.data().address()); }

    /** A 64-bit integer or an address. */
    Kernel with(long value) {
        values.set(JAVA_LONG, (long) count++ * SLOT, value);
        return this;
    }

    Kernel with(int value) {
        values.set(JAVA_INT, (long) count++ * SLOT, value);
        return this;
    }

    Kernel with(float value) {
        values.set(JAVA_FLOAT, (long) count++ * SLOT, value);
        return this;
    }

    /** 1 or 0, an int in the kernel. */
    Kernel with(boolean value) { return with(value ? 1 : 0); }

    /** @param grid blocks along x @param block threads of a block */
    void launch(long grid, int block) { launch(grid, 1, 1, block, 0); }

    /** @param shared bytes of dynamic shared memory. A grid of no blocks launches nothing. */
    void launch(long gridX, int gridY, int gridZ, int block, int shared) {
        count = 0;
        if (gridX == 0 || gridY == 0 || gridZ == 0) return;
        if (function == null) function = CudaDriver.function(gpu.module(file), file, name);
        if (shared > allowedShared) {
            CudaDriver.allowShared(function, shared);
            allowedShared = shared;
        }
        int result = CudaDriver.launch(function, Math.toIntExact(gridX), gridY, gridZ, block, shared, gpu.stream, arguments);
        if (result != 0) CudaDriver.check(result, "launching %s of %s.cu with %d x %d x %d blocks of %d threads, %,d bytes shared".formatted(name, file, gridX, gridY, gridZ, block, shared));
        if (gpu.careful()) gpu.synchronize("running %s of %s.cu with %d x %d x %d blocks of %d threads".formatted(name, file, gridX, gridY, gridZ, block));
    }

    @Override public String toString() { return "%s of %s.cu".formatted(name, file); }
}
