package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** Whether a picture shows what a {@link Scene}'s caption says, by plain measuring: background, connected patches, their colour, their form by overlap with each form, their places. */
public final class SceneJudge {
    /* How far from the background a pixel is that belongs to a form: half of the least distance between the two. */
    private static final double FOREGROUND = 65;
    /* Patches smaller than this share of the picture are dust. */
    private static final double DUST = 0.012;

    /**
     * @param colours  whether the colours that are asked for, so many times each, are there
     * @param forms    the same of forms
     * @param bound    whether each form has its colour
     * @param places   whether relation and place are as asked for; true where nothing is asked
     * @param background whether it has the colour that is asked for
     */
    public record Verdict(boolean colours, boolean forms, boolean bound, boolean places, boolean background) {
        public boolean all() { return colours && forms && bound && places && background; }
    }

    /** What was found: middle in widths of the picture. */
    private record Patch(Form form, Hue hue, double x, double y) {}

    private SceneJudge() {}

    public static Verdict judge(Picture picture, Scene scene) {
        var background = background(picture);
        var patches = patches(picture, background);
        var wanted = scene.things();
        boolean colours = sorted(patches.stream().map(Patch::hue)).equals(sorted(wanted.stream().map(Scene.Thing::hue)));
        boolean forms = sorted(patches.stream().map(Patch::form)).equals(sorted(wanted.stream().map(Scene.Thing::form)));
        var order = matched(patches, wanted);
        boolean places = order != null;
        if (places && scene.relation() != null) places = scene.relation().holds(order.get(0).x, order.get(0).y, order.get(1).x, order.get(1).y)
            || alike(wanted) && scene.relation().holds(order.get(1).x, order.get(1).y, order.get(0).x, order.get(0).y);
        if (places && scene.place() != null) places = scene.place().holds(order.get(0).x, order.get(0).y);
        return new Verdict(colours, forms, order != null, places, background == scene.background());
    }

    private static boolean alike(List<Scene.Thing> things) { return things.get(0).form() == things.get(1).form() && things.get(0).hue() == things.get(1).hue(); }

    private static <T extends Comparable<T>> List<T> sorted(Stream<T> values) { return values.sorted().toList(); }

    /** For each thing a patch of its form and colour, none twice and none left over; null where there is no such order. */
    private static List<Patch> matched(List<Patch> patches, List<Scene.Thing> wanted) {
        if (patches.size() != wanted.size()) return null;
        var left = new ArrayList<>(patches);
        var order = new ArrayList<Patch>();
        for (var thing : wanted) {
            var found = left.stream().filter(patch -> patch.form == thing.form() && patch.hue == thing.hue()).findFirst();
            if (found.isEmpty()) return null;
            left.remove(found.get());
            order.add(found.get());
        }
        return order;
    }

    /** What most of the edge is. */
    private static Hue background(Picture picture) {
        var votes = new int[Hue.values().length];
        for (int y = 0; y < picture.height(); y++) for (int x = 0; x < picture.width(); x++) {
            boolean edge = x == 0 || y == 0 || x == picture.width() - 1 || y == picture.height() - 1;
            if (edge) votes[Hue.nearest(picture.at(x, y, 0), picture.at(x, y, 1), picture.at(x, y, 2)).ordinal()]++;
        }
        return Arrays.stream(Hue.values()).max(Comparator.comparingInt(hue -> votes[hue.ordinal()])).orElseThrow();
    }

    private static List<Patch> patches(Picture picture, Hue background) {
        int width = picture.width(), height = picture.height();
        var label = new int[width * height];
        var patches = new ArrayList<Patch>();
        for (int start = 0; start < label.length; start++) {
            if (label[start] != 0 || !foreground(picture, start % width, start / width, background)) continue;
            var pixels = new ArrayList<Integer>();
            var open = new ArrayDeque<>(List.of(start));
            label[start] = 1;
            while (!open.isEmpty()) {
                int pixel = open.pop();
                pixels.add(pixel);
                int x = pixel % width, y = pixel / width;
                for (int[] next : new int[][] {{x - 1, y}, {x + 1, y}, {x, y - 1}, {x, y + 1}}) {
                    if (next[0] < 0 || next[1] < 0 || next[0] >= width || next[1] >= height) continue;
                    int at = next[1] * width + next[0];
                    if (label[at] != 0 || !foreground(picture, next[0], next[1], background)) continue;
                    label[at] = 1;
                    open.push(at);
                }
            }
            if (pixels.size() >= DUST * label.length) patches.add(patch(picture, pixels));
        }
        return patches;
    }

    private static boolean foreground(Picture picture, int x, int y, Hue background) {
        return Hue.distance(picture.at(x, y, 0), picture.at(x, y, 1), picture.at(x, y, 2), background) > FOREGROUND;
    }

    private static Patch patch(Picture picture, List<Integer> pixels) {
        int width = picture.width();
        double left = Double.MAX_VALUE, right = 0, top = Double.MAX_VALUE, bottom = 0;
        var votes = new int[Hue.values().length];
        var mask = new boolean[width * picture.height()];
        for (int pixel : pixels) {
            int x = pixel % width, y = pixel / width;
            left = Math.min(left, x);
            right = Math.max(right, x + 1);
            top = Math.min(top, y);
            bottom = Math.max(bottom, y + 1);
            votes[Hue.nearest(picture.at(x, y, 0), picture.at(x, y, 1), picture.at(x, y, 2)).ordinal()]++;
            mask[pixel] = true;
        }
        var hue = Arrays.stream(Hue.values()).max(Comparator.comparingInt(h -> votes[h.ordinal()])).orElseThrow();
        double x = (left + right) / 2, y = (top + bottom) / 2;
        return new Patch(form(mask, width, x, y, Math.max(right - left, bottom - top) / 2), hue, x / width, y / picture.height());
    }

    /** The form that covers the patch best, over sizes about and middles near what it spans. */
    private static Form form(boolean[] mask, int width, double x, double y, double half) {
        Form best = null;
        double most = -1;
        for (var form : Form.values()) for (double scale = 0.9; scale < 1.26; scale += 0.07) for (double shift = -0.12; shift < 0.13; shift += 0.06) {
            int both = 0, either = 0;
            for (int pixel = 0; pixel < mask.length; pixel++) {
                boolean covered = form.covers((pixel % width + 0.5 - x) / (half * scale), (pixel / width + 0.5 - y) / (half * scale) + shift);
                if (covered && mask[pixel]) both++;
                if (covered || mask[pixel]) either++;
            }
            if ((double) both / either > most) {
                most = (double) both / either;
                best = form;
            }
        }
        return best;
    }
}
