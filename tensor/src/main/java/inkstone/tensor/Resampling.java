package inkstone.tensor;

/** How a picture takes another size. The pixel at i of h' pixels stands at (i + 1/2) · h / h' - 1/2 of h. */
public enum Resampling {
    /** The pixel in whose square it stands: of i, pixel floor(i · h / h'). */
    NEAREST,
    /** Between the two nearest in each direction by distance; beyond the outermost, those. When a picture shrinks, pixels between are not seen. */
    BILINEAR,
    /** The mean over the square that it covers, parts of pixels by their area: for pictures that shrink. */
    AREA
}
