package inkstone.server.images;

import inkstone.diffusion.ImageModelInfo;
import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.Painter;
import inkstone.diffusion.Picture;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * What somebody wants painted. What is null is the model's own choice; of the size, where there is a picture to begin with, that picture's shape.
 *
 * @param model    its name; null: the usual one
 * @param seed     null: one nobody has chosen
 * @param count    pictures, each of a seed one higher than the one before
 * @param from     names a picture to begin with: in the gallery, or one that was handed in; null: from noise
 * @param mask     names one of the same size, white where {@code from} may change; null: everywhere
 * @param grid     in place of {@code count}: one picture for each pair of values; null: none
 */
public record PaintOrder(String model, String prompt, String negative, Integer width, Integer height, Integer steps, Float guidance, Float rescale, String sampler, String schedule, Float eta,
                         String noise, Long seed, int count, String from, String mask, Float strength, Grid grid) {
    /** @param y null: one row */
    public record Grid(Axis x, Axis y) {}

    public record Axis(Parameter parameter, List<String> values) {}

    /** What can vary in a grid. */
    public enum Parameter { PROMPT, NEGATIVE, SEED, STEPS, GUIDANCE, RESCALE, SAMPLER, SCHEDULE, ETA, STRENGTH }

    /** Pictures of one order. */
    public static final int MOST_PICTURES = 64;
    public static final int MOST_STEPS = 150;
    /** Seeds that nobody chose are below this: short enough to be told and typed. */
    public static final long RANDOM_SEEDS = 1_000_000;

    /**
     * One picture to paint.
     *
     * @param column of the grid, from 0; 0 where there is none
     */
    public record Cell(ImageRequest request, int column, int row) {}

    /** As {@link #of} for a prompt alone. */
    public static PaintOrder of(String prompt) { return new PaintOrder(null, prompt, null, null, null, null, null, null, null, null, null, null, null, 1, null, null, null, null); }

    /**
     * The pictures of this order, each a request that the model accepts.
     *
     * @param pictures finds the picture of an id
     * @param random   a seed for where nobody chose one
     * @throws IllegalArgumentException in one line, for what no model can do or this one does not accept
     */
    public List<Cell> cells(ImageModelInfo info, Function<String, Picture> pictures, long random) {
        var base = request(info, pictures, random);
        require(!base.prompt().isEmpty() || base.from() != null || grid != null, "prompt is empty; say what to paint");
        var cells = new ArrayList<Cell>();
        if (grid == null) {
            require(count >= 1 && count <= MOST_PICTURES, "count must be 1 to %d, got %d", MOST_PICTURES, count);
            for (int k = 0; k < count; k++) cells.add(new Cell(checked(base.withSeed(base.seed() + k), info), 0, 0));
            return cells;
        }
        require(count == 1, "a grid paints one picture for each pair of values; count must be 1, got %d", count);
        require(grid.y == null || grid.y.parameter != grid.x.parameter, "both sides of the grid vary %s; choose two different ones", grid.x.parameter.name().toLowerCase(Locale.ROOT));
        int columns = grid.x.values.size(), rows = grid.y == null ? 1 : grid.y.values.size();
        require(columns >= 1 && rows >= 1 && (long) columns * rows <= MOST_PICTURES, "a grid may have 1 to %d pictures, got %d times %d", MOST_PICTURES, columns, rows);
        for (int row = 0; row < rows; row++) for (int column = 0; column < columns; column++) {
            var request = with(base, grid.x.parameter, grid.x.values.get(column));
            cells.add(new Cell(checked(grid.y == null ? request : with(request, grid.y.parameter, grid.y.values.get(row)), info), column, row));
        }
        return cells;
    }

    private ImageRequest request(ImageModelInfo info, Function<String, Picture> pictures, long random) {
        var usual = info.defaults();
        var source = from == null ? null : pictures.apply(from);
        var size = width != null || height != null || source == null ? usual : shaped(usual, source, info);
        return new ImageRequest(or(prompt, "").strip(), or(negative, usual.negative()).strip(), or(width, size.width()), or(height, size.height()), or(steps, usual.steps()), or(guidance, usual.guidance()),
            or(rescale, usual.rescale()), or(sampler, usual.sampler()), or(schedule, usual.schedule()), or(eta, usual.eta()), or(noise, usual.noise()), or(seed, random), 1, source,
            mask == null ? null : pictures.apply(mask), or(strength, usual.strength()));
    }

    /** As many pixels as is usual, in the shape of the picture. */
    private static ImageRequest shaped(ImageRequest usual, Picture source, ImageModelInfo info) {
        double side = Math.sqrt((double) usual.width() * usual.height()), shape = Math.sqrt((double) source.width() / source.height());
        return usual.withSize(fitting(side * shape, info), fitting(side / shape, info));
    }

    private static int fitting(double side, ImageModelInfo info) { return (int) Math.clamp(Math.round(side / info.multiple()) * info.multiple(), info.smallest(), info.largest()); }

    private static <T> T or(T chosen, T usual) { return chosen == null ? usual : chosen; }

    private static ImageRequest checked(ImageRequest request, ImageModelInfo info) {
        require(request.steps() <= MOST_STEPS, "steps must be 1 to %d, got %d", MOST_STEPS, request.steps());
        require(request.seed() >= 0, "seed must be 0 or more, got %d", request.seed());
        return Painter.check(request, info);
    }

    private static ImageRequest with(ImageRequest r, Parameter parameter, String value) {
        return switch (parameter) {
            case PROMPT -> r.withPrompt(value.strip());
            case NEGATIVE -> r.withNegative(value.strip());
            case SEED -> r.withSeed(number(parameter, value).longValue());
            case STEPS -> r.withSteps(number(parameter, value).intValue());
            case GUIDANCE -> r.withGuidance(number(parameter, value).floatValue());
            case RESCALE -> r.withRescale(number(parameter, value).floatValue());
            case SAMPLER -> r.withSampler(value.strip(), r.schedule());
            case SCHEDULE -> r.withSampler(r.sampler(), value.strip());
            case ETA -> r.withEta(number(parameter, value).floatValue());
            case STRENGTH -> r.withPicture(r.from(), r.mask(), number(parameter, value).floatValue());
        };
    }

    private static Number number(Parameter parameter, String value) {
        boolean whole = parameter == Parameter.SEED || parameter == Parameter.STEPS;
        try {
            return whole ? (Number) Long.valueOf(value.strip()) : (Number) Float.valueOf(value.strip());
        } catch (NumberFormatException odd) {
            throw new IllegalArgumentException("%s must be %s, got %s".formatted(parameter.name().toLowerCase(Locale.ROOT), whole ? "a whole number" : "a number", value.length() > 40 ? value.substring(0, 40) + "..." : value));
        }
    }

    private static void require(boolean condition, String message, Object... values) {
        if (!condition) throw new IllegalArgumentException(message.formatted(values));
    }
}
