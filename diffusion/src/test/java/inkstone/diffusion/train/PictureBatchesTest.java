package inkstone.diffusion.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import org.junit.jupiter.api.Test;

final class PictureBatchesTest {
    /** Seeds an even step apart would give one sequence of numbers, a place further in every batch: no number may come twice in many batches, wherever. */
    @Test void batchesDrawNumbersOfTheirOwn() {
        var seen = new HashSet<Long>();
        int batches = 300, numbers = 200;
        for (int batch = 1; batch <= batches; batch++) {
            var random = PictureBatches.random(7, batch);
            for (int i = 0; i < numbers; i++) seen.add(random.nextLong());
        }
        assertEquals(batches * numbers, seen.size());
    }

    @Test void theSameBatchDrawsTheSame() {
        assertEquals(PictureBatches.random(7, 9).nextLong(), PictureBatches.random(7, 9).nextLong());
        assertTrue(PictureBatches.random(7, 9).nextLong() != PictureBatches.random(8, 9).nextLong());
    }
}
