package inkstone.gan;

import inkstone.tensor.Tensor;
import java.util.Collections;
import java.util.List;

/** A generator that first turns its random numbers into a style, and then paints with one style for each layer. */
public interface StyledGenerator extends Generator {
    /** How many styles a picture is painted with, coarse ones first. */
    int styles();

    /** Random numbers [n, latent] and labels I32 [n] or null to styles [n, style]. */
    Tensor style(Tensor z, Tensor labels);

    /**
     * @param styles one [n, style] for each of {@link #styles}; the same ones, or of two pictures to be mixed
     * @param noise  where the small random details come from
     */
    Tensor paint(List<Tensor> styles, Noise noise);

    @Override default Tensor forward(Tensor z, Tensor labels) { return paint(Collections.nCopies(styles(), style(z, labels)), Noise.NONE); }

    /** Styles drawn towards the mean one, which trades variety for quality: mean + share · (style - mean). mean [1, style]. */
    static Tensor truncated(Tensor style, Tensor mean, float share) { return share == 1 ? style : style.scale(share).modulate(null, mean.scale(1 - share)); }
}
