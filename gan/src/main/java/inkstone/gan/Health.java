package inkstone.gan;

import inkstone.diffusion.Picture;
import inkstone.tensor.train.TrainingEvent;
import java.util.List;
import java.util.function.Consumer;

/** Tells in plain words when two networks have stopped learning from each other: a discriminator that has won, and a generator that makes the same picture again and again. */
final class Health {
    /* The sigmoid of 4 is 0.98: true and made pictures are told apart nearly always. */
    private static final double WON = 4, SAME = 0.25, FOOLED = 0.2;

    private double real, fake;
    private int count;

    /** What the discriminator said of a batch of each. */
    void judged(float[] ofReal, float[] ofFake) {
        for (float one : ofReal) real += one / ofReal.length;
        for (float one : ofFake) fake += one / ofFake.length;
        count++;
    }

    /** Numbers and words on the steps since the last time, and on what is shown now. */
    void told(long step, List<Picture> shown, PictureSet pictures, Consumer<TrainingEvent> events) {
        double variety = variety(shown) / Math.max(1e-9, variety(pictures, shown.size()));
        events.accept(new TrainingEvent.Measure(step, "variety", variety));
        if (count == 0) return;
        double ofReal = real / count, ofFake = fake / count;
        events.accept(new TrainingEvent.Measure(step, "discriminator on true pictures", ofReal));
        events.accept(new TrainingEvent.Measure(step, "discriminator on made pictures", ofFake));
        real = fake = count = 0;
        var words = words(ofReal, ofFake, variety);
        if (!words.isEmpty()) events.accept(new TrainingEvent.Sample(step, "how it goes", words));
    }

    static String words(double ofReal, double ofFake, double variety) {
        if (variety < SAME) return "The generator makes nearly the same picture again and again (mode collapse). A lower learning rate of the generator, a larger batch or a stronger gradient penalty may help.";
        if (ofReal - ofFake > 2 * WON) return "The discriminator has won: it tells true pictures from made ones every time, and the generator learns little from it. Lower the discriminator's learning rate, or use a penalty.";
        if (Math.abs(ofReal - ofFake) < FOOLED) return "The two are even: the discriminator can hardly tell true pictures from made ones.";
        return "";
    }

    /** Mean distance between neighbours in the list, by pixels. */
    private static double variety(List<Picture> pictures) {
        double sum = 0;
        for (int i = 1; i < pictures.size(); i++) sum += distance(pictures.get(i - 1).bytes(), pictures.get(i).bytes());
        return sum / (pictures.size() - 1);
    }

    private static double variety(PictureSet pictures, int count) {
        double sum = 0;
        int some = Math.min(count, pictures.count());
        for (int i = 1; i < some; i++) sum += distance(pictures.pictures().get(i - 1), pictures.pictures().get(i));
        return sum / Math.max(1, some - 1);
    }

    /** Root of the mean square of the differences. */
    private static double distance(byte[] a, byte[] b) {
        double sum = 0;
        for (int i = 0; i < Math.min(a.length, b.length); i++) sum += Math.pow((a[i] & 0xFF) - (b[i] & 0xFF), 2);
        return Math.sqrt(sum / Math.min(a.length, b.length));
    }
}
