package inkstone.tensor.cpu;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * A fixed set of threads that share the tasks of one kernel: the caller and {@code threads - 1} daemons. Tasks are taken from a shared counter, so a thread that was
 * held up takes fewer. A daemon without work spins briefly, because the next kernel of a forward pass follows within microseconds, and then parks.
 * One {@link #run} at a time.
 */
final class Workers implements AutoCloseable {
    /** Task {@code task}, run by thread {@code worker} of 0 .. threads - 1: the index of the scratch memory it may use. */
    interface Task { void run(int worker, int task); }

    /** Elements or rows {@code from} .. {@code to - 1}. */
    interface Range { void run(int worker, int from, int to); }

    /* Longer than the gap between two kernels of a decode step, shorter than anything a person or another process notices. */
    private static final long SPIN_NANOS = 50_000;

    private static final class Job {
        final Task task;
        final int tasks;
        final Thread caller = Thread.currentThread();
        final AtomicInteger next = new AtomicInteger(), finished = new AtomicInteger();
        volatile Throwable failure;

        Job(Task task, int tasks) {
            this.task = task;
            this.tasks = tasks;
        }

        /** Takes tasks until none is left. After a failure the rest is counted, not run. */
        void work(int worker) {
            for (int i = next.getAndIncrement(); i < tasks; i = next.getAndIncrement()) {
                try {
                    if (failure == null) task.run(worker, i);
                } catch (RuntimeException | Error e) {
                    failure = e;
                }
                if (finished.incrementAndGet() == tasks) LockSupport.unpark(caller);
            }
        }
    }

    private final Thread[] daemons;
    private final AtomicBoolean busy = new AtomicBoolean();
    private final AtomicInteger parked = new AtomicInteger();
    private volatile Job job;
    private volatile boolean closed;

    Workers(int threads) {
        if (threads < 1) throw new IllegalArgumentException("threads: expected at least 1, got " + threads);
        daemons = new Thread[threads - 1];
        for (int i = 0; i < daemons.length; i++) {
            int worker = i + 1;
            daemons[i] = Thread.ofPlatform().daemon().name("inkstone-cpu-" + worker).start(() -> serve(worker));
        }
    }

    int threads() { return daemons.length + 1; }

    /** Runs tasks 0 .. tasks - 1 and returns when all are done. What a task throws is thrown here. */
    void run(int tasks, Task task) {
        if (closed) throw new IllegalStateException("these workers are closed");
        if (!busy.compareAndSet(false, true)) throw new IllegalStateException("one kernel at a time: a task may not start tasks, nor may a second thread");
        try {
            if (tasks <= 1 || daemons.length == 0) {
                for (int i = 0; i < tasks; i++) task.run(0, i);
                return;
            }
            var current = new Job(task, tasks);
            job = current;
            if (parked.get() > 0) for (var daemon : daemons) LockSupport.unpark(daemon);
            current.work(0);
            await(current);
            rethrow(current.failure);
        } finally {
            busy.set(false);
        }
    }

    /**
     * Splits {@code count} elements into ranges of at least {@code grain}, which a thread should need some 10 microseconds for; less work stays on the caller.
     * Ranges begin at multiples of {@code grain}, so where a vector loop has its tail does not depend on the number of threads.
     */
    void split(int count, int grain, Range range) {
        if (count == 0) return;
        int grains = Math.ceilDiv(count, grain), size = Math.ceilDiv(grains, Math.min(grains, 4 * threads())) * grain;
        run(Math.ceilDiv(count, size), (worker, task) -> range.run(worker, task * size, (int) Math.min(count, (task + 1L) * size)));
    }

    private static void await(Job job) {
        long deadline = 0;
        while (job.finished.get() < job.tasks) {
            if (deadline == 0) deadline = System.nanoTime() + SPIN_NANOS;
            if (System.nanoTime() < deadline) Thread.onSpinWait(); else LockSupport.park(job);
        }
    }

    private static void rethrow(Throwable failure) {
        if (failure instanceof RuntimeException e) throw e;
        if (failure instanceof Error e) throw e;
    }

    private void serve(int worker) {
        Job last = null;
        while (!closed) {
            var current = job;
            if (current != last) {
                current.work(worker);
                last = current;
            } else {
                idle(last);
            }
        }
    }

    /** Returns when there may be a job newer than {@code last}. */
    private void idle(Job last) {
        for (long deadline = System.nanoTime() + SPIN_NANOS; System.nanoTime() < deadline; Thread.onSpinWait()) if (job != last || closed) return;
        parked.incrementAndGet();                             // before the last look at the job: whoever sets one after it sees this count and wakes us
        if (job == last && !closed) LockSupport.park(this);
        parked.decrementAndGet();
    }

    /** Ends the daemons; running tasks are finished first. */
    @Override public void close() {
        closed = true;
        for (var daemon : daemons) LockSupport.unpark(daemon);
        boolean interrupted = false;
        for (int i = 0; i < daemons.length; ) {
            try {
                daemons[i].join();
                i++;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) Thread.currentThread().interrupt();
    }
}
