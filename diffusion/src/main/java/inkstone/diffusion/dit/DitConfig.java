package inkstone.diffusion.dit;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.Metadata;

/**
 * A transformer that takes noise out of pictures, and the encoder of its prompts.
 *
 * @param size     pixels on a side of the pictures, which are square
 * @param channels numbers of a pixel: 3 for red, green and blue
 * @param patch    pixels on a side of what one row stands for
 * @param hidden   width of the feed-forward
 */
public record DitConfig(int size, int channels, int patch, int dim, int layers, int heads, int hidden, Text text) {
    static final String ARCHITECTURE = "dit";

    /** @param length tokens of a prompt at most, the one that begins it included */
    public record Text(int vocabulary, int length, int dim, int layers, int heads, int hidden) {
        public Text {
            require(vocabulary >= 2 && length >= 2 && layers >= 0, "text: expected a vocabulary and length of 2 or more, got %d and %d", vocabulary, length);
            require(heads >= 1 && dim % heads == 0, "text: dim %d is not divisible into %d heads", dim, heads);
            require(hidden >= 1, "text: expected a hidden width of 1 or more, got %d", hidden);
        }

        AttentionShape attention() { return shape(dim, heads); }
    }

    public DitConfig {
        require(patch >= 1 && size >= patch && size % patch == 0, "pictures of %d pixels are not whole patches of %d", size, patch);
        require(channels >= 1 && layers >= 1 && hidden >= 1, "expected 1 or more channels, layers and hidden, got %d, %d and %d", channels, layers, hidden);
        require(heads >= 1 && dim % heads == 0 && dim % 2 == 0, "dim %d is not even, or not divisible into %d heads", dim, heads);
    }

    /** Rows of a picture. */
    public int tokens() { return size / patch * (size / patch); }

    /** Numbers in a patch. */
    public int patchNumbers() { return patch * patch * channels; }

    AttentionShape attention() { return shape(dim, heads); }

    private static AttentionShape shape(int dim, int heads) { return new AttentionShape(heads, heads, dim / heads, (float) (1 / Math.sqrt((double) dim / heads))).bidirectional(); }

    /** Writes what {@link #read} reads. */
    public void write(GgufWriter writer) {
        writer.string("general.architecture", ARCHITECTURE);
        writer.u32("dit.image_size", size).u32("dit.channels", channels).u32("dit.patch_size", patch).u32("dit.embedding_length", dim).u32("dit.block_count", layers)
            .u32("dit.attention.head_count", heads).u32("dit.feed_forward_length", hidden);
        writer.u32("dit.text.vocab_size", text.vocabulary).u32("dit.text.context_length", text.length).u32("dit.text.embedding_length", text.dim)
            .u32("dit.text.block_count", text.layers).u32("dit.text.attention.head_count", text.heads).u32("dit.text.feed_forward_length", text.hidden);
    }

    public static DitConfig read(Metadata metadata) {
        var architecture = metadata.string("general.architecture", "");
        if (!architecture.equals(ARCHITECTURE)) throw new ModelException("%s: expected a model of architecture %s, found \"%s\"".formatted(metadata.source(), ARCHITECTURE, architecture));
        try {
            return new DitConfig(number(metadata, "image_size"), number(metadata, "channels"), number(metadata, "patch_size"), number(metadata, "embedding_length"), number(metadata, "block_count"),
                number(metadata, "attention.head_count"), number(metadata, "feed_forward_length"),
                new Text(number(metadata, "text.vocab_size"), number(metadata, "text.context_length"), number(metadata, "text.embedding_length"), number(metadata, "text.block_count"),
                    number(metadata, "text.attention.head_count"), number(metadata, "text.feed_forward_length")));
        } catch (IllegalArgumentException problem) {
            throw new ModelException("%s: %s".formatted(metadata.source(), problem.getMessage()), problem);
        }
    }

    private static int number(Metadata metadata, String key) { return Math.toIntExact(metadata.integer("dit." + key)); }

    private static void require(boolean condition, String message, Object... arguments) {
        if (!condition) throw new IllegalArgumentException(message.formatted(arguments));
    }
}
