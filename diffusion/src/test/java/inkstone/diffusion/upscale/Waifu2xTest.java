package inkstone.diffusion.upscale;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.Picture;
import inkstone.diffusion.TestDevices;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;

class Waifu2xTest {
    /** An emoji that was made smaller comes back nearer to itself than by the pixels alone, and without a frame. */
    @Test void enlargesAnEmoji() throws IOException {
        var file = TestDevices.data("weights-waifu2x/models-upconv_7_anime_style_art_rgb/scale2.0x_model.safetensors");
        var emoji = TestDevices.emoji("noto/1f34e.png");
        var small = half(emoji);
        try (var backend = TestDevices.backend("cpu"); var waifu2x = Waifu2x.open(file, backend)) {
            var large = waifu2x.enlarge(small);
            assertEquals("64 x 64 x 3", large.toString());
            double network = TestDevices.psnr(emoji, large), pixels = TestDevices.psnr(emoji, doubled(small));
            if (Boolean.getBoolean("inkstone.figures")) System.out.printf("waifu2x %.2f dB, nearest pixels %.2f dB%n", network, pixels);
            assertTrue(network > pixels + 2, "%.2f dB, nearest pixels %.2f dB".formatted(network, pixels));
            var folder = System.getProperty("inkstone.pictures");
            if (folder != null) {
                write(emoji, new File(folder, "emoji.png"));
                write(waifu2x.enlarge(emoji), new File(folder, "emoji-waifu2x.png"));
            }
            double edge = 0;
            for (int i = 0; i < 64; i++) edge += Math.abs(emoji.at(i, 0, 0) - large.at(i, 0, 0)) / 64.0;
            assertTrue(edge < 4, "a frame along the edge: off by " + edge);
        }
    }

    private static Picture half(Picture picture) {
        int width = picture.width() / 2, height = picture.height() / 2;
        var bytes = new byte[width * height * 3];
        for (int i = 0; i < bytes.length; i++) {
            int x = i / 3 % width * 2, y = i / 3 / width * 2, c = i % 3;
            bytes[i] = (byte) ((picture.at(x, y, c) + picture.at(x + 1, y, c) + picture.at(x, y + 1, c) + picture.at(x + 1, y + 1, c) + 2) / 4);
        }
        return new Picture(width, height, 3, bytes);
    }

    private static Picture doubled(Picture picture) {
        var bytes = new byte[picture.bytes().length * 4];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) picture.at(i / 3 % (2 * picture.width()) / 2, i / 3 / (2 * picture.width()) / 2, i % 3);
        return new Picture(2 * picture.width(), 2 * picture.height(), 3, bytes);
    }

    private static void write(Picture picture, File file) throws IOException {
        var image = new BufferedImage(picture.width(), picture.height(), BufferedImage.TYPE_INT_RGB);
        for (int y = 0; y < picture.height(); y++) for (int x = 0; x < picture.width(); x++) image.setRGB(x, y, picture.at(x, y, 0) << 16 | picture.at(x, y, 1) << 8 | picture.at(x, y, 2));
        ImageIO.write(image, "png", file);
    }
}
