package inkstone.diffusion.train;

/** Colours of {@link ShapeScenes} by name, far enough apart to be told apart. */
public enum Hue {
    RED(0xE02B20), ORANGE(0xF58A1F), YELLOW(0xF7DC2B), GREEN(0x2AA748), BLUE(0x2A5FE0), PURPLE(0x8A35C8), PINK(0xF59AC8), BROWN(0x85532A), BLACK(0x141414), GRAY(0x8E9094), WHITE(0xFFFFFF);

    /** 0xRRGGBB */
    public final int rgb;

    Hue(int rgb) { this.rgb = rgb; }

    public String word() { return name().toLowerCase(java.util.Locale.ROOT); }

    int channel(int c) { return rgb >> 16 - 8 * c & 0xFF; }

    /** Distance of two colours, 0 to 442. */
    static double distance(double red, double green, double blue, Hue hue) { return Math.sqrt(square(red - hue.channel(0)) + square(green - hue.channel(1)) + square(blue - hue.channel(2))); }

    static Hue nearest(double red, double green, double blue) {
        Hue best = null;
        for (var hue : values()) if (best == null || distance(red, green, blue, hue) < distance(red, green, blue, best)) best = hue;
        return best;
    }

    private static double square(double x) { return x * x; }
}
