package inkstone.transformer.train;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** Curves of training and validation loss as a picture: an SVG of 800 x 400 that follows the reader's light or dark theme. */
final class LossPlot {
    private static final int WIDTH = 800, HEIGHT = 400, LEFT = 60, RIGHT = 90, TOP = 40, BOTTOM = 40, MOST_POINTS = 400;
    private static final double SMOOTHING = 0.9;

    private record Point(long step, double loss) {}

    private final String title;
    private final List<Point> training = new ArrayList<>(), validation = new ArrayList<>();
    private double smooth = Double.NaN;

    LossPlot(String title) { this.title = title; }

    /** The training loss is drawn as a moving average: that of single batches jumps. */
    void training(long step, double loss) {
        smooth = Double.isNaN(smooth) ? loss : SMOOTHING * smooth + (1 - SMOOTHING) * loss;
        training.add(new Point(step, smooth));
    }

    void validation(long step, double loss) { validation.add(new Point(step, loss)); }

    String svg() {
        var all = new ArrayList<>(training);
        all.addAll(validation);
        double low = all.stream().mapToDouble(Point::loss).filter(Double::isFinite).min().orElse(0), high = all.stream().mapToDouble(Point::loss).filter(Double::isFinite).max().orElse(1);
        if (high - low < 1e-6) high = low + 1;
        long last = Math.max(1, all.stream().mapToLong(Point::step).max().orElse(1));
        double bottom = low, height = high - low;
        ToDoubleFunction<Point> x = p -> LEFT + (double) (WIDTH - LEFT - RIGHT) * p.step() / last, y = p -> HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (p.loss() - bottom) / height;
        var svg = new StringBuilder("""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" font-family="sans-serif" font-size="12">
            <title>%s</title>
            <style>text{fill:#4c463c}.g{stroke:#ded6c6}.t{stroke:#8a8170}.v{stroke:#b0371f}path{fill:none;stroke-width:2}@media(prefers-color-scheme:dark){text{fill:#c3beb2}.g{stroke:#2d3437}.v{stroke:#f5836a}}</style>
            <text x="%d" y="24" font-size="15">%s</text>
            """.formatted(WIDTH, HEIGHT, escaped(title), LEFT, escaped(title)));
        for (int i = 0; i <= 4; i++) {
            double value = low + height * i / 4, at = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * i / 4.0;
            svg.append(line("<path class=\"g\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.2f</text>\n", LEFT, at, WIDTH - RIGHT, LEFT - 8, at + 4, value));
            svg.append(line("<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>\n", LEFT + (WIDTH - LEFT - RIGHT) * i / 4.0, HEIGHT - BOTTOM + 20, last * i / 4));
        }
        curve(svg, "t", "training", thinned(training), x, y);
        curve(svg, "v", "validation", thinned(validation), x, y);
        return svg.append("</svg>\n").toString();
    }

    private static void curve(StringBuilder svg, String style, String name, List<Point> points, ToDoubleFunction<Point> x, ToDoubleFunction<Point> y) {
        if (points.isEmpty()) return;
        svg.append("<path class=\"").append(style).append("\" d=\"M");
        for (var point : points) if (Double.isFinite(point.loss())) svg.append(line("%.1f %.1f ", x.applyAsDouble(point), y.applyAsDouble(point)));
        var end = points.getLast();
        svg.append(line("\"/><text x=\"%.1f\" y=\"%.1f\">%s %.2f</text>\n", x.applyAsDouble(end) + 6, y.applyAsDouble(end) + 4, name, end.loss()));
    }

    private static List<Point> thinned(List<Point> points) {
        if (points.size() <= MOST_POINTS) return points;
        var some = new ArrayList<Point>();
        for (int i = 0; i < MOST_POINTS; i++) some.add(points.get((int) ((long) i * (points.size() - 1) / (MOST_POINTS - 1))));
        return some;
    }

    private static String line(String format, Object... arguments) { return String.format(Locale.ROOT, format, arguments); }

    private static String escaped(String text) { return text.replace("&", "&amp;").replace("<", "&lt;"); }
}
