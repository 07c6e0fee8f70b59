package inkstone.diffusion.sampling;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The noise models that tests walk through, by the names that the files of numbers have for them. */
final class Levels {
    static final NoiseModel SD = DiscreteNoise.stableDiffusion(Parameterization.EPSILON), SDXL = DiscreteNoise.stableDiffusionXl(Parameterization.EPSILON),
        FLOW3 = new FlowNoise(3, 1000, Parameterization.FLOW), EDM = EdmNoise.standard();

    private Levels() {}

    static NoiseModel of(String name) {
        return switch (name) { case "sd" -> SD; case "sdxl" -> SDXL; case "flow3" -> FLOW3; case "edm" -> EDM; default -> throw new IllegalArgumentException(name); };
    }

    /** Lines of a file beside the tests, in words, without its comments. */
    static List<String[]> lines(String file) throws IOException {
        try (var in = Levels.class.getResourceAsStream(file)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().filter(line -> !line.startsWith("#")).map(line -> line.split(" ")).toList();
        }
    }
}
