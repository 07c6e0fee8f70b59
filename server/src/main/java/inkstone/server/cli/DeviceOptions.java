package inkstone.server.cli;

import inkstone.tensor.Backend;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.tensor.cuda.CudaAbsent;
import inkstone.tensor.cuda.CudaBackend;
import inkstone.tensor.cuda.SplitBackend;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.transformer.Footprint;
import java.io.IOException;
import java.util.Locale;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** What computes: options of every command that does. */
final class DeviceOptions {
    enum Device { auto, cpu, cuda, reference }

    @Option(names = "--device", paramLabel = "DEVICE", defaultValue = "auto",
        description = "What computes: ${COMPLETION-CANDIDATES}. auto is an NVIDIA GPU (cuda) where there is one, else the cpu; reference is plain loops, for comparison. Default: ${DEFAULT-VALUE}.")
    private Device device;

    @Option(names = "--gpu", paramLabel = "N", description = "Which GPU, from 0. Default: 0.")
    private Integer gpu;

    @Option(names = {"-t", "--threads"}, paramLabel = "N", description = "Threads that compute on the CPU. Default: one for each core.")
    private Integer threads;

    /** Before anything is opened. */
    void check(CommandSpec command) {
        if (threads != null && (threads < 1 || threads > 1_024)) throw wrong(command, "--threads must be 1 to 1024, got " + threads);
        if (gpu != null && gpu < 0) throw wrong(command, "--gpu counts from 0, got " + gpu);
        if (gpu != null && (device == Device.cpu || device == Device.reference)) throw wrong(command, "--gpu belongs to --device cuda");
    }

    /** Whether the user said that no GPU is wanted. */
    boolean withoutGpu() { return device == Device.cpu || device == Device.reference; }

    int threads() { return threads == null ? CpuBackend.defaultThreads() : threads; }

    /** What trains. */
    Backend open(CommandSpec command) {
        return switch (device) {
            case reference -> new ReferenceBackend();
            case cpu -> cpu(command);
            case cuda -> gpu(command);
            case auto -> {
                var found = gpuIfUsable(command);
                yield found == null ? cpuOrReference(command) : found;
            }
        };
    }

    /** Says what a model needs; asked only where there is a GPU. */
    interface Needs { Footprint footprint() throws IOException; }

    /**
     * What runs a model: as much of it on a GPU as fits, or as the user wants.
     *
     * @param layers that are to be on the GPU; null where nobody says
     */
    Backend open(CommandSpec command, Integer layers, Needs needs) throws IOException {
        if (layers != null && layers == 0) return cpuOrReference(command);
        if (withoutGpu()) return open(command);
        var found = device == Device.cuda || layers != null ? gpu(command) : gpuIfUsable(command);
        if (found == null) return cpuOrReference(command);
        try {
            var footprint = needs.footprint();
            return fitted(command, layers, footprint, found);
        } catch (IOException | RuntimeException problem) {
            found.close();
            throw problem;
        }
    }

    private Backend fitted(CommandSpec command, Integer layers, Footprint footprint, CudaBackend found) {
        var memory = found.memory().orElseThrow();
        int fitting = footprint.fitting(memory.free()), all = footprint.layers(), wanted = layers == null ? fitting : Math.min(layers, all);
        var needs = String.format(Locale.ROOT, "the model takes %.1f GB with its cache, of the %.1f GB of %s %.1f GB are free", footprint.bytes() / 1e9, memory.total() / 1e9, found.device(), memory.free() / 1e9);
        if (wanted > fitting || layers == null && device == Device.cuda && fitting == 0) {
            throw new IllegalArgumentException("%s; %s, or a smaller --context, or a smaller or more compressed model".formatted(needs, fitting > 0 ? "--gpu-layers %d would fit".formatted(fitting) : "use --device cpu"));
        }
        if (wanted == all) return found;
        var err = command.commandLine().getErr();
        if (wanted == 0) {
            found.close();
            err.printf("inkstone: %s: computing on the CPU%n", needs);
            return cpuOrReference(command);
        }
        if (layers == null) err.printf("inkstone: %s: %d of %d layers on the GPU, the rest on the CPU%n", needs, wanted, all);
        return new SplitBackend(cpu(command), found, layer -> layer >= all - wanted, name -> footprint.goes(name, wanted), footprint.weights(wanted));
    }

    /** Null where there is none to be used; says why where somebody may wonder. */
    private CudaBackend gpuIfUsable(CommandSpec command) {
        try {
            return opened(command);
        } catch (CudaAbsent absent) {
            if (gpu != null) throw absent;
            if (absent.hasDriver()) command.commandLine().getErr().printf("inkstone: %s: computing on the CPU%n", absent.getMessage());
            return null;
        }
    }

    private CudaBackend gpu(CommandSpec command) {
        try {
            return opened(command);
        } catch (CudaAbsent absent) {
            throw new UnsupportedOperationException("no GPU to compute on: %s; use --device cpu".formatted(absent.getMessage()), absent);
        }
    }

    private CudaBackend opened(CommandSpec command) {
        var names = CudaBackend.devices();
        var err = command.commandLine().getErr();
        if (names.size() > 1 && gpu == null) err.printf("inkstone: %d GPUs: computing on the first, %s; --gpu 1 is %s%n", names.size(), names.getFirst(), names.get(1));
        return new CudaBackend(gpu == null ? 0 : gpu, false, new LoadingBar(err));
    }

    private Backend cpuOrReference(CommandSpec command) {
        if (device == Device.reference) return new ReferenceBackend();
        if (device == Device.cpu || Jvm.hasVectors()) return cpu(command);
        command.commandLine().getErr().println("inkstone: warning: " + Jvm.NO_VECTORS + "; falling back to --device reference, which is very slow");
        return new ReferenceBackend();
    }

    private CpuBackend cpu(CommandSpec command) {
        if (Jvm.isSlow()) command.commandLine().getErr().println("inkstone: warning: " + Jvm.SLOW);
        return new CpuBackend(threads());
    }

    private static ParameterException wrong(CommandSpec command, String message) { return new ParameterException(command.commandLine(), message); }
}
