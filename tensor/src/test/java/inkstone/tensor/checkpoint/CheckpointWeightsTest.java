package inkstone.tensor.checkpoint;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT_UNALIGNED;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Gradients;
import inkstone.tensor.Kernels;
import inkstone.tensor.Linear;
import inkstone.tensor.ModelException;
import inkstone.tensor.Shape;
import inkstone.tensor.Tensor;
import inkstone.tensor.Weights;
import inkstone.tensor.reference.ReferenceBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CheckpointWeightsTest {
    private final ReferenceBackend backend = new ReferenceBackend();

    @AfterEach void close() { backend.close(); }

    record Model(Tensor norm, Linear out) {
        static Model of(Weights w) { return new Model(w.tensor("norm.weight", 2), w.at("head.").linear("out", 3, 2)); }
    }

    /** norm.weight F16 [2] = 1, 2; head.out.weight F32 [2, 3]; position_ids I64. */
    private static final String FITS = """
        {"norm.weight":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"head.out.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},
         "position_ids":{"dtype":"I64","shape":[1],"data_offsets":[28,36]}}""";

    private static Safetensors file(String header, int data) {
        var bytes = SafetensorsTest.file(header, data);
        for (int i = 0, at = bytes.length - data; i < 4; i++) bytes[at + i] = (byte) (new int[] {0x00, 0x3C, 0x00, 0x40})[i];
        return Safetensors.read(MemorySegment.ofArray(bytes), "model.safetensors", Arena.ofConfined());
    }

    @Test void aModelThatFitsIsBuiltWithoutCopyingItsMatrices() {
        try (var file = file(FITS, 36); var weights = new CheckpointWeights(file, backend)) {
            var model = weights.build(Model::of);
            var dense = (Linear.Dense) model.out;
            assertEquals(file.data("head.out.weight"), dense.weight().data());
            assertEquals(new Shape(2, 3), dense.weight().shape());
            assertNull(dense.bias());
            assertSame(dense.weight(), weights.tensor("head.out.weight", 2, 3));
        }
    }

    @Test void vectorsBecomeFloatsInMemoryOfTheBackend() {
        var watched = new Watched(backend);
        try (var file = file(FITS, 36)) {
            try (var weights = new CheckpointWeights(file, watched)) {
                var norm = weights.build(Model::of).norm;
                assertEquals(DType.F32, norm.dtype());
                assertEquals(1, norm.data().get(JAVA_FLOAT_UNALIGNED, 0));
                assertEquals(2, norm.data().get(JAVA_FLOAT_UNALIGNED, 4));
                assertEquals(2, watched.held.size());                                 // the vector, and the matrix that resident() copied
            }
            assertEquals(List.of(), watched.held);
        }
    }

    @Test void everythingThatDoesNotFitIsListedOnce() {
        var header = """
            {"head.out.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]},"head.out.bias":{"dtype":"F64","shape":[1],"data_offsets":[24,32]},
             "extra":{"dtype":"F32","shape":[1],"data_offsets":[32,36]}}""";
        try (var file = file(header, 36); var weights = new CheckpointWeights(file, backend)) {
            var message = assertThrows(ModelException.class, () -> weights.build(w -> { Model.of(w); return Model.of(w); })).getMessage();
            assertTrue(message.startsWith("model.safetensors is not a file of this model: tensor norm.weight [2] is missing; "
                + "tensor head.out.weight should be [2, 3], found [3, 2]; tensor head.out.bias is F64, which has no kernel here; "), message);
            assertTrue(message.endsWith("; the model has no use for extra"), message);
        }
    }

    @Test void longListsAreCutShort() {
        try (var file = file(FITS, 36); var weights = new CheckpointWeights(file, backend)) {
            var message = assertThrows(ModelException.class, () -> weights.build(w -> {
                for (int i = 0; i < 100; i++) w.tensor("blk." + i, 1);
                return Model.of(w);
            })).getMessage();
            assertTrue(message.endsWith("blk.7 [1] is missing and 92 more"), message);
        }
    }

    @Test void outsideOfBuildOneProblemIsThrownAtOnce() {
        try (var file = file(FITS, 36); var weights = new CheckpointWeights(file, backend)) {
            var misfit = assertThrows(ModelException.class, () -> weights.tensor("norm.weight", 3));
            assertEquals("model.safetensors: tensor norm.weight should be [3], found [2]", misfit.getMessage());
            var missing = assertThrows(ModelException.class, () -> weights.tensor("x", 3));
            assertEquals("model.safetensors: tensor x [3] is missing", missing.getMessage());
        }
    }

    @Test void askingWhetherATensorIsThereCountsAsAskingForIt() {
        try (var file = file(FITS, 36); var weights = new CheckpointWeights(file, backend)) {
            boolean asked = weights.build(w -> w.has("norm.weight") && w.has("head.out.weight") && !w.has("absent"));
            assertTrue(asked);
        }
    }

    @Test void matricesAreFloatsWhereThatIsAsked() {
        var header = """
            {"conv":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}""";
        try (var file = file(header, 4); var weights = new CheckpointWeights(file, backend)) {
            var conv = weights.build(w -> w.floats("conv", 1, 2));
            assertEquals(DType.F32, conv.dtype());
            assertEquals(2, conv.data().get(JAVA_FLOAT_UNALIGNED, 4));
        }
    }

    @Test void unreadWeightsTellWhatIsMissingAndHaveNoMemory() {
        try (var file = file(FITS, 36); var weights = CheckpointWeights.unread(file, backend)) {
            assertThrows(IllegalStateException.class, () -> weights.build(Model::of).norm.data().get(JAVA_FLOAT_UNALIGNED, 0));
            assertThrows(ModelException.class, () -> weights.build(w -> w.tensor("absent", 1)));
        }
    }

    @Test void aTensorThatDoesNotFitHasNoMemoryToRead() {
        try (var file = file(FITS, 36); var weights = new CheckpointWeights(file, backend)) {
            assertThrows(IllegalStateException.class, () -> weights.build(w -> w.tensor("absent", 1 << 20, 1 << 20).data().get(JAVA_FLOAT_UNALIGNED, 0)));
        }
    }

    /** A backend with memory of its own, as a GPU has, that knows what it still holds. */
    private record Watched(Backend backend, List<MemorySegment> held) implements Backend {
        Watched(Backend backend) { this(backend, new ArrayList<>()); }
        @Override public String name() { return "watched"; }
        @Override public Kernels kernels() { return backend.kernels(); }
        @Override public Gradients gradients() { return backend.gradients(); }
        @Override public void clear(MemorySegment memory) { backend.clear(memory); }
        @Override public MemorySegment allocate(long bytes) { var memory = backend.allocate(bytes); held.add(memory); return memory; }
        @Override public void free(MemorySegment memory) { held.remove(memory); backend.free(memory); }
        @Override public MemorySegment resident(MemorySegment host) { var memory = allocate(host.byteSize()); upload(memory, host); return memory; }
        @Override public void upload(MemorySegment destination, MemorySegment host) { backend.upload(destination, host); }
        @Override public void download(MemorySegment host, MemorySegment source) { backend.download(host, source); }
        @Override public void copy(MemorySegment destination, MemorySegment source) { backend.copy(destination, source); }
        @Override public void synchronize() { backend.synchronize(); }
        @Override public void close() { backend.close(); }
    }
}
