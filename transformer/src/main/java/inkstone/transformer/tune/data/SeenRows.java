package inkstone.transformer.tune.data;

/** Digests of rows and the lines they stood in: a hash table of 24 to 32 bytes a row, let go once the file is read. */
final class SeenRows {
    private long[] digests = new long[1 << 10], lines = new long[1 << 10];
    private int count;

    /** The line, from 1, of the row with this digest that came before, or 0 where there was none; then this one is kept. */
    long add(long digest, long line) {
        if (3L * count > 2L * digests.length) grow();
        int at = place(digest);
        if (lines[at] != 0) return lines[at];
        digests[at] = digest;
        lines[at] = line;
        count++;
        return 0;
    }

    private int place(long digest) {
        int mask = digests.length - 1, at = (int) (digest ^ digest >>> 32) & mask;
        while (lines[at] != 0 && digests[at] != digest) at = at + 1 & mask;
        return at;
    }

    private void grow() {
        var oldDigests = digests;
        var oldLines = lines;
        digests = new long[2 * oldDigests.length];
        lines = new long[digests.length];
        for (int i = 0; i < oldLines.length; i++) {
            if (oldLines[i] == 0) continue;
            int at = place(oldDigests[i]);
            digests[at] = oldDigests[i];
            lines[at] = oldLines[i];
        }
    }
}
