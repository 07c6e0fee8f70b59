package inkstone.diffusion.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.Picture;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class ShapeScenesTest {
    private static final long SEED = 5;
    private static final ShapeScenes.Held PURPLE_TRIANGLE = new ShapeScenes.Held(Hue.PURPLE, Form.TRIANGLE, null, null, null);
    private static final ShapeScenes.Held RELATION = new ShapeScenes.Held(Hue.RED, Form.CIRCLE, Scene.Relation.LEFT, Hue.BLUE, Form.SQUARE);

    /** The judge is what accuracies are measured by, so it must agree with who draws: at 32 pixels with all but a few in a thousand. */
    @Test void judgeFindsWhatCaptionsSay() {
        var scenes = new ShapeScenes(32, List.of());
        var random = new SplittableRandom(SEED);
        int right = 0, all = 600;
        var wrong = new StringBuilder();
        for (int i = 0; i < all; i++) {
            var scene = scenes.scene(random);
            var verdict = SceneJudge.judge(scene.picture(32), scene);
            if (verdict.all()) right++; else wrong.append(scene).append(' ').append(verdict).append('\n');
        }
        assertTrue(right >= 0.99 * all, "seed " + SEED + ": " + right + " of " + all + "\n" + wrong);
    }

    @Test void judgeRejectsOtherScenes() {
        var scenes = new ShapeScenes(32, List.of());
        var random = new SplittableRandom(SEED);
        int agreeing = 0;
        for (int i = 0; i < 300; i++) {
            Scene scene = scenes.scene(random), other = scenes.scene(random);
            boolean same = scene.things().stream().map(t -> t.form() + " " + t.hue()).sorted().toList().equals(other.things().stream().map(t -> t.form() + " " + t.hue()).sorted().toList());
            if (!same && SceneJudge.judge(other.picture(32), scene).all()) agreeing++;
        }
        assertEquals(0, agreeing, "seed " + SEED);
    }

    @Test void judgeSeesTheWrongSide() {
        var right = ShapeScenes.of(RELATION, new SplittableRandom(1));
        var wrong = ShapeScenes.of(new ShapeScenes.Held(Hue.RED, Form.CIRCLE, Scene.Relation.RIGHT, Hue.BLUE, Form.SQUARE), new SplittableRandom(1));
        assertTrue(SceneJudge.judge(right.picture(32), right).all());
        var verdict = SceneJudge.judge(wrong.picture(32), right);
        assertTrue(verdict.bound() && !verdict.places(), verdict.toString());
    }

    @Test void whatIsHeldOutIsNeverDrawn() {
        var scenes = new ShapeScenes(32, List.of(PURPLE_TRIANGLE, RELATION));
        var random = new SplittableRandom(SEED);
        for (int i = 0; i < 20_000; i++) {
            var scene = scenes.scene(random);
            assertFalse(PURPLE_TRIANGLE.holds(scene) || RELATION.holds(scene), scene.toString());
        }
    }

    @Test void sameNumbersGiveTheSamePicture() {
        var scenes = new ShapeScenes(16, List.of());
        Captioned first = scenes.draw(new SplittableRandom(3)), second = scenes.draw(new SplittableRandom(3));
        assertEquals(first, second);
        assertEquals(new Picture(16, 16, 3, first.picture().bytes()), first.picture());
    }
}
