package inkstone.diffusion.sampling;

import java.util.function.LongFunction;

/** Where random numbers come from: which one decides what a seed means. */
public enum NoiseGenerator {
    /** Our own, of Philox: any seed of 64 bits. */
    INKSTONE("Inkstone", PhiloxNoise::new),
    /** PyTorch's on a processor: ComfyUI, InvokeAI, diffusers on a CPU; A1111 with source CPU. */
    CPU("CPU", TorchCpuNoise::new),
    /** PyTorch's on an NVIDIA GPU: A1111 as it is set up at first (GPU) and with source NV. */
    CUDA("NV", TorchCudaNoise::new);

    private final String label;
    private final LongFunction<NoiseSource> source;

    NoiseGenerator(String label, LongFunction<NoiseSource> source) {
        this.label = label;
        this.source = source;
    }

    /** As the API and the command line name it: {@code cuda}. */
    public String id() { return Names.id(this); }

    /** As A1111 writes it into pictures, under RNG. */
    public String label() { return label; }

    public static NoiseGenerator of(String name) { return Names.plain(name).equals("gpu") ? CUDA : Names.find(values(), NoiseGenerator::label, name, "generator of noise"); }

    /** A fresh stream. */
    public NoiseSource source(long seed) { return source.apply(seed); }
}
