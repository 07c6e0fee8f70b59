package inkstone.tokenizer.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.util.ArrayList;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class InOrderTest {
    @Test void resultsComeInTheOrderOfTheTasks() throws IOException {
        var results = new ArrayList<Integer>();
        try (var inOrder = new InOrder<Integer>(3, results::add)) {
            for (int i = 0; i < 200; i++) {
                int task = i;
                inOrder.submit(() -> {
                    if (task % 7 == 0) Thread.sleep(1);
                    return task;
                });
            }
            inOrder.finish();
        }
        assertEquals(IntStream.range(0, 200).boxed().toList(), results);
    }

    @Test void whatATaskThrowsComesOut() {
        assertEquals("broken", assertThrows(IOException.class, () -> {
            try (var inOrder = new InOrder<Integer>(2, result -> { })) {
                inOrder.submit(() -> { throw new IOException("broken"); });
                inOrder.finish();
            }
        }).getMessage());
    }
}
