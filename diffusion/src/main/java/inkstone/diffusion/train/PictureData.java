package inkstone.diffusion.train;

import static inkstone.diffusion.train.JsonConfig.need;

import java.util.List;
import java.util.Map;

/**
 * One source of pictures in a configuration, by which of {@code path}, {@code layers} and {@code shapes} is given: a folder of captioned pictures, pictures put together of parts, or coloured
 * forms without end.
 *
 * @param path    folder or zip file, of pictures or of parts
 * @param weight  share of the pictures that come from it, in proportion to the others'; usually 1
 * @param only    see {@link PictureFolder.Settings}
 * @param flip    whether pictures of a folder are mirrored half of the time
 * @param shift   pixels by which pictures of a folder are moved at most, any way
 * @param parts   list of parts, where there are layers
 */
public record PictureData(String path, Double weight, Map<String, List<String>> only, Map<String, List<String>> without, String style, Boolean flip, Integer shift, String parts,
                          List<LayeredPictures.Layer> layers, Boolean shapes) {
    static void check(List<PictureData> data) {
        need(data != null && !data.isEmpty(), "data: expected [{\"path\": FOLDER}], or {\"shapes\": true}");
        for (var one : data) {
            need(Boolean.TRUE.equals(one.shapes) == (one.path == null), "data: each source is {\"path\": FOLDER}, {\"path\": FOLDER, \"parts\": LIST, \"layers\": [..]} or {\"shapes\": true}");
            need((one.layers == null) == (one.parts == null), "data: layers and the list of their parts go together");
            need(one.shift == null || one.shift >= 0 && one.shift <= 64, "data: expected a shift of 0 to 64 pixels, got " + one.shift);
            need(one.weight == null || one.weight > 0 && one.weight < Double.POSITIVE_INFINITY, "data: expected a weight above 0, got " + one.weight);
        }
    }
}
