package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Which part of a layer a picture shows: that whose composition with the other parts that were asked for is nearest to it, among all parts of the layer. Distances are squares of differences of
 * pixels, held to a largest one, so that something else drawn in a corner does not outvote the rest.
 */
public record PartsJudge(LayeredPictures pictures) {
    /* A quarter of the range of a byte, squared. */
    private static final double MOST = 64 * 64;

    /**
     * @param asked      parts by layer, {@code layer} among them
     * @param contexts   what the layers that are not asked for may be, each with all of them; the nearest counts
     * @return the name of a part of {@code layer}
     */
    public String nearest(Picture picture, String layer, Map<String, String> asked, List<Map<String, String>> contexts) {
        String best = null;
        double least = Double.POSITIVE_INFINITY;
        for (var name : pictures.names(layer)) for (var context : contexts) {
            var parts = new LinkedHashMap<>(context);
            parts.putAll(asked);
            parts.put(layer, name);
            double distance = distance(picture, pictures.of(parts));
            if (distance < least) {
                least = distance;
                best = name;
            }
        }
        return best;
    }

    private static double distance(Picture a, Picture b) {
        double sum = 0;
        for (int i = 0; i < a.bytes().length; i++) {
            double difference = (a.bytes()[i] & 0xFF) - (b.bytes()[i] & 0xFF);
            sum += Math.min(MOST, difference * difference);
        }
        return sum;
    }
}
