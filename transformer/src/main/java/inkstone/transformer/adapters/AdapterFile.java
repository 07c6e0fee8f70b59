package inkstone.transformer.adapters;

import java.nio.file.Files;
import java.nio.file.Path;

/** An adapter's file or folder, and how much of it is wanted: 1 is all, 0 nothing. */
public record AdapterFile(Path path, float weight) {
    /** As people write it, FILE or FILE:WEIGHT. */
    public static AdapterFile of(String text) {
        int colon = text.lastIndexOf(':');
        if (colon > 0 && !Files.exists(Path.of(text))) {
            try {
                float weight = Float.parseFloat(text.substring(colon + 1));
                if (!Float.isFinite(weight)) throw new IllegalArgumentException("the weight of an adapter must be a number, got " + text.substring(colon + 1));
                return new AdapterFile(Path.of(text.substring(0, colon)), weight);
            } catch (NumberFormatException noWeight) {
                return new AdapterFile(Path.of(text), 1);
            }
        }
        return new AdapterFile(Path.of(text), 1);
    }
}
