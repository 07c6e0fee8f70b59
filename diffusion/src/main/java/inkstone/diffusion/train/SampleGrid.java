package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;

/** Pictures of one size side by side in rows, as a PNG file that people look at. */
public final class SampleGrid {
    static final int COLUMNS = 8;
    private static final int GAP = 4, ENLARGED = 3;

    private SampleGrid() {}

    public static void write(List<Picture> pictures, Path file) throws IOException {
        int width = pictures.getFirst().width() * ENLARGED, height = pictures.getFirst().height() * ENLARGED, columns = Math.min(COLUMNS, pictures.size()), rows = Math.ceilDiv(pictures.size(), columns);
        var image = new BufferedImage(columns * (width + GAP) + GAP, rows * (height + GAP) + GAP, BufferedImage.TYPE_INT_RGB);
        var background = new int[image.getWidth() * image.getHeight()];
        Arrays.fill(background, 0xDDDDDD);
        image.setRGB(0, 0, image.getWidth(), image.getHeight(), background, 0, image.getWidth());
        for (int i = 0; i < pictures.size(); i++) {
            var picture = pictures.get(i).rgb(0xFFFFFF);
            int left = GAP + i % columns * (width + GAP), top = GAP + i / columns * (height + GAP);
            for (int y = 0; y < height; y++) for (int x = 0; x < width; x++) {
                int px = x / ENLARGED, py = y / ENLARGED;
                image.setRGB(left + x, top + y, picture.at(px, py, 0) << 16 | picture.at(px, py, 1) << 8 | picture.at(px, py, 2));
            }
        }
        Files.createDirectories(file.getParent());
        var part = file.resolveSibling("." + file.getFileName() + ".part");
        if (!ImageIO.write(image, "png", part.toFile())) throw new IOException("this Java cannot write PNG");
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
    }
}
