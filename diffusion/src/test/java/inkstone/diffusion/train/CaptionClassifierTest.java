package inkstone.diffusion.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.cpu.CpuBackend;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class CaptionClassifierTest {
    /** Four colours of forms are told apart after a few steps, also when it is opened again. */
    @Test void learnsToTellCaptionsApart(@TempDir Path folder) throws IOException {
        var random = new SplittableRandom(1);
        List<Captioned> learned = new ArrayList<>(), unseen = new ArrayList<>();
        for (int i = 0; i < 120; i++) {
            var hue = List.of(Hue.RED, Hue.GREEN, Hue.BLUE, Hue.BLACK).get(i % 4);
            var scene = ShapeScenes.of(new ShapeScenes.Held(hue, Form.values()[random.nextInt(8)], null, null, null), random);
            (i < 100 ? learned : unseen).add(new Captioned(scene.picture(16), hue.word()));
        }
        try (var backend = new CpuBackend(2)) {
            for (int time = 0; time < 2; time++) {
                try (var judge = CaptionClassifier.train(folder, learned, unseen, 30, backend, _ -> { })) {
                    assertEquals(List.of("black", "blue", "green", "red"), judge.captions());
                    var likeliest = judge.likeliest(unseen.stream().map(Captioned::picture).toList(), 2);
                    int right = 0;
                    for (int i = 0; i < unseen.size(); i++) if (likeliest.get(i).getFirst().equals(unseen.get(i).caption())) right++;
                    assertTrue(right >= 18, right + " of 20");
                    assertEquals(20, judge.features(unseen.stream().map(Captioned::picture).toList()).length);
                }
            }
        }
    }
}
