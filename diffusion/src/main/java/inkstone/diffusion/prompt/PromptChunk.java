package inkstone.diffusion.prompt;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * What a text encoder of fixed length reads at once: a start, up to 75 tokens, an end, padding; and what each weighs. The hidden states of a long prompt's chunks stand side by side on the axis of
 * the sequence.
 *
 * @param tokens  as many as the encoder has positions
 * @param weights of each; 1 for those that are not of the text
 */
public record PromptChunk(int[] tokens, float[] weights) {
    /** Tokens that go back to the last comma when a chunk is full in the middle of a phrase, at most. */
    private static final int BACK = 20;

    /**
     * What an encoder frames texts with.
     *
     * @param length  tokens of text in a chunk
     * @param padding behind the end
     * @param comma   the token at which a phrase may be parted, or -1
     */
    public record Frame(int length, int start, int end, int padding, int comma) {
        /** CLIP ViT-L, of Stable Diffusion 1 and XL. */
        public static final Frame CLIP = new Frame(75, 49406, 49407, 49407, 267);
        /** OpenCLIP ViT-H and bigG, of Stable Diffusion 2 and XL. */
        public static final Frame OPEN_CLIP = new Frame(75, 49406, 49407, 0, 267);
    }

    /**
     * A prompt in chunks, at least one: as A1111 cuts them, at breaks and where one is full, then at the last comma if that is no more than 20 tokens back.
     *
     * @param tokens of a text, all of them, without start and end
     */
    public static List<PromptChunk> of(Prompt prompt, Function<String, int[]> tokens, Frame frame) {
        var chunks = new ArrayList<PromptChunk>();
        var row = new Row(frame);
        for (Prompt.Part part : prompt.parts()) {
            if (part.breaks()) row.finish(row.count, chunks);
            for (int token : tokens.apply(part.text())) {
                if (row.count == frame.length) {
                    boolean parted = token != frame.comma && row.afterComma > 0 && row.count - row.afterComma < BACK;
                    row.finish(parted ? row.afterComma : row.count, chunks);
                }
                row.add(token, (float) part.weight());
            }
        }
        if (row.count > 0 || chunks.isEmpty()) row.finish(row.count, chunks);
        return List.copyOf(chunks);
    }

    /** As many chunks as {@code count}, empty ones behind: the two prompts of guidance are of one length then. */
    public static List<PromptChunk> padded(List<PromptChunk> chunks, int count, Frame frame) {
        var padded = new ArrayList<>(chunks);
        while (padded.size() < count) new Row(frame).finish(0, padded);
        return List.copyOf(padded);
    }

    /** Whether any token weighs more or less than others. */
    public boolean isWeighed() {
        for (float weight : weights) if (weight != 1) return true;
        return false;
    }

    /**
     * Multiplies each token's row of hidden states by its weight, then all of them by one number that gives them the mean they had. In place.
     *
     * @param hidden [tokens, width]
     */
    public void weigh(float[] hidden) {
        if (!isWeighed()) return;
        int width = hidden.length / weights.length;
        double before = 0, after = 0;
        for (int i = 0; i < hidden.length; i++) {
            before += hidden[i];
            hidden[i] *= weights[i / width];
            after += hidden[i];
        }
        if (after == 0) return;
        for (int i = 0; i < hidden.length; i++) hidden[i] = (float) (hidden[i] * (before / after));
    }

    /** A chunk while it fills. */
    private static final class Row {
        private final Frame frame;
        private final int[] tokens;
        private final float[] weights;
        private int count, afterComma;

        Row(Frame frame) {
            this.frame = frame;
            tokens = new int[frame.length];
            weights = new float[frame.length];
        }

        void add(int token, float weight) {
            tokens[count] = token;
            weights[count++] = weight;
            if (token == frame.comma) afterComma = count;
        }

        /** The first {@code taken} tokens are a chunk; those behind them begin the next. */
        void finish(int taken, List<PromptChunk> chunks) {
            var all = new int[frame.length + 2];
            var allWeights = new float[frame.length + 2];
            Arrays.fill(all, frame.padding);
            Arrays.fill(allWeights, 1);
            all[0] = frame.start;
            System.arraycopy(tokens, 0, all, 1, taken);
            System.arraycopy(weights, 0, allWeights, 1, taken);
            all[taken + 1] = frame.end;
            chunks.add(new PromptChunk(all, allWeights));
            System.arraycopy(tokens, taken, tokens, 0, count - taken);
            System.arraycopy(weights, taken, weights, 0, count - taken);
            count -= taken;
            afterComma = 0;
        }
    }
}
