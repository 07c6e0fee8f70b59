package inkstone.diffusion.stable;

import inkstone.diffusion.checkpoint.Family;
import inkstone.diffusion.prompt.Prompt;
import inkstone.diffusion.prompt.PromptChunk;
import inkstone.diffusion.text.ClipConfig;
import inkstone.diffusion.text.ClipEncoder;
import inkstone.diffusion.text.ClipTokenizer;
import inkstone.tensor.Backend;
import inkstone.tensor.Scope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Prompts through the text encoders of a family, with the layers that its network was trained on. */
final class TextReader {
    private final Family family;
    private final List<ClipEncoder> encoders;
    private final ClipTokenizer tokenizer;
    private final Backend backend;

    TextReader(Family family, List<ClipEncoder> encoders, ClipTokenizer tokenizer, Backend backend) {
        this.family = family;
        this.encoders = encoders;
        this.tokenizer = tokenizer;
        this.backend = backend;
    }

    /** Prompts of any length, all cut into as many chunks as the longest needs. */
    List<TextCondition> read(List<Prompt> prompts) {
        int count = 1;
        for (var prompt : prompts) count = Math.max(count, chunks(prompt, encoders.getFirst().config()).size());
        var conditions = new ArrayList<TextCondition>();
        for (var prompt : prompts) conditions.add(read(prompt, count));
        return conditions;
    }

    private List<PromptChunk> chunks(Prompt prompt, ClipConfig config) { return PromptChunk.of(prompt, tokenizer::encode, frame(config)); }

    private static PromptChunk.Frame frame(ClipConfig config) { return config.padding() == 0 ? PromptChunk.Frame.OPEN_CLIP : PromptChunk.Frame.CLIP; }

    private TextCondition read(Prompt prompt, int count) {
        int width = encoders.stream().mapToInt(encoder -> encoder.config().width()).sum(), length = count * ClipTokenizer.LENGTH;
        var rows = new float[length * width];
        float[] pooled = null;
        int column = 0;
        try (var scope = Scope.inference(backend)) {
            for (int i = 0; i < encoders.size(); i++) {
                var encoder = encoders.get(i);
                var chunks = PromptChunk.padded(chunks(prompt, encoder.config()), count, frame(encoder.config()));
                boolean last = i == encoders.size() - 1;
                var encoded = encode(scope, encoder, chunks.stream().map(PromptChunk::tokens).toArray(int[][]::new), last);
                float[] own = encoded.rows().toFloats();
                int ownWidth = encoder.config().width(), chunk = ClipTokenizer.LENGTH * ownWidth;
                for (int c = 0; c < count; c++) {
                    var part = Arrays.copyOfRange(own, c * chunk, (c + 1) * chunk);
                    chunks.get(c).weigh(part);
                    for (int row = 0; row < ClipTokenizer.LENGTH; row++) {
                        System.arraycopy(part, row * ownWidth, rows, (c * ClipTokenizer.LENGTH + row) * width + column, ownWidth);
                    }
                }
                if (last && encoded.pooled() != null) pooled = Arrays.copyOf(encoded.pooled().toFloats(), encoder.config().projection());
                column += ownWidth;
                scope.reset();
            }
        }
        return new TextCondition(rows, length, pooled);
    }

    /**
     * Version 1 reads the last layer of ViT-L; 2 the last but one of ViT-H, which folders of diffusers have without its last layer; both normed. XL reads the last but one of ViT-L and of bigG
     * as they are, and the pooled vector of the first chunk.
     */
    private ClipEncoder.Encoded encode(Scope scope, ClipEncoder encoder, int[][] texts, boolean last) {
        return switch (family) {
            case STABLE_DIFFUSION_1 -> encoder.forward(scope, texts, 0, true, false);
            case STABLE_DIFFUSION_2 -> encoder.forward(scope, texts, encoder.config().layers() == ClipConfig.VIT_H.layers() ? 1 : 0, true, false);
            case STABLE_DIFFUSION_XL -> encoder.forward(scope, texts, 1, false, last);
        };
    }
}
