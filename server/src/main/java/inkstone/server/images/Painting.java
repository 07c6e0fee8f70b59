package inkstone.server.images;

import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.Picture;
import inkstone.diffusion.picture.Parameters;
import java.util.List;

/**
 * A picture in the gallery: what made it, as the database keeps it and as clients see it.
 *
 * @param number     of the picture in the gallery, rising; the database gives it
 * @param job        that painted it; empty: it was found on disk
 * @param width      of the order; the picture itself is {@code pixelWidth} wide, which is more where it was enlarged
 * @param from       id of the picture in the gallery that it began as; empty: none, or one from elsewhere
 * @param changed    "whole" where it began as another picture, "part" where under a mask, "larger" where it is one enlarged; empty: painted from noise
 * @param strength   of the change
 * @param sigmas     noise before each step that the film strip shows; empty: there is no strip
 * @param seconds    that painting took
 * @param created    milliseconds since 1970
 */
public record Painting(String id, long number, String job, String model, String prompt, String negative, int width, int height, int pixelWidth, int pixelHeight, int steps, float guidance,
                       float rescale, String sampler, String schedule, float eta, String noise, long seed, String from, String changed, float strength, List<Double> sigmas, double seconds, long created,
                       boolean favourite) {
    static final String WHOLE = "whole", PART = "part", LARGER = "larger";

    /** One that was just painted. */
    static Painting of(String id, String job, String model, ImageRequest r, long seed, Picture picture, String from, List<Double> sigmas, double seconds, long created) {
        return new Painting(id, 0, job, model, r.prompt(), r.negative(), r.width(), r.height(), picture.width(), picture.height(), r.steps(), r.guidance(), r.rescale(), r.sampler(), r.schedule(), r.eta(),
            r.noise(), seed, from, r.from() == null ? "" : r.mask() == null ? WHOLE : PART, r.strength(), sigmas, seconds, created, false);
    }

    /** One that was found on disk: as much as its file tells. */
    static Painting of(String id, Picture picture, Parameters told, long created) {
        var nothing = new ImageRequest("", "", picture.width(), picture.height(), 0, 0, 0, "", "", -1, "", 0, 1, null, null, 1);
        var request = told.fill(nothing).request();
        return of(id, "", told.model() == null ? "" : told.model(), request, request.seed(), picture, "", List.of(), 0, created);
    }

    /** This one, enlarged. */
    Painting enlarged(String newId, String newJob, Picture larger, double newSeconds, long now) {
        return new Painting(newId, 0, newJob, model, prompt, negative, width, height, larger.width(), larger.height(), steps, guidance, rescale, sampler, schedule, eta, noise, seed, id, LARGER, strength,
            List.of(), newSeconds, now, false);
    }

    Painting with(long newNumber, boolean newFavourite) {
        return new Painting(id, newNumber, job, model, prompt, negative, width, height, pixelWidth, pixelHeight, steps, guidance, rescale, sampler, schedule, eta, noise, seed, from, changed, strength, sigmas,
            seconds, created, newFavourite);
    }
}
