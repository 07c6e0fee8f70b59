package inkstone.tensor.cpu;

import static inkstone.tensor.cpu.Lanes.INT;
import static inkstone.tensor.cpu.Lanes.MEMORY;

import inkstone.tensor.Tensor;

/** An I32 tensor whose every element was seen to be in [0, limit): kernels use them as addresses without further checks. */
record Indices(long address, int count) {
    /** @param name kernel and argument, for the message */
    static Indices of(String name, Tensor tensor, int limit) {
        var indices = new Indices(Lanes.address(tensor), Math.toIntExact(tensor.shape().elements()));
        for (int i = 0; i < indices.count; i++) check(name, indices.at(i), i, limit);
        return indices;
    }

    static void check(String name, int index, int row, int limit) {
        if (index < 0 || index >= limit) throw new IllegalArgumentException("%s %d at row %d, expected 0 to %d".formatted(name, index, row, limit - 1));
    }

    int at(int i) { return MEMORY.get(INT, address + 4L * i); }
}
