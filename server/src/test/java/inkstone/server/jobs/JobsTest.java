package inkstone.server.jobs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.server.jobs.Job.State;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.BooleanSupplier;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The queue, what survives a restart, and what listeners hear. */
class JobsTest {
    private static final Duration UNDO = Duration.ofMillis(300);

    @TempDir private Path folder;
    private final FakeTraining training = new FakeTraining();
    private Jobs jobs;

    @BeforeEach void open() throws IOException { jobs = Jobs.open(folder.resolve("a"), training, UNDO); }

    @AfterEach void close() throws IOException { jobs.close(); }

    private Job create(String title, int steps) throws IOException {
        var upload = jobs.uploads().add("talks.jsonl", new ByteArrayInputStream("one\ntwo\n".getBytes(StandardCharsets.UTF_8)), 100);
        return jobs.create(FakeTraining.settings(title, upload.id(), steps));
    }

    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        for (long end = System.nanoTime() + 10_000_000_000L; !condition.getAsBoolean(); Thread.sleep(2)) {
            if (System.nanoTime() > end) throw new AssertionError("did not come to pass within ten seconds: " + what);
        }
    }

    private void awaitState(Job job, State state) throws InterruptedException { await(job.settings().title() + " is " + state, () -> jobs.job(job.id()).state() == state); }
    private void awaitStep(Job job, long step) throws InterruptedException { await("step " + step, () -> jobs.job(job.id()).progress().step() == step); }

    @Test void jobsRunOneAtATimeInTheOrderTheyCame() throws Exception {
        var first = create("first", 3);
        var second = create("second", 2);
        var third = create("third", 2);
        awaitState(first, State.RUNNING);
        assertEquals(List.of(State.WAITING, State.WAITING), List.of(jobs.job(second.id()).state(), jobs.job(third.id()).state()));
        assertEquals("first", jobs.before(jobs.job(second.id())).settings().title());
        assertEquals("second", jobs.before(jobs.job(third.id())).settings().title());
        training.permits.release(3);
        awaitState(second, State.RUNNING);
        assertEquals(State.FINISHED, jobs.job(first.id()).state());
        assertNull(jobs.before(jobs.job(second.id())));
        training.permits.release(4);
        awaitState(third, State.FINISHED);
        assertEquals(1, training.mostAtOnce.get());
        assertEquals(List.of("third", "second", "first"), jobs.list().stream().map(job -> job.settings().title()).toList());
    }

    @Test void aPausedJobLetsTheNextOneRunAndGoesOnWhereItWas() throws Exception {
        var job = create("long", 100);
        var next = create("next", 1);
        training.permits.release(7);
        awaitStep(job, 7);
        jobs.pause(job.id());
        awaitState(next, State.RUNNING);
        assertEquals(State.PAUSED, jobs.job(job.id()).state());
        assertEquals(7, jobs.job(job.id()).progress().savedStep());
        training.permits.release();
        awaitState(next, State.FINISHED);
        jobs.resume(job.id());
        training.permits.release(93);
        awaitState(job, State.FINISHED);
        assertEquals(LongStream.rangeClosed(1, 100).boxed().toList(), steps(job));
        assertThrows(IllegalStateException.class, () -> jobs.resume(job.id()));
        assertThrows(IllegalStateException.class, () -> jobs.pause(job.id()));
    }

    @Test void aWaitingJobIsPausedWithoutHavingRun() throws Exception {
        create("first", 5);
        var second = create("second", 5);
        assertEquals(State.PAUSED, jobs.pause(second.id()).state());
        assertEquals(State.WAITING, jobs.resume(second.id()).state());
    }

    private List<Long> steps(Job job) {
        return jobs.history(job.id()).stream().map(JobJson::parse).filter(event -> event.path("type").stringValue().equals("step")).map(event -> event.path("step").longValue()).toList();
    }

    /** A crash leaves the files as they are in that moment: a copy of them is opened. */
    @Test void afterACrashTheRunningJobIsInterruptedAndTheOthersStillWait() throws Exception {
        var job = create("crashed", 100);
        var next = create("next", 5);
        training.permits.release(25);
        awaitStep(job, 25);
        copy(folder.resolve("a"), folder.resolve("b"));
        var later = new FakeTraining();
        try (var again = Jobs.open(folder.resolve("b"), later, UNDO)) {
            assertEquals(State.INTERRUPTED, again.job(job.id()).state());
            assertEquals(State.RUNNING, again.job(next.id()).state());
            later.permits.release(5);
            await("the next has ended", () -> again.job(next.id()).state() == State.FINISHED);
            again.resume(job.id());
            later.permits.release(80);
            await("it has ended", () -> again.job(job.id()).state() == State.FINISHED);
            var events = again.history(job.id()).stream().map(JobJson::parse).filter(event -> event.path("type").stringValue().equals("step")).map(event -> event.path("step").longValue()).toList();
            assertEquals(LongStream.rangeClosed(1, 100).boxed().toList(), events, "steps after the checkpoint of step 20 are told once, as they went the second time");
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        try (var files = Files.walk(from)) {
            for (var file : files.toList()) Files.copy(file, to.resolve(from.relativize(file)));
        }
    }

    @Test void theEndOfTheProgramPausesWhatRuns() throws Exception {
        var job = create("long", 100);
        training.permits.release(4);
        awaitStep(job, 4);
        jobs.close();
        jobs = Jobs.open(folder.resolve("a"), training, UNDO);
        assertEquals(State.PAUSED, jobs.job(job.id()).state());
        assertEquals(4, jobs.job(job.id()).progress().savedStep());
        assertEquals("talks.jsonl", jobs.job(job.id()).data());
        assertEquals(job.settings(), jobs.job(job.id()).settings());
    }

    @Test void aCancellationIsTakenBackWithoutLoss() throws Exception {
        var job = create("undone", 50);
        training.permits.release(5);
        awaitStep(job, 5);
        assertEquals(State.CANCELLED, jobs.cancel(job.id()).state());
        jobs.undo(job.id());
        awaitState(job, State.RUNNING);
        training.permits.release(45);
        awaitState(job, State.FINISHED);
        assertEquals(50, steps(job).size());
        assertThrows(IllegalStateException.class, () -> jobs.undo(job.id()));
    }

    @Test void aCancelledJobKeepsItsCurveAndLosesItsFiles() throws Exception {
        var job = create("cancelled", 50);
        training.permits.release(5);
        awaitStep(job, 5);
        jobs.cancel(job.id());
        var run = jobs.run(job).folder();
        await("its files are gone", () -> !Files.exists(run));
        assertEquals(State.CANCELLED, jobs.job(job.id()).state());
        assertThrows(IllegalStateException.class, () -> jobs.undo(job.id()));
        assertThrows(IllegalStateException.class, () -> jobs.resume(job.id()));
        assertEquals(5, steps(job).size());
    }

    @Test void aDeletedJobGoesWithItsFilesUnlessItIsTakenBack() throws Exception {
        var job = create("deleted", 2);
        assertThrows(IllegalStateException.class, () -> jobs.delete(job.id()), "it runs");
        training.permits.release(2);
        awaitState(job, State.FINISHED);
        jobs.delete(job.id());
        assertThrows(NoSuchElementException.class, () -> jobs.job(job.id()));
        assertEquals(State.FINISHED, jobs.undo(job.id()).state());
        jobs.delete(job.id());
        await("its folder is gone", () -> !Files.exists(folder.resolve("a/jobs").resolve(job.id())));
        assertEquals(List.of(), jobs.list());
        assertThrows(NoSuchElementException.class, () -> jobs.undo(job.id()));
    }

    @Test void aFailureIsOneSentenceAndTheJobGoesOnFromItsCheckpoint() throws Exception {
        training.failAt = 15;
        var job = create("unlucky", 20);
        training.permits.release(15);
        awaitState(job, State.FAILED);
        assertEquals("the disk is full", jobs.job(job.id()).problem());
        training.failAt = -1;
        jobs.resume(job.id());
        training.permits.release(10);
        awaitState(job, State.FINISHED);
        assertNull(jobs.job(job.id()).problem());
        assertEquals(20, steps(job).size());
    }

    @Test void anEndAskedForKeepsWhatWasLearned() throws Exception {
        var job = create("enough", 50);
        training.permits.release(12);
        awaitStep(job, 12);
        jobs.finish(job.id());
        awaitState(job, State.FINISHED);
        assertEquals(12, jobs.trained(job.id()).progress().savedStep());
    }

    @Test void whoComesLateHearsAllOfItOnceAndWhoComesBackTheRest() throws Exception {
        var job = create("told", 40);
        training.permits.release(20);
        awaitStep(job, 20);
        try (var early = jobs.follow(job.id(), 0)) {
            training.permits.release(20);
            awaitState(job, State.FINISHED);
            var all = kept(early);
            try (var late = jobs.follow(job.id(), 0)) { assertEquals(all, kept(late)); }
            assertEquals(LongStream.rangeClosed(1, all.size()).boxed().toList(), all);
            try (var back = jobs.follow(job.id(), 30)) { assertEquals(all.subList(30, all.size()), kept(back)); }
        }
    }

    /** Numbers of the events, until none comes. */
    private static List<Long> kept(Feed feed) throws InterruptedException {
        var numbers = new ArrayList<Long>();
        for (var message = feed.next(Duration.ofMillis(300)); message != null; message = feed.next(Duration.ofMillis(300))) {
            if (message.kind() == JobMessage.Kind.KEPT) numbers.add(message.number());
        }
        return numbers;
    }

    @Test void ofALongRunTheCurveKeepsOneStepInSome() throws Exception {
        var job = create("long", 4_500);
        training.permits.release(4_500);
        awaitState(job, State.FINISHED);
        var steps = steps(job);
        assertTrue(steps.size() > 900 && steps.size() <= 2_001, "kept " + steps.size());
        assertEquals(4_500, steps.getLast());
        assertEquals(4, steps.getFirst());
        assertEquals("still_falling", JobJson.of(jobs.job(job.id()).progress().insight()).path("note").path("kind").stringValue());
    }

    @Test void aFolderHasOneOwner() {
        assertTrue(assertThrows(IOException.class, () -> Jobs.open(folder.resolve("a"), training, UNDO)).getMessage().contains("--data-dir"));
    }

    @Test void whatCannotFitIsRefusedAtTheStart() {
        training.fits = false;
        assertTrue(assertThrows(IllegalArgumentException.class, () -> create("large", 5)).getMessage().contains("needs 2,000"));
        assertEquals(List.of(), jobs.list());
    }

    @Test void namesOfFilesMakeNoPaths() throws Exception {
        for (var name : List.of("../../etc/passwd", "C:\\temp\\a.jsonl", "..", ".hidden", "a\0b", "\"; rm -rf /", "x".repeat(500) + ".csv", "  ", "é 永.txt")) {
            var upload = jobs.uploads().add(name, new ByteArrayInputStream(new byte[] {1}), 10);
            var file = jobs.uploads().file(upload.id());
            assertEquals(folder.resolve("a/uploads").resolve(upload.id()), file.getParent());
            assertTrue(upload.name().length() <= 80 && !upload.name().startsWith("."), upload.name());
        }
        assertEquals("é 永.txt", Uploads.safe("é 永.txt"));
        assertTrue(Uploads.safe("x".repeat(500) + ".csv").endsWith(".csv"));
        for (var id : List.of("..", "", "../a", "0123456789abcdef")) assertThrows(NoSuchElementException.class, () -> jobs.uploads().file(id), id);
    }

    @Test void whatIsTooLongLeavesNothingBehind() throws IOException {
        assertThrows(IllegalArgumentException.class, () -> jobs.uploads().add("a", new ByteArrayInputStream(new byte[11]), 10));
        assertThrows(IllegalArgumentException.class, () -> jobs.uploads().add("a", new ByteArrayInputStream(new byte[0]), 10));
        try (var left = Files.list(folder.resolve("a/uploads"))) { assertFalse(left.findAny().isPresent()); }
    }
}
