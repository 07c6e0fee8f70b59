package inkstone.server.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.Picture;
import inkstone.diffusion.picture.Parameters;
import inkstone.diffusion.picture.PictureFile;
import inkstone.diffusion.picture.Png;
import inkstone.server.images.FakePainter;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

/** {@code paint}, with a model without networks. */
class PaintCommandTest {
    @TempDir private Path folder;
    private final StringWriter out = new StringWriter();

    private int paint(String... arguments) throws IOException {
        var command = new PaintCommand();
        new CommandLine(command).setOut(new PrintWriter(out, true)).setErr(new PrintWriter(out, true)).parseArgs(arguments);
        command.check();
        var cells = command.cells(FakePainter.info(FakePainter.NAME));
        try (var pipeline = FakePainter.free().pipeline(FakePainter.NAME)) { return command.paint(pipeline, cells); }
    }

    private String file(String name) { return folder.resolve(name).toString(); }

    private PictureFile read(String name) throws IOException { return PictureFile.read(Files.readAllBytes(folder.resolve(name))); }

    @Test void picturesCarryWhatMadeThemAndASeedPaintsThemAgain() throws Exception {
        assertEquals(0, paint("a red apple, 3d", "-o", file("apple.png"), "--seed", "7", "--count", "2", "--size", "48x32", "--strip", file("strip.png"), "--steps", "5", "--sampler", "heun"));
        assertEquals(8, Parameters.parse(read("apple-2.png").texts().get(Parameters.KEYWORD)).fill(FakePainter.info(FakePainter.NAME).defaults()).request().seed());
        assertEquals(List.of(5 * 48, 64), List.of(read("strip-1.png").picture().width(), read("strip-1.png").picture().height()));
        assertTrue(out.toString().contains("apple-2.png  48 x 32, seed 8, 5 steps"), out.toString());
        paint("a red apple, 3d", "-o", file("again.png"), "--seed", "8", "--size", "48x32", "--steps", "5", "--sampler", "heun");
        assertArrayEquals(Files.readAllBytes(folder.resolve("apple-2.png")), Files.readAllBytes(folder.resolve("again.png")));
    }

    @Test void aPictureCanBeginAsAnotherAndChangeUnderAMask() throws Exception {
        paint("sky", "-o", file("sky.png"), "--seed", "1");
        var white = new byte[32 * 32];
        Arrays.fill(white, 16 * 32, white.length, (byte) 255);
        Files.write(folder.resolve("mask.png"), Png.write(new Picture(32, 32, 1, white), Map.of()));
        paint("fire", "-o", file("fire.png"), "--from", file("sky.png"), "--mask", file("mask.png"), "--strength", "1");
        assertEquals(read("sky.png").picture().at(5, 3, 0), read("fire.png").picture().at(5, 3, 0));
        assertTrue(read("fire.png").texts().get(Parameters.KEYWORD).contains("Denoising strength: 1"));
    }

    @ParameterizedTest @ValueSource(strings = {"x -o DIR/a.jpg", "x -o DIR/a.png --size big", "x -o DIR/a.png --size 33x32", "x -o DIR/a.png --sampler magic", "x -o DIR/a.png --mask DIR/m.png", "x -o DIR/a.png --strength 0.5",
        "x -o DIR/a.png --from DIR/none.png", "x -o DIR/a.png --count 100", "x -o DIR/a.png --steps 0", "x"})
    void wrongUsageIsSaidInOneLine(String line) {
        var problem = assertThrows(ParameterException.class, () -> paint(Stream.of(line.split(" ")).map(part -> part.replace("DIR", folder.toString())).toArray(String[]::new)));
        assertTrue(problem.getMessage().length() > 10, problem.getMessage());
    }
}
