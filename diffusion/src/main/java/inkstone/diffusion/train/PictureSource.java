package inkstone.diffusion.train;

import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.Stream;

/** Captioned square pictures of one size, red, green and blue, without end. Immutable; any thread may draw. What is held out is never drawn. */
public sealed interface PictureSource permits PictureFolder, LayeredPictures, ShapeScenes {
    /** What it is called in messages. */
    String name();

    /** A picture and a caption; the same random numbers give the same. */
    Captioned draw(RandomGenerator random);

    /** Pictures that {@link #draw} does not give, at most {@code count}; always the same. */
    List<Captioned> validation(int count);

    /** Texts that hold the words of captions, each about as often as it should count, from which a vocabulary is made. */
    Stream<String> texts();

    /** Different pictures that there are; {@link Long#MAX_VALUE} where nobody counts. */
    long count();
}
