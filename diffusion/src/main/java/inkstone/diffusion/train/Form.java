package inkstone.diffusion.train;

/** Forms of {@link ShapeScenes}, each within a square from -1 to 1, y downwards. */
public enum Form {
    CIRCLE { @Override boolean covers(double x, double y) { return x * x + y * y <= 1; } },
    SQUARE { @Override boolean covers(double x, double y) { return Math.abs(x) <= 0.88 && Math.abs(y) <= 0.88; } },
    TRIANGLE { @Override boolean covers(double x, double y) { return y <= 0.9 && Math.abs(x) <= (y + 1) / 1.9; } },
    DIAMOND { @Override boolean covers(double x, double y) { return Math.abs(x) + Math.abs(y) <= 1; } },
    STAR {
        /* Five points: in each fifth, folded to one side, below the line from a point (radius 1) to the notch beside it (radius 0.45). */
        @Override boolean covers(double x, double y) {
            double fifth = 2 * Math.PI / 5, angle = Math.atan2(x, -y), folded = Math.abs(angle - fifth * Math.rint(angle / fifth)), radius = Math.hypot(x, y);
            double notchX = 0.45 * Math.sin(fifth / 2), notchY = 0.45 * Math.cos(fifth / 2), px = radius * Math.sin(folded), py = radius * Math.cos(folded);
            return px * (1 - notchY) + (py - 1) * notchX <= 0;
        }
    },
    RING { @Override boolean covers(double x, double y) { double squared = x * x + y * y; return squared <= 1 && squared >= 0.3; } },
    CROSS { @Override boolean covers(double x, double y) { double a = Math.abs(x), b = Math.abs(y); return Math.max(a, b) <= 0.95 && Math.min(a, b) <= 0.33; } },
    HEART {
        /* Two half circles over a triangle whose sides touch them. */
        @Override boolean covers(double x, double y) {
            double a = Math.abs(x);
            return y <= -0.3 ? (a - 0.5) * (a - 0.5) + (y + 0.3) * (y + 0.3) <= 0.25 : a + 0.77 * (y + 0.3) <= 1 && y <= 1;
        }
    };

    abstract boolean covers(double x, double y);

    public String word() { return name().toLowerCase(java.util.Locale.ROOT); }
}
