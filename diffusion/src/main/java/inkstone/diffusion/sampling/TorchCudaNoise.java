package inkstone.diffusion.sampling;

import inkstone.tensor.Philox;

/**
 * What torch.randn gives on an NVIDIA GPU after torch.manual_seed: element i of call k is made of the first two words of Philox with counter (k, 0, i, 0). Holds for up to 200,000 numbers a call or
 * so, depending on the GPU; beyond that a thread there makes several, in another order.
 */
final class TorchCudaNoise implements NoiseSource {
    private static final float UNIT = 0x1p-32f, HALF = 0x1p-33f, TURN = (float) (2 * Math.PI * 0x1p-32), HALF_TURN = TURN / 2;

    private final long seed;
    private long call;

    TorchCudaNoise(long seed) { this.seed = seed; }

    @Override public float[] normal(int n) {
        var values = new float[n];
        for (int i = 0; i < n; i++) {
            // Floats as on the GPU, where 2^32 different words become fewer numbers; only logarithm and sine are more exact here.
            float uniform = toFloat(Philox.word(call, i, seed, 0)) * UNIT + HALF, angle = toFloat(Philox.word(call, i, seed, 1)) * TURN + HALF_TURN;
            values[i] = (float) (Math.sqrt(-2 * Math.log(uniform)) * Math.sin(angle));
        }
        call++;
        return values;
    }

    private static float toFloat(int unsigned) { return Integer.toUnsignedLong(unsigned); }
}
