package inkstone.server.images;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import inkstone.diffusion.Picture;
import inkstone.diffusion.picture.Parameters;
import inkstone.diffusion.picture.PictureFile;
import inkstone.diffusion.picture.Png;
import inkstone.server.images.PaintJob.State;
import inkstone.server.images.PaintOrder.Axis;
import inkstone.server.images.PaintOrder.Grid;
import inkstone.server.images.PaintOrder.Parameter;
import inkstone.server.jobs.JobJson;
import inkstone.transformer.QueueFullException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** The queue of what is to be painted, and the gallery of what was. */
class PaintingsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    @TempDir private Path folder;
    private final FakePainter painter = new FakePainter();
    private Paintings paintings;

    @BeforeEach void open() throws IOException { paintings = Paintings.open(folder.resolve("images"), painter.easel(), 3); }

    @AfterEach void close() throws IOException {
        painter.permits.release(1_000_000);
        paintings.close();
    }

    private static PaintOrder order(String prompt, Long seed, int count) { return new PaintOrder(null, prompt, null, null, null, null, null, null, null, null, null, null, seed, count, null, null, null, null); }

    private PaintJob finished(PaintJob job) throws InterruptedException {
        assertTrue(paintings.await(job, PATIENCE), "it has not ended");
        assertEquals(State.FINISHED, job.state(), job.problem());
        return job;
    }

    private List<Painting> painted(PaintOrder order) throws InterruptedException {
        painter.permits.release(1_000_000);
        return finished(paintings.paint(order, "me")).done();
    }

    private Picture pixels(Painting painting) throws IOException { return paintings.gallery().pixels(painting.id()); }

    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        for (long end = System.nanoTime() + PATIENCE.toNanos(); !condition.getAsBoolean(); Thread.sleep(2)) {
            if (System.nanoTime() > end) throw new AssertionError("did not come to pass within ten seconds: " + what);
        }
    }

    @Test void aPictureCarriesWhatMadeItAndItsSeedPaintsItAgain() throws Exception {
        var pictures = painted(order("red apple", 7L, 3));
        assertEquals(List.of(7L, 8L, 9L), pictures.stream().map(Painting::seed).toList());
        var second = pictures.get(1);
        var file = PictureFile.read(Files.readAllBytes(paintings.gallery().file(second.id())));
        var told = Parameters.parse(file.texts().get(Parameters.KEYWORD)).fill(FakePainter.info(FakePainter.NAME).defaults()).request();
        assertEquals(8, told.seed());
        assertEquals("red apple", told.prompt());
        assertEquals(file.picture(), pixels(painted(order("red apple", 8L, 1)).getFirst()));
        assertNotEquals(file.picture(), pixels(painted(order("red apple", null, 1)).getFirst()));
        assertEquals(1, painter.opened.get(), "a model that is open stays open");
        assertEquals(4, second.sigmas().size());
        assertEquals(new Picture(4 * 32, 2 * 32, 3, PictureFile.read(Files.readAllBytes(paintings.gallery().stepsFile(second.id()))).picture().bytes()),
            PictureFile.read(Files.readAllBytes(paintings.gallery().stepsFile(second.id()))).picture());
    }

    @Test void everyStepIsToldAndALateListenerGetsThoseOfThePictureBeingPainted() throws Exception {
        var job = paintings.paint(order("sky", 1L, 2), "me");
        painter.permits.release(6);
        await("two steps of the second picture", () -> job.step == 2 && job.done.size() == 1);
        try (var feed = paintings.follow()) {
            var known = new ArrayList<JsonNode>();
            do known.add(JobJson.parse(feed.next(PATIENCE).json())); while (!known.getLast().path("type").stringValue().equals("live"));
            assertEquals(List.of("job", "step", "step", "live"), known.stream().map(each -> each.path("type").stringValue()).toList());
            assertEquals(1, known.get(1).path("picture").intValue());
            assertTrue(known.get(1).path("sigma").doubleValue() > known.get(2).path("sigma").doubleValue());
            assertTrue(known.get(2).path("predicted").stringValue().startsWith("data:image/png;base64,"));
            painter.permits.release(2);
            finished(job);
            var rest = new StringBuilder();
            for (var message = feed.next(Duration.ofMillis(300)); message != null; message = feed.next(Duration.ofMillis(300))) rest.append(message.json()).append('\n');
            assertTrue(rest.toString().contains("\"step\":3") && rest.toString().contains("\"state\":\"finished\""), rest.toString());
        }
    }

    @Test void clientsTakeTurnsPictureByPicture() throws Exception {
        painter.permits.release(1);   // the first picture has begun
        var many = paintings.paint(order("many", 1L, 4), "one");
        await("it has begun", () -> many.step == 1);
        var other = paintings.paint(order("other", 1L, 1), "two");
        assertEquals(1, paintings.seen(other).path("ahead").intValue());
        painter.permits.release(1_000_000);
        finished(other);
        finished(many);
        assertTrue(other.done().getFirst().number() < many.done().get(2).number(), "the newcomer's only picture came before the third of the other");
        assertEquals(5, paintings.gallery().find("", false, 0, 10).all());
    }

    @Test void aCancelledJobKeepsWhatItFinishedAndOneThatWaitsNeverBegins() throws Exception {
        var running = paintings.paint(order("sky", 1L, 3), "me");
        var waiting = paintings.paint(order("sea", 1L, 1), "me");
        painter.permits.release(5);
        await("the second picture has begun", () -> running.done.size() == 1 && running.step == 1);
        paintings.cancel(waiting.id());
        assertEquals(State.CANCELLED, waiting.state());
        paintings.cancel(running.id());
        painter.permits.release(1_000_000);
        assertTrue(paintings.await(running, PATIENCE));
        assertEquals(State.CANCELLED, running.state());
        assertEquals(1, paintings.gallery().find("", false, 0, 10).all());
        assertThrows(NoSuchElementException.class, () -> paintings.cancel("nothing"));
    }

    @Test void aFullQueueAFailureAndANonsenseOrderAreSaid() throws Exception {
        for (int i = 0; i < 3; i++) paintings.paint(order("sky", 1L, 1), "me");
        await("one is taken", () -> paintings.seen().stream().anyMatch(job -> job.path("state").stringValue().equals("running")));
        paintings.paint(order("sky", 1L, 1), "me");
        assertThrows(QueueFullException.class, () -> paintings.paint(order("sky", 1L, 1), "me"));
        painter.permits.release(1_000_000);
        var trouble = paintings.paint(order("trouble", 1L, 1), "another");
        assertTrue(paintings.await(trouble, PATIENCE));
        assertEquals("the canvas is wet", trouble.problem());
        assertFalse(trouble.invalid());
        for (var wrong : List.of(order(" ", 1L, 1), order("x", 1L, 65), order("x", -1L, 1), new PaintOrder(null, "x", null, 33, 32, null, null, null, null, null, null, null, null, 1, null, null, null, null),
                new PaintOrder(null, "x", null, null, null, null, null, null, "magic", null, null, null, null, 1, null, null, null, null),
                new PaintOrder(null, "x", null, null, null, null, null, null, null, null, null, null, null, 1, null, null, null, new Grid(new Axis(Parameter.STEPS, List.of("many")), null)))) {
            var message = assertThrows(IllegalArgumentException.class, () -> paintings.paint(wrong, "me")).getMessage();
            assertEquals(1, message.lines().count(), message);
        }
        assertThrows(NoSuchElementException.class, () -> paintings.paint(new PaintOrder("magic", "x", null, null, null, null, null, null, null, null, null, null, null, 1, null, null, null, null), "me"));
    }

    @Test void aGridPaintsOnePictureForEachPair() throws Exception {
        var grid = new Grid(new Axis(Parameter.STEPS, List.of("2", "3", "4")), new Axis(Parameter.PROMPT, List.of("red", "green")));
        var pictures = painted(new PaintOrder(null, "", null, null, null, null, null, null, null, null, null, null, 5L, 1, null, null, null, grid));
        assertEquals(List.of("red 2", "red 3", "red 4", "green 2", "green 3", "green 4"), pictures.stream().map(picture -> picture.prompt() + " " + picture.steps()).toList());
        assertTrue(pictures.stream().allMatch(picture -> picture.seed() == 5));
    }

    @Test void underAMaskOnlyTheWhiteChangesAndAPictureCanBeEnlarged() throws Exception {
        var first = painted(order("sky", 1L, 1)).getFirst();
        var half = new byte[32 * 32];
        for (int i = 0; i < half.length; i++) half[i] = (byte) (i % 32 < 16 ? 0 : 255);
        var mask = paintings.gallery().receive(Png.write(new Picture(32, 32, 1, half), Map.of()));
        var changed = painted(new PaintOrder(null, "fire", null, null, null, null, null, null, null, null, null, null, 2L, 1, first.id(), mask, 1f, null)).getFirst();
        Picture before = pixels(first), after = pixels(changed);
        for (int y = 0; y < 32; y++) for (int c = 0; c < 3; c++) assertEquals(before.at(3, y, c), after.at(3, y, c));
        assertNotEquals(before.at(20, 0, 0), after.at(20, 0, 0));
        assertEquals(Painting.PART, changed.changed());
        assertEquals(first.id(), changed.from());
        var larger = finished(paintings.enlarge(first.id(), "me")).done().getFirst();
        assertEquals(64, larger.pixelWidth());
        assertEquals(32, larger.width());
        assertEquals(before.at(3, 3, 1), pixels(larger).at(6, 7, 1));
        assertEquals("2", paintings.gallery().parameters(larger.id()).fields().get("Postprocess upscale by"));
    }

    @Test void theGalleryFindsPagesForgetsAndBringsBack() throws Exception {
        painted(order("a red äpple, 3d", 1L, 1));
        painted(order("a green pear", 1L, 1));
        painted(order("an apple \"tree\" (old:1.2)", 1L, 1));
        var gallery = paintings.gallery();
        assertEquals(List.of("an apple \"tree\" (old:1.2)", "a red äpple, 3d"), prompts(gallery.find("APPL", false, 0, 10)));
        assertEquals(List.of("a red äpple, 3d"), prompts(gallery.find("3d red", false, 0, 10)));
        assertEquals(1, gallery.find("tree\" OR pear", false, 0, 10).all() + gallery.find("\"tree\" old", false, 0, 10).all());
        assertEquals(3, gallery.find("  ", false, 0, 10).all());
        var page = gallery.find("", false, 0, 2);
        assertEquals(List.of("a red äpple, 3d"), prompts(gallery.find("", false, page.pictures().getLast().number(), 2)));
        var pear = gallery.find("pear", false, 0, 1).pictures().getFirst();
        assertTrue(gallery.favourite(pear.id(), true).favourite());
        assertEquals(List.of("a green pear"), prompts(gallery.find("", true, 0, 10)));
        var file = gallery.file(pear.id());
        gallery.delete(pear.id());
        assertEquals(2, gallery.find("", false, 0, 10).all());
        assertThrows(NoSuchElementException.class, () -> gallery.file(pear.id()));
        assertTrue(gallery.undo(pear.id()).favourite());
        assertEquals(3, gallery.find("", false, 0, 10).all());
        gallery.delete(pear.id());
        paintings.close();
        open();
        assertFalse(Files.exists(file));
        assertThrows(NoSuchElementException.class, () -> paintings.gallery().undo(pear.id()));
        for (var id : List.of("../gallery", "", "x".repeat(16))) assertThrows(NoSuchElementException.class, () -> paintings.gallery().file(id));
    }

    private static List<String> prompts(Gallery.Found found) { return found.pictures().stream().map(Painting::prompt).toList(); }

    @Test void whatAKillLeavesIsPutRightAtTheNextStart() throws Exception {
        var kept = painted(order("kept", 1L, 1)).getFirst();
        var lost = painted(order("lost", 1L, 1)).getFirst();
        assertThrows(IOException.class, () -> Gallery.open(folder.resolve("images")), "it is open already");
        paintings.close();
        var images = folder.resolve("images");
        Files.delete(images.resolve(lost.id() + ".png"));                                          // the database knows what is not there
        Files.copy(images.resolve(kept.id() + ".png"), images.resolve("00000000000000aa.png"));    // and not what is there,
        Files.write(images.resolve("00000000000000bb.png.partial"), new byte[9]);                  // and a picture was half written
        Files.write(images.resolve("00000000000000cc.png"), new byte[9]);                          // somebody's broken file
        open();
        assertEquals(2, paintings.gallery().find("kept", false, 0, 10).all());
        assertEquals(2, paintings.gallery().find("", false, 0, 10).all());
        var found = paintings.gallery().painting("00000000000000aa");
        assertEquals(List.of(1L, 4, "euler", FakePainter.NAME), List.of(found.seed(), found.steps(), found.sampler(), found.model()));
        assertFalse(Files.exists(images.resolve("00000000000000bb.png.partial")));
    }

    @Test void anotherModelTakesThePlaceOfTheOpenOne() throws Exception {
        painted(order("x", 1L, 1));
        painted(new PaintOrder(FakePainter.OTHER, "x", null, null, null, null, null, null, null, null, null, null, 1L, 1, null, null, null, null));
        assertEquals(2, painter.opened.get());
        assertEquals(1, painter.open);
    }
}
