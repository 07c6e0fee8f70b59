package inkstone.transformer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Gradients;
import inkstone.tensor.Kernels;
import inkstone.tensor.Recurrence;
import inkstone.tensor.Rope;
import inkstone.tensor.Tensor;
import inkstone.tensor.cpu.CpuBackend;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a GPU records of a step must be right for every later token. So a step that comes again launches the same kernels with the same numbers on the same addresses, and neither
 * reads results nor uploads while it runs: here checked of every family, launch by launch, without a GPU.
 */
class RecordedStepsTest {
    /** Computes on the CPU and compares each step with the one before it of the same key. */
    private static final class Traced implements Backend {
        private final Backend backend = new CpuBackend(1);
        private final Map<Object, List<String>> known = new HashMap<>();
        private List<String> launches;
        private int repeated;
        private final Kernels kernels = (Kernels) Proxy.newProxyInstance(Kernels.class.getClassLoader(), new Class<?>[] {Kernels.class}, (_, method, arguments) -> {
            if (launches != null) launches.add(method.getName() + Stream.of(arguments).map(Traced::told).toList());
            try {
                return method.invoke(backend.kernels(), arguments);
            } catch (InvocationTargetException problem) {
                throw problem.getCause();
            }
        });

        private static String told(Object argument) {
            return switch (argument) {
                case Tensor tensor -> "%s at %x".formatted(tensor, tensor.data().address());
                case Rope rope -> "%s at %x, %s".formatted(rope, rope.frequencies().data().address(), rope.magnitude());
                case Recurrence recurrence -> Stream.of(recurrence.state(), recurrence.slots(), recurrence.positions()).map(Traced::told).toList().toString();
                case AttentionShape shape -> shape + (shape.sinks() == null ? "" : told(shape.sinks()));
                case null, default -> String.valueOf(argument);
            };
        }

        @Override public Tensor replay(Object key, Supplier<Tensor> step) {
            launches = new ArrayList<>();
            var result = step.get();
            launches.add("result " + told(result));
            var before = known.put(key, launches);
            if (before != null) {
                repeated++;
                for (int i = 0; i < Math.min(before.size(), launches.size()); i++) assertEquals(before.get(i), launches.get(i), "launch " + i);
                assertEquals(before.size(), launches.size());
            }
            launches = null;
            return result;
        }

        private void outside(String what) { assertTrue(launches == null, () -> "a step may not %s, after %s".formatted(what, launches.isEmpty() ? "nothing" : launches.getLast())); }

        @Override public String name() { return "traced"; }
        @Override public Kernels kernels() { return kernels; }
        @Override public Gradients gradients() { return backend.gradients(); }
        @Override public MemorySegment allocate(long bytes) { return backend.allocate(bytes); }
        @Override public void free(MemorySegment memory) { backend.free(memory); }
        @Override public MemorySegment resident(MemorySegment host) { outside("make memory resident"); return backend.resident(host); }
        @Override public void upload(MemorySegment destination, MemorySegment host) { outside("upload"); backend.upload(destination, host); }
        @Override public void download(MemorySegment host, MemorySegment source) { outside("read results"); backend.download(host, source); }
        @Override public void synchronize() { outside("wait"); backend.synchronize(); }
        @Override public void close() { backend.close(); }

        @Override public void copy(MemorySegment destination, MemorySegment source) {
            if (launches != null) launches.add("copy %x from %x, %d".formatted(destination.address(), source.address(), source.byteSize()));
            backend.copy(destination, source);
        }

        @Override public void clear(MemorySegment memory) {
            if (launches != null) launches.add("clear %x, %d".formatted(memory.address(), memory.byteSize()));
            backend.clear(memory);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"stories260K", "gpt2", "phi2", "phi3", "qwen2", "gemma2", "gptoss", "gptoss-mxfp4", "mixtral", "mamba", "rwkv7", "stablelm", "llama3-rope", "deepseek2-lite"})
    void goldenModels(String name) throws IOException { check(name.equals("stories260K") ? TestData.stories() : TestData.folder("golden-logits").resolve(name).resolve("model.gguf")); }

    @ParameterizedTest
    @ValueSource(strings = {"gemma3", "olmo3", "smollm3", "gptneox-parallel", "cohere2", "qwen3moe", "granitemoe", "falcon-40b", "phi3-longrope", "deepseek3", "deepseek2-whole", "qwen2moe",
        "chatglm", "exaone4-windowed", "nemotron", "minicpm", "dots1", "bailingmoe2", "apertus", "hunyuan-moe", "llama4", "mistral3", "plamo", "codeshell", "qwen3vl", "lfm2moe", "gemma4",
        "gemma4-sharing", "mamba2", "falcon-h1", "granitehybrid", "openelm", "deci", "qwen3next"})
    void randomModels(String name, @TempDir Path folder) throws IOException {
        var file = folder.resolve("model.gguf");
        RandomModelsTest.model(name).write(TestData.folder("golden-logits").resolve("qwen2").resolve("model.gguf"), file);
        check(file);
        Files.delete(file);
    }

    /** Two sequences grow token by token, with a prompt and a step that wants no logits between. */
    private static void check(Path file) throws IOException {
        var random = new Random(5);
        try (var backend = new Traced(); var model = Models.open(file, backend); var engine = new Engine(model, 64, 256, DType.F32)) {
            var sequences = List.of(engine.sequence(48), engine.sequence(48));
            int[][] tokens = {random.ints(40, 3, 300).toArray(), random.ints(40, 3, 300).toArray()};
            for (int i = 0; i < 2; i++) {
                sequences.get(i).restart(tokens[i]);
                assertTrue(sequences.get(i).reserve(40));
            }
            engine.step(List.of(new Engine.Run(sequences.get(0), 5, 1)));
            engine.step(List.of(new Engine.Run(sequences.get(1), 36, 0)));
            for (int round = 0; round < 3; round++) {
                engine.step(List.of(new Engine.Run(sequences.get(0), 1, 1)));
                engine.step(List.of(new Engine.Run(sequences.get(0), 1, 1), new Engine.Run(sequences.get(1), 1, 1)));
                engine.step(List.of(new Engine.Run(sequences.get(0), 2, 0)));
            }
            assertEquals(6, backend.repeated);
        }
    }
}
