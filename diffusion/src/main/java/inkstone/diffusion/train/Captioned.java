package inkstone.diffusion.train;

import inkstone.diffusion.Picture;

/** A picture to learn from, and words for it as somebody might ask for it. */
public record Captioned(Picture picture, String caption) {}
