package inkstone.transformer;

/**
 * What a step costs by its rows, as far as steps have been seen, in nanoseconds. Where few rows stop being all but free is a matter of machine, format and kernels: it is
 * measured, not assumed. What was not seen for a while, perhaps before the JVM had compiled it, is believed less and less, and so tried again.
 */
final class StepTimes {
    /** Of its value a time keeps so much over each other step: half of it after 230. */
    private static final double FADING = 0.997;
    /** A new time counts for so much of the average. */
    private static final double NEW = 0.25;

    private final double[] nanos;

    StepTimes(int mostRows) { nanos = new double[mostRows + 1]; }

    void measured(int rows, long time) {
        if (rows >= nanos.length) return;
        double before = nanos[rows];
        fade();
        nanos[rows] = before == 0 ? Math.max(1, time) : before + NEW * (time - before);
    }

    /** A step passed whose time says nothing. */
    void fade() { for (int i = 0; i < nanos.length; i++) nanos[i] *= FADING; }

    /**
     * Between two times that were seen on a parabola, flat at the fewer rows as costs are while the weights are what a step waits for; more rows than were ever seen are
     * taken to cost no more. 0 where nothing is known.
     */
    double of(int rows) {
        int below = Math.min(rows, nanos.length - 1), above = below;
        while (below > 0 && nanos[below] == 0) below--;
        while (above < nanos.length - 1 && nanos[above] == 0) above++;
        if (nanos[above] == 0) return nanos[below];
        if (nanos[below] == 0 || below == above) return nanos[above];
        double way = (double) (rows - below) / (above - below);
        return nanos[below] + (nanos[above] - nanos[below]) * way * way;
    }
}
