package inkstone.tensor.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A CUDA device for tests where there is none: the same {@code .cu} files compiled by g++, behind a library that has the name and the functions of NVIDIA's driver. Loaded before
 * JCuda, it is what JCuda's natives bind to. {@code -Dinkstone.cuda} says what to take instead: {@code device}, the real driver; {@code checked}, a stand-in whose kernels g++'s
 * undefined behaviour sanitizer watches, which is slower; or the path of a stand-in that was built before.
 */
public final class StandIn {
    private static final List<String> OPTIONS = List.of("-O2", "-g1", "-std=c++17", "-fPIC", "-march=native", "-fno-strict-aliasing", "-fvisibility=hidden", "-ffp-contract=off", "-w");
    /** Unaligned loads, indices outside of arrays, shifts by too many bits, sums out of range; the handlers are the stand-in's own. */
    private static final List<String> CHECKS = List.of("-fsanitize=undefined", "-fno-sanitize-recover=all");
    private static final String MODE = System.getProperty("inkstone.cuda", "");

    private static String obstacle;
    private static Path library;
    private static boolean loaded;

    private StandIn() {}

    /** Makes a device available to this JVM; why that is impossible, in one line, or null. */
    public static synchronized String obstacle() {
        if (!loaded) {
            loaded = true;
            if (!isDevice()) obstacle = load();
        }
        return obstacle;
    }

    /** Skips the test that calls, and says why, where there is no device. */
    public static void require() {
        var reason = obstacle();
        assumeTrue(reason == null, () -> "skipped: " + reason);
    }

    /** Whether tests run on a real GPU. */
    public static boolean isDevice() { return MODE.equals("device"); }

    /** Whether kernels are watched, and slow. */
    public static boolean isChecked() { return MODE.equals("checked"); }

    /** The library that stands for the driver, for processes that a test starts. */
    public static Path library() { return library; }

    // ---- what tests may set and ask ----------------------------------------------------------------------------------------------------------------

    /** Bytes that the device has from now on, used ones among them; 4 GiB at first. */
    public static void memory(long bytes) { set("memory", bytes); }

    /** The threads of a block run forward (0), backward (1) or shuffled by another number: what their order changes lacks a barrier. */
    public static void order(int order) { set("order", order); }

    /** @param name of a setting of emulator.h */
    public static void set(String name, long value) {
        try (var arena = Arena.ofConfined()) {
            int result = (int) Linker.nativeLinker().downcallHandle(symbol("emu_set"), FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG))
                .invokeExact(arena.allocateFrom(name), value);
            if (result != 0) throw new IllegalArgumentException("the stand-in has no setting " + name);
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** What a kernel or a copy did wrong, the first since {@link #reset}; empty where nothing did. */
    public static String fault() {
        try {
            var text = (MemorySegment) Linker.nativeLinker().downcallHandle(symbol("emu_fault"), FunctionDescriptor.of(ValueLayout.ADDRESS)).invokeExact();
            return text.reinterpret(4096).getString(0);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Forgets the fault, and that it lost the context. */
    public static void reset() {
        try {
            Linker.nativeLinker().downcallHandle(symbol("emu_reset"), FunctionDescriptor.ofVoid()).invokeExact();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static MemorySegment symbol(String name) { return SymbolLookup.loaderLookup().findOrThrow(name); }

    // ---- building it ---------------------------------------------------------------------------------------------------------------------------------

    private static String load() {
        if (!System.getProperty("os.name").equals("Linux") || !System.getProperty("os.arch").equals("amd64")) return "the stand-in for a GPU needs Linux on x86-64";
        if (MODE.contains("/")) {
            library = Path.of(MODE).toAbsolutePath();
            System.load(library.toString());
            return null;
        }
        try {
            if (new ProcessBuilder("g++", "--version").redirectErrorStream(true).start().waitFor() != 0) return "g++ does not run";
        } catch (IOException e) {
            return "there is no g++ (Debian: apt-get install g++), so no kernel for the GPU is tested";
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        try {
            library = build();
            System.load(library.toString());
            return null;
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException("the stand-in for a GPU cannot be built: " + e.getMessage(), e);
        }
    }

    /** Compiles what changed since it was compiled last, two files at a time. */
    private static Path build() throws IOException, InterruptedException {
        var module = Files.isDirectory(Path.of("src/main/cuda")) ? Path.of("").toAbsolutePath() : Path.of("../tensor").toAbsolutePath().normalize();
        Path kernels = module.resolve("src/main/cuda"), emulator = module.resolve("src/test/cuda"), faulty = emulator.resolve("faulty");
        var out = Files.createDirectories(module.resolve(isChecked() ? "target/cuda-stand-in-checked" : "target/cuda-stand-in"));
        var includes = List.of("-I" + emulator, "-I" + kernels);
        long headers = Math.max(newest(kernels, ".cuh"), newest(emulator, ".h"));
        var library = out.resolve("libcuda.so.1");
        var running = new ArrayList<Process>();
        var objects = new ArrayList<Path>();
        boolean changed = !Files.exists(library);
        /* In this order, because what lies between the first and the last of these is shared memory. */
        var sources = new ArrayList<>(List.of(emulator.resolve("shared_begin.cpp")));
        sources.addAll(files(kernels, ".cu"));
        sources.addAll(files(faulty, ".cu"));
        sources.add(emulator.resolve("shared_end.cpp"));
        for (var source : files(emulator, ".cpp")) if (!sources.contains(source)) sources.add(source);
        for (var source : sources) {
            var object = out.resolve(source.getFileName() + ".o");
            objects.add(object);
            if (Files.exists(object) && Files.getLastModifiedTime(object).toMillis() > Math.max(headers, Files.getLastModifiedTime(source).toMillis())) continue;
            changed = true;
            if (running.size() == 2) await(running.removeFirst());
            var command = new ArrayList<>(List.of("g++"));
            command.addAll(OPTIONS);
            if (source.startsWith(faulty) || isChecked() && source.startsWith(kernels)) command.addAll(CHECKS);
            command.addAll(includes);
            command.addAll(List.of("-x", "c++", "-c", source.toString(), "-o", object.toString()));
            running.add(new ProcessBuilder(command).redirectErrorStream(true).start());
        }
        for (var process : running) await(process);
        if (changed) {
            var command = new ArrayList<>(List.of("g++", "-shared", "-Wl,-soname,libcuda.so.1", "-o", library.toString()));
            objects.forEach(object -> command.add(object.toString()));
            command.add("-lpthread");
            await(new ProcessBuilder(command).redirectErrorStream(true).start());
        }
        return library;
    }

    private static List<Path> files(Path folder, String ending) throws IOException {
        try (var files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(ending)).sorted().toList();
        }
    }

    /** When the newest of the files was changed. */
    private static long newest(Path folder, String ending) throws IOException {
        long newest = 0;
        for (var file : files(folder, ending)) newest = Math.max(newest, Files.getLastModifiedTime(file).toMillis());
        return newest;
    }

    private static void await(Process process) throws IOException, InterruptedException {
        var output = new String(process.getInputStream().readAllBytes());
        if (!process.waitFor(10, TimeUnit.MINUTES) || process.exitValue() != 0) throw new IOException("g++ fails:\n" + output);
    }
}
