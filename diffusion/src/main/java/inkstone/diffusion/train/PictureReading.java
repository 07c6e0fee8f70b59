package inkstone.diffusion.train;

import inkstone.diffusion.Picture;
import inkstone.tensor.ModelException;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import javax.imageio.ImageIO;

/** Picture files as training takes them: square, of one size, on a background. */
public final class PictureReading {
    /** A picture larger than this on a side is no training picture but a mistake, or an attack on memory. */
    private static final int LARGEST = 8_192;

    private PictureReading() {}

    /** Red, green, blue and alpha of a PNG, JPEG, GIF or BMP file. */
    public static Picture read(byte[] file, String name) throws IOException {
        ImageIO.setUseCache(false);
        BufferedImage image;
        try {
            image = ImageIO.read(new ByteArrayInputStream(file));
        } catch (RuntimeException damaged) {
            throw new ModelException("%s is damaged: %s".formatted(name, damaged.getMessage()), damaged);
        }
        if (image == null) throw new ModelException("%s is no picture: expected PNG, JPEG, GIF or BMP".formatted(name));
        int width = image.getWidth(), height = image.getHeight();
        if (width > LARGEST || height > LARGEST) throw new ModelException("%s has %d x %d pixels; expected at most %d on a side".formatted(name, width, height, LARGEST));
        int[] argb = image.getRGB(0, 0, width, height, null, 0, width);
        var bytes = new byte[argb.length * 4];
        for (int i = 0; i < argb.length; i++) {
            bytes[4 * i] = (byte) (argb[i] >> 16);
            bytes[4 * i + 1] = (byte) (argb[i] >> 8);
            bytes[4 * i + 2] = (byte) argb[i];
            bytes[4 * i + 3] = (byte) (argb[i] >>> 24);
        }
        return new Picture(width, height, 4, bytes);
    }

    /**
     * The middle square of a picture at {@code size} pixels on a side, each the mean of the area that it covers. Colours are weighed by alpha, so that what is transparent gives
     * no colour to the edges; the result has alpha.
     */
    public static Picture square(Picture picture, int size) {
        int side = Math.min(picture.width(), picture.height()), left = (picture.width() - side) / 2, top = (picture.height() - side) / 2;
        if (side == size && left == 0 && top == 0 && picture.channels() == 4) return picture;
        var bytes = new byte[size * size * 4];
        double scale = (double) side / size;
        for (int y = 0; y < size; y++) for (int x = 0; x < size; x++) {
            double red = 0, green = 0, blue = 0, alpha = 0, area = 0;
            double fromY = y * scale, toY = fromY + scale, fromX = x * scale, toX = fromX + scale;
            for (int j = (int) fromY; j < Math.min(side, Math.ceil(toY)); j++) for (int i = (int) fromX; i < Math.min(side, Math.ceil(toX)); i++) {
                double part = (Math.min(j + 1, toY) - Math.max(j, fromY)) * (Math.min(i + 1, toX) - Math.max(i, fromX));
                double opacity = part * (picture.channels() == 4 ? picture.at(left + i, top + j, 3) : 255);
                red += opacity * picture.at(left + i, top + j, 0);
                green += opacity * picture.at(left + i, top + j, picture.channels() == 1 ? 0 : 1);
                blue += opacity * picture.at(left + i, top + j, picture.channels() == 1 ? 0 : 2);
                alpha += opacity;
                area += part;
            }
            int at = 4 * (y * size + x);
            if (alpha > 0) {
                bytes[at] = (byte) Math.round(red / alpha);
                bytes[at + 1] = (byte) Math.round(green / alpha);
                bytes[at + 2] = (byte) Math.round(blue / alpha);
            }
            bytes[at + 3] = (byte) Math.round(alpha / area);
        }
        return new Picture(size, size, 4, bytes);
    }
}
