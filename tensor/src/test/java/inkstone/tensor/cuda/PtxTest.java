package inkstone.tensor.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jcuda.nvptxcompiler.JNvPTXCompiler;
import jcuda.nvptxcompiler.nvPTXCompileResult;
import jcuda.nvptxcompiler.nvPTXCompilerHandle;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The kernels as the program carries them: made from the sources that are here, and fit for every kind of device; no driver is needed. */
class PtxTest {
    private static final Path SOURCES = Path.of("src/main/cuda"), RESULTS = Path.of("src/main/resources/inkstone/tensor/cuda/ptx");
    private static final String REMEDY = "run scripts/build-ptx with nvcc 13 on the path, and commit what it makes";

    private static List<Path> files(Path folder, String... endings) {
        try (var files = Files.list(folder)) {
            return files.filter(file -> Stream.of(endings).anyMatch(file.toString()::endsWith)).sorted().toList();
        } catch (IOException e) {
            throw new AssertionError("%s cannot be listed; %s".formatted(folder, REMEDY), e);
        }
    }

    private static String name(Path file) { return file.getFileName().toString(); }

    private static String sha256(Path file) throws IOException {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    @Test void wasMadeFromTheseSources() throws IOException {
        var manifest = Files.readAllLines(RESULTS.resolve("MANIFEST"));
        assertTrue(manifest.getFirst().startsWith("nvcc 13."), () -> "made with '%s'; %s".formatted(manifest.getFirst(), REMEDY));
        Map<String, String> recorded = manifest.stream().skip(1).map(line -> line.split(" +")).collect(Collectors.toMap(parts -> parts[1], parts -> parts[0])), actual = new TreeMap<>();
        for (var file : files(SOURCES, ".cu", ".cuh")) actual.put(name(file), sha256(file));
        assertEquals(actual, new TreeMap<>(recorded), () -> "the kernels have changed since their PTX was made; " + REMEDY);
        assertEquals(files(SOURCES, ".cu").stream().map(file -> name(file).replace(".cu", "")).toList(), files(RESULTS, ".ptx").stream().map(file -> name(file).replace(".ptx", "")).toList(),
            () -> "kernel files and PTX files are not the same; " + REMEDY);
    }

    /** By the compiler of CUDA 12.0 that JCuda's natives carry, so that what it takes a driver of that age takes too. */
    @TestFactory Stream<DynamicTest> assemblesForEveryDevice() {
        assumeTrue(System.getProperty("os.name").equals("Linux") && System.getProperty("os.arch").equals("amd64"), "skipped: the PTX compiler is tried on Linux on x86-64");
        JNvPTXCompiler.setExceptionsEnabled(false);
        return files(RESULTS, ".ptx").stream().map(file -> DynamicTest.dynamicTest(name(file), () -> {
            var text = Files.readString(file);
            /* The first that kernels are made for and the newest that this compiler knows; those between have the instructions of the first. */
            Stream.of("sm_80", "sm_90").parallel().forEach(device -> assemble(name(file), text, device));
        }));
    }

    private static void assemble(String file, String text, String device) {
        var bytes = (text + '\0').getBytes(StandardCharsets.UTF_8);
        var compiler = new nvPTXCompilerHandle();
        int created = JNvPTXCompiler.nvPTXCompilerCreate(compiler, bytes.length - 1, bytes);
        assertEquals(nvPTXCompileResult.NVPTXCOMPILE_SUCCESS, created, () -> file + ": the PTX compiler does not start");
        var options = new String[] {"--gpu-name=" + device, "--opt-level=0"};
        int result = JNvPTXCompiler.nvPTXCompilerCompile(compiler, options.length, options);
        var size = new long[1];
        JNvPTXCompiler.nvPTXCompilerGetErrorLogSize(compiler, size);
        var log = new byte[Math.toIntExact(size[0]) + 1];
        JNvPTXCompiler.nvPTXCompilerGetErrorLog(compiler, log);
        JNvPTXCompiler.nvPTXCompilerDestroy(compiler);
        assertEquals(nvPTXCompileResult.NVPTXCOMPILE_SUCCESS, result, () -> "%s does not assemble for %s:\n%s".formatted(file, device, new String(log, StandardCharsets.UTF_8).trim()));
    }
}
