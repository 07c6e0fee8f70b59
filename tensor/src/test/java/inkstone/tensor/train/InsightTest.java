package inkstone.tensor.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.tensor.train.Insight.Kind;
import org.junit.jupiter.api.Test;

/** What is said of curves whose meaning is plain. */
class InsightTest {
    private final Insight insight = new Insight();

    /** Ten steps at each training loss, then an evaluation. */
    private Insight fed(double[] training, double[] validation) {
        long step = 0;
        for (int i = 0; i < validation.length; i++) {
            for (int k = 0; k < 10; k++) insight.accept(step(++step, training[i]));
            insight.accept(new TrainingEvent.Evaluation(step, validation[i]));
        }
        return insight;
    }

    private static TrainingEvent step(long step, double loss) { return new TrainingEvent.Step(step, 1_000, loss, 1e-4, 1, 100, step * 64, 60); }

    private Kind kind() { return insight.note().map(Insight.Note::kind).orElse(null); }

    @Test void nothingIsSaidBeforeThreeEvaluationsAgree() {
        fed(new double[] {3, 2.5, 2}, new double[] {3.1, 2.6, 2.2});
        assertTrue(insight.note().isEmpty());
    }

    @Test void aFallingLossIsStillLearning() {
        fed(new double[] {3, 2.5, 2, 1.8}, new double[] {3.1, 2.6, 2.2, 2});
        assertEquals(Kind.STILL_FALLING, kind());
    }

    @Test void aLevelLossIsFlat() {
        fed(new double[] {2, 2, 2, 2}, new double[] {2, 2.001, 2, 1.999});
        assertEquals(Kind.FLAT, kind());
    }

    @Test void memorisingNamesTheBestStep() {
        fed(new double[] {3, 2, 1.5, 1.2, 1, 0.8}, new double[] {3, 2.2, 2, 2.05, 2.1, 2.2});
        assertEquals(Kind.MEMORISING, kind());
        assertEquals(30, insight.note().orElseThrow().bestStep());
        assertTrue(insight.note().orElseThrow().text().contains("step 30"));
    }

    @Test void aJumpOfTheTrainingLossIsTooFast() {
        fed(new double[] {3, 2, 2.6, 2.9, 3.5}, new double[] {3, 2.2, 2.8, 3, 3.6});
        assertEquals(Kind.TOO_FAST, kind());
    }

    @Test void notANumberIsSaidAtOnce() {
        insight.accept(step(7, Double.NaN));
        assertEquals(Kind.NOT_A_NUMBER, kind());
        assertEquals(7, insight.note().orElseThrow().since());
    }

    @Test void whatCameAfterTheCheckpointIsForgotten() {
        fed(new double[] {3, 2, 1.5, 1.2, 1, 0.8}, new double[] {3, 2.2, 2, 2.05, 2.1, 2.2});
        insight.accept(new TrainingEvent.Started("", 30, 1_000, 1, 1, 1));
        assertTrue(insight.note().isEmpty());
    }
}
