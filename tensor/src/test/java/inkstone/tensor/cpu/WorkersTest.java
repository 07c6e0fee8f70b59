package inkstone.tensor.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.BitSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class WorkersTest {
    private final Workers workers = new Workers(3);

    @AfterEach void close() { workers.close(); }

    @Test void everyTaskRunsOnce() {
        for (int tasks : new int[] {0, 1, 2, 3, 100}) {
            for (int repeat = 0; repeat < 200; repeat++) {
                var runs = new AtomicIntegerArray(tasks + 1);
                workers.run(tasks, (worker, task) -> runs.incrementAndGet(task));
                for (int i = 0; i < tasks; i++) assertEquals(1, runs.get(i));
            }
        }
    }

    @Test void parkedThreadsWakeUp() throws InterruptedException {
        Thread.sleep(20);
        var together = new CountDownLatch(3);
        workers.run(3, (worker, task) -> {
            together.countDown();
            try {
                together.await();                            // returns only when three threads run a task each
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    @Test void exceptionReachesTheCallerAndThePoolLivesOn() {
        for (var thrown : new Throwable[] {new IllegalArgumentException("bad"), new StackOverflowError()}) {
            var caught = assertThrows(thrown.getClass(), () -> workers.run(50, (worker, task) -> {
                if (task == 17 && thrown instanceof RuntimeException e) throw e;
                if (task == 17 && thrown instanceof Error e) throw e;
            }));
            assertSame(thrown, caught);
        }
        everyTaskRunsOnce();
    }

    @Test void tasksMayNotStartTasks() {
        var e = assertThrows(IllegalStateException.class, () -> workers.run(2, (worker, task) -> workers.run(2, (w, t) -> { })));
        assertTrue(e.getMessage().contains("one kernel at a time"), e.getMessage());
        everyTaskRunsOnce();
    }

    @Test void rangesCoverEverythingAndBeginAtMultiplesOfTheGrain() {
        for (int count : new int[] {0, 1, 63, 64, 65, 1000, 100_000}) {
            var seen = new BitSet();
            workers.split(count, 64, (worker, from, to) -> {
                assertEquals(0, from % 64);
                synchronized (seen) {
                    assertTrue(seen.get(from, to).isEmpty() && from < to);
                    seen.set(from, to);
                }
            });
            assertEquals(count, seen.cardinality());
        }
    }

    @Test void smallWorkStaysOnTheCaller() {
        var caller = Thread.currentThread();
        workers.split(64, 64, (worker, from, to) -> assertSame(caller, Thread.currentThread()));
    }

    @Test void closedWorkersRefuse() {
        workers.close();
        workers.close();
        assertThrows(IllegalStateException.class, () -> workers.run(1, (worker, task) -> { }));
    }

    @Test void threadsAreCounted() {
        assertEquals(3, workers.threads());
        assertThrows(IllegalArgumentException.class, () -> new Workers(0));
    }
}
