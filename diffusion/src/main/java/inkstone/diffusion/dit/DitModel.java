package inkstone.diffusion.dit;

import inkstone.diffusion.prompt.Prompt;
import inkstone.diffusion.sampling.Objective;
import inkstone.tensor.Backend;
import inkstone.tensor.ModelException;
import inkstone.tensor.Weights;
import inkstone.tensor.checkpoint.CheckpointWeights;
import inkstone.tensor.checkpoint.Gguf;
import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.UnaryOperator;

/** A {@link Dit} from a GGUF file, with its vocabulary and what its network says. Owns the file's mapping and the weights' memory until it is closed. */
public final class DitModel implements AutoCloseable {
    /** Metadata that says what the network was trained to say; see {@link Objective}. */
    public static final String OBJECTIVE = "dit.objective";

    private final Gguf file;
    private final CheckpointWeights weights;
    private final Dit dit;
    private final Tokenizer tokenizer;
    private final Objective objective;
    private final String name;
    private final long parameters;

    private DitModel(Gguf file, Backend backend, UnaryOperator<Weights> decorator) {
        this.file = file;
        var metadata = file.metadata();
        var config = DitConfig.read(metadata);
        objective = objective(file);
        name = name(file);
        weights = new CheckpointWeights(file, backend, decorator);
        dit = weights.build(source -> Dit.of(config, source));
        parameters = parameters(file);
        tokenizer = Tokenizers.fromGguf(metadata);
        if (tokenizer.vocabularySize() > config.text().vocabulary() || tokenizer.bos() < 0) {
            throw new ModelException("%s: a vocabulary of %d tokens (%s to begin with) does not fit a table of %d".formatted(metadata.source(), tokenizer.vocabularySize(),
                tokenizer.bos() < 0 ? "none" : "one", config.text().vocabulary()));
        }
    }

    static String name(Gguf file) { return file.metadata().string("general.name", "model"); }

    static long parameters(Gguf file) { return file.tensors().values().stream().mapToLong(tensor -> tensor.shape().elements()).sum(); }

    static Objective objective(Gguf file) {
        var name = file.metadata().string(OBJECTIVE, "");
        return Arrays.stream(Objective.values()).filter(objective -> objective.name().equalsIgnoreCase(name)).findFirst().orElseThrow(() ->
            new ModelException("%s: %s is \"%s\"; expected one of %s".formatted(file.metadata().source(), OBJECTIVE, name, Arrays.toString(Objective.values()).toLowerCase(Locale.ROOT))));
    }

    public static DitModel open(Path path, Backend backend) throws IOException { return open(path, backend, UnaryOperator.identity()); }

    /** @param decorator puts itself between the file's weights and the network */
    public static DitModel open(Path path, Backend backend, UnaryOperator<Weights> decorator) throws IOException {
        var file = Gguf.open(path);
        try {
            return new DitModel(file, backend, decorator);
        } catch (RuntimeException problem) {
            file.close();
            throw problem;
        }
    }

    public Dit dit() { return dit; }
    public Objective objective() { return objective; }
    public Tokenizer tokenizer() { return tokenizer; }
    public String name() { return name; }
    public long parameters() { return parameters; }

    /** A prompt in the notation of {@link Prompt}, at most as much of it as the model reads; of an empty one, as of one that training dropped, the beginning alone. */
    public WeighedTokens tokens(String prompt) {
        int length = dit.config().text().length();
        var tokens = new int[length];
        var weights = new float[length];
        tokens[0] = tokenizer.bos();
        weights[0] = 1;
        int count = 1;
        for (var part : Prompt.parse(prompt).parts()) for (int token : words(tokenizer, part.text())) {
            if (count == length) break;
            tokens[count] = token;
            weights[count++] = (float) part.weight();
        }
        return new WeighedTokens(Arrays.copyOf(tokens, count), Arrays.copyOf(weights, count));
    }

    /** The tokens of a caption, in which nothing has a meaning of its own. */
    public static WeighedTokens caption(Tokenizer tokenizer, int length, String caption) {
        int[] words = words(tokenizer, caption);
        var tokens = new int[Math.min(length, words.length + 1)];
        tokens[0] = tokenizer.bos();
        System.arraycopy(words, 0, tokens, 1, tokens.length - 1);
        var weights = new float[tokens.length];
        Arrays.fill(weights, 1);
        return new WeighedTokens(tokens, weights);
    }

    private static int[] words(Tokenizer tokenizer, String text) { return tokenizer.encode(MarkedText.untrusted(CaptionText.normalized(text))); }

    @Override public void close() {
        tokenizer.close();
        weights.close();
        file.close();
    }
}
