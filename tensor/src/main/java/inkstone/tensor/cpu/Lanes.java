package inkstone.tensor.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import com.sun.management.HotSpotDiagnosticMXBean;
import inkstone.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * The vector species of this machine, 128, 256 or 512 bits, and the memory they are loaded from. Rules that every kernel of this package keeps, each found by measuring:
 * <ul>
 * <li>Memory is one constant segment over all addresses, so that C2 folds bounds and liveness checks. Loads are therefore unchecked: {@link #address} and the
 *     operations on {@link Tensor} check before, and indices that come from tensors (tokens, slots, pages) are checked by the kernel that uses them.
 * <li>No method takes or returns a vector. A helper that does may be compiled alone and then not be inlined; every call boxes its vectors and costs 100 times more.
 *     That is why {@code FMA ? a.fma(b, c) : a.mul(b).add(c)} is spelled out.
 * <li>Lanes are added by {@link #sum}, not by reduceLanes, whose order differs between the interpreter and C2: the same input would not always give the same bits.
 * <li>Species and conversion parts are constants; a variable one boxes.
 * </ul>
 */
final class Lanes {
    static final VectorSpecies<Float> F = FloatVector.SPECIES_PREFERRED;
    static final VectorSpecies<Integer> I = VectorSpecies.of(int.class, F.vectorShape());
    /** Half as many longs as {@link #F} has floats, and as many ints of half a vector. */
    static final VectorSpecies<Long> J = VectorSpecies.of(long.class, F.vectorShape());
    static final VectorSpecies<Integer> HALF_I = VectorSpecies.of(int.class, VectorShape.forBitSize(F.vectorBitSize() / 2));
    /** As many shorts as {@link #F} has floats. */
    static final VectorSpecies<Short> S = VectorSpecies.of(short.class, VectorShape.forBitSize(F.vectorBitSize() / 2));
    /** As many bytes as {@link #F} has floats, but at least 8, the smallest there is. */
    static final VectorSpecies<Byte> B = VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, F.vectorBitSize() / 4)));
    /** Floats in a vector. */
    static final int L = F.length();
    /** Whether the bytes of a {@link #B} fill two vectors of floats, as they do on 128 bits. */
    static final boolean TWO_PARTS = B.length() == 2 * L;

    static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;
    static final ValueLayout.OfFloat FLOAT = JAVA_FLOAT_UNALIGNED.withOrder(ORDER);
    static final ValueLayout.OfInt INT = JAVA_INT_UNALIGNED.withOrder(ORDER);
    static final ValueLayout.OfShort SHORT = JAVA_SHORT_UNALIGNED.withOrder(ORDER);

    /** Whether the machine fuses multiply and add; where it does not, {@code fma} is emulated with BigDecimal, thousands of times slower. */
    static final boolean FMA = Boolean.parseBoolean(ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class).getVMOption("UseFMA").getValue());

    private Lanes() {}

    /** Where a tensor's data begins, for kernels that load without checks. */
    static long address(Tensor tensor) {
        var data = tensor.data();
        if (!data.isNative()) throw new IllegalArgumentException("cpu: %s lies in a Java array; kernels need native memory".formatted(tensor));
        if (!data.scope().isAlive()) throw new IllegalStateException("cpu: the memory of %s was closed".formatted(tensor));
        return data.address();
    }

    /** The sum of the {@link #L} floats stored at {@code lanes}, in a fixed order; overwrites them. */
    static float sum(long lanes) {
        var four = FloatVector.fromMemorySegment(FloatVector.SPECIES_128, MEMORY, lanes, ORDER);
        if (L >= 8) four = four.add(FloatVector.fromMemorySegment(FloatVector.SPECIES_128, MEMORY, lanes + 16, ORDER));
        if (L >= 16) four = four.add(FloatVector.fromMemorySegment(FloatVector.SPECIES_128, MEMORY, lanes + 32, ORDER));
        if (L >= 16) four = four.add(FloatVector.fromMemorySegment(FloatVector.SPECIES_128, MEMORY, lanes + 48, ORDER));
        four.intoMemorySegment(MEMORY, lanes, ORDER);
        return MEMORY.get(FLOAT, lanes) + MEMORY.get(FLOAT, lanes + 4) + (MEMORY.get(FLOAT, lanes + 8) + MEMORY.get(FLOAT, lanes + 12));
    }

    static float half(long address) { return Float.float16ToFloat(MEMORY.get(SHORT, address)); }
}
