package inkstone.diffusion.sampling;

/**
 * What torch.randn gives on a processor after torch.manual_seed, whose low 32 bits alone count there: Mersenne Twister (Matsumoto & Nishimura 1998, MT19937), made normal in blocks of 16 where there
 * are 16 or more, else in pairs. PyTorch computes logarithm and sine less exactly, so the last digit of a float may differ.
 */
final class TorchCpuNoise implements NoiseSource {
    private static final int WORDS = 624, AHEAD = 397, BLOCK = 16;

    private final int[] state = new int[WORDS];
    private int used = WORDS;
    /** Second of a pair that was made for a short call; the next short call begins with it. */
    private double spare = Double.NaN;

    TorchCpuNoise(long seed) {
        state[0] = (int) seed;
        for (int i = 1; i < WORDS; i++) state[i] = 1812433253 * (state[i - 1] ^ state[i - 1] >>> 30) + i;
    }

    @Override public float[] normal(int n) {
        var values = new float[n];
        if (n < BLOCK) {
            for (int i = 0; i < n; i++) values[i] = (float) single();
            return values;
        }
        for (int i = 0; i < n; i++) values[i] = uniform24();
        for (int start = 0; start + BLOCK <= n; start += BLOCK) block(values, start);
        if (n % BLOCK != 0) {
            // The last 16 are made anew, over some that were done.
            for (int i = n - BLOCK; i < n; i++) values[i] = uniform24();
            block(values, n - BLOCK);
        }
        return values;
    }

    /** Of 16 uniform numbers, 8 radii and 8 angles. */
    private static void block(float[] values, int start) {
        for (int j = start; j < start + BLOCK / 2; j++) {
            double radius = Math.sqrt(-2 * Math.log(1f - values[j])), angle = 2 * Math.PI * values[j + BLOCK / 2];
            values[j] = (float) (radius * Math.cos(angle));
            values[j + BLOCK / 2] = (float) (radius * Math.sin(angle));
        }
    }

    private double single() {
        if (!Double.isNaN(spare)) {
            double second = spare;
            spare = Double.NaN;
            return second;
        }
        double angle = 2 * Math.PI * uniform53(), radius = Math.sqrt(-2 * Math.log1p(-uniform53()));
        spare = radius * Math.sin(angle);
        return radius * Math.cos(angle);
    }

    private float uniform24() { return (word() & 0xFFFFFF) * 0x1p-24f; }

    private double uniform53() {
        long high = Integer.toUnsignedLong(word()), low = Integer.toUnsignedLong(word());
        return ((high << 32 | low) & (1L << 53) - 1) * 0x1p-53;
    }

    private int word() {
        if (used == WORDS) twist();
        int y = state[used++];
        y ^= y >>> 11;
        y ^= y << 7 & 0x9D2C5680;
        y ^= y << 15 & 0xEFC60000;
        return y ^ y >>> 18;
    }

    private void twist() {
        for (int i = 0; i < WORDS; i++) {
            int mixed = state[i] & 0x80000000 | state[(i + 1) % WORDS] & 0x7FFFFFFF;
            state[i] = state[(i + AHEAD) % WORDS] ^ mixed >>> 1 ^ ((mixed & 1) == 0 ? 0 : 0x9908B0DF);
        }
        used = 0;
    }
}
