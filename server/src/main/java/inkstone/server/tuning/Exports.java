package inkstone.server.tuning;

import inkstone.server.jobs.Training.Export;
import inkstone.server.jobs.TuneSettings;
import inkstone.server.jobs.TuneSettings.Method;
import inkstone.tensor.DType;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.transformer.Converter;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.QuantizationMixture;
import inkstone.transformer.adapters.AdapterData;
import inkstone.transformer.adapters.AdapterFile;
import inkstone.transformer.adapters.GgufLora;
import inkstone.transformer.adapters.Merge;
import inkstone.transformer.adapters.PeftFolder;
import inkstone.transformer.train.Folders;
import inkstone.transformer.tune.FineTuneSettings;
import inkstone.transformer.tune.Learned;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** What was learned, in forms for this and other programs. */
final class Exports {
    private static final String PEFT = "peft", GGUF_LORA = "gguf-lora", Q8_0 = "gguf-q8-0", F16 = "gguf-f16", F32 = "gguf-f32";

    private final Path file;
    private final LanguageModel model;
    private final int threads;

    Exports(Path file, LanguageModel model, int threads) {
        this.file = file;
        this.model = model;
        this.threads = threads;
    }

    List<Export> of(TuneSettings settings) {
        var name = settings.title().replaceAll("[^\\p{L}\\p{N}._-]+", "-").replaceAll("^[.-]+|-+$", "");
        if (name.isEmpty()) name = "tuned";
        var exports = new ArrayList<Export>();
        boolean full = settings.method() == Method.FULL;
        if (!full && model.adapterBase().layout() != null) exports.add(new Export(PEFT, "PEFT", "adapter folder for Hugging Face programs, as a zip", name + "-peft.zip"));
        if (!full && settings.method() != Method.DORA) exports.add(new Export(GGUF_LORA, "GGUF LoRA", "adapter for llama.cpp and Inkstone (--lora)", name + "-lora.gguf"));
        var whole = full ? "the whole model in one file" : "merged: the whole model in one file";
        exports.add(new Export(Q8_0, "GGUF Q8_0", whole + ", a byte a weight", name + "-q8_0.gguf"));
        exports.add(new Export(F16, "GGUF F16", whole + ", two bytes a weight", name + "-f16.gguf"));
        if (full) exports.add(new Export(F32, "GGUF F32", whole + ", as it was learned", name + "-f32.gguf"));
        return exports;
    }

    void write(FineTuneSettings asked, TuneSettings settings, String export, Path out) throws IOException {
        if (settings.method() == Method.FULL) {
            writeWhole(asked, export, out);
            return;
        }
        var learned = Learned.adapter(asked, settings.title().isEmpty() ? model.name() : settings.title());
        var base = model.adapterBase();
        if (export.equals(GGUF_LORA)) {
            GgufLora.write(learned, base, out);
            return;
        }
        var folder = Files.createTempDirectory(asked.out(), "adapter");
        try {
            if (export.equals(PEFT)) {
                PeftFolder.write(learned, base, model.name(), folder);
                zip(folder, of(settings).getFirst().file().replaceFirst("\\.zip$", ""), out);
            } else {
                Merge.toGguf(file, List.of(new AdapterFile(adapter(learned, settings, folder), 1)), out, QuantizationMixture.named(type(export).name()).orElseThrow(), threads, (_, _, _) -> { });
            }
        } finally {
            Folders.delete(folder);
        }
    }

    private Path adapter(AdapterData learned, TuneSettings settings, Path folder) throws IOException {
        var adapter = folder.resolve("adapter.gguf");
        if (settings.method() == Method.DORA) PeftFolder.write(learned, model.adapterBase(), model.name(), folder);
        else GgufLora.write(learned, model.adapterBase(), adapter);
        return settings.method() == Method.DORA ? folder : adapter;
    }

    private void writeWhole(FineTuneSettings asked, String export, Path out) throws IOException {
        Path whole;
        try (var backend = new CpuBackend(1)) { whole = Learned.model(asked, backend); }
        if (export.equals(F32)) Files.copy(whole, out);
        else Converter.convert(whole, out, type(export), threads, (_, _, _) -> { });
    }

    private static DType type(String export) {
        return switch (export) {
            case Q8_0 -> DType.Q8_0;
            case F16 -> DType.F16;
            default -> throw new IllegalArgumentException("there is no form of the result called " + export);
        };
    }

    private static void zip(Path folder, String name, Path out) throws IOException {
        try (var zip = new ZipOutputStream(Files.newOutputStream(out)); var files = Files.list(folder)) {
            for (var each : files.sorted().toList()) {
                zip.putNextEntry(new ZipEntry(name + "/" + each.getFileName()));
                Files.copy(each, zip);
                zip.closeEntry();
            }
        }
    }
}
