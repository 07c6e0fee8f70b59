package inkstone.transformer;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.IntUnaryOperator;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

/**
 * A model as Hugging Face stores it, told in the words of GGUF: what its folder would be as a GGUF file. It is opened as that file, and converted to it.
 *
 * @param names        the GGUF name of a tensor; a name it does not know stays
 * @param metadata     the {@code architecture.*} keys of the GGUF file, as integers, floats, booleans and texts
 * @param arrangements tells the tensors that are not kept as a GGUF file keeps them, under GGUF names
 * @param vectors      F32 vectors that a GGUF file has and a Hugging Face model computes from its configuration
 * @param unused       which names, once translated, are of tensors that no GGUF file has
 * @param halved       numbers of a model whose rotary pairs lie in halves of a head where those of GGUF files lie side by side; null where both are alike
 * @param untold       what a GGUF file has no key for, null where it can tell all
 */
public record HuggingFaceModel(UnaryOperator<String> names, Map<String, Object> metadata, Consumer<Arrangements> arrangements, Map<String, float[]> vectors,
                               Predicate<String> unused, DecoderConfig halved, String untold) {
    /** Masks, position numbers and frequencies that early releases stored in every layer; the configuration says the same. */
    private static final Pattern BUFFER = Pattern.compile("(.*\\.)?(rotary_emb\\.inv_freq|(attn|attention|self_attention)\\.(masked_)?bias|position_ids)");
    private static final Pattern TURNED = Pattern.compile("blk\\.\\d+\\.attn_[qk]\\.(weight|bias)");

    public static HuggingFaceModel of(UnaryOperator<String> names, Map<String, Object> metadata) {
        return new HuggingFaceModel(names, metadata, arrangements -> { }, Map.of(), name -> BUFFER.matcher(name).matches(), null, null);
    }

    public HuggingFaceModel with(String key, Object value) {
        var more = new LinkedHashMap<>(metadata);
        more.put(key, value);
        return new HuggingFaceModel(names, more, arrangements, vectors, unused, halved, untold);
    }

    /** In addition to those there are. */
    public HuggingFaceModel arranged(Consumer<Arrangements> more) {
        return new HuggingFaceModel(names, metadata, arrangements.andThen(more), vectors, unused, halved, untold);
    }

    public HuggingFaceModel withVectors(Map<String, float[]> vectors) { return new HuggingFaceModel(names, metadata, arrangements, vectors, unused, halved, untold); }

    public HuggingFaceModel without(Predicate<String> more) { return new HuggingFaceModel(names, metadata, arrangements, vectors, unused.or(more), halved, untold); }

    public HuggingFaceModel halved(DecoderConfig config) { return new HuggingFaceModel(names, metadata, arrangements, vectors, unused, config, untold); }

    public HuggingFaceModel untold(String what) { return new HuggingFaceModel(names, metadata, arrangements, vectors, unused, halved, what); }

    /** Which row of a tensor becomes a row of it in a GGUF file: that turns dimension 2i of a head with 2i + 1, Hugging Face i with i + rotaryDim / 2. */
    public IntUnaryOperator sourceRow(String name) {
        if (halved == null || !isTurned(name)) return IntUnaryOperator.identity();
        return turned(halved.headDim(), halved.rotaryDim());
    }

    /** Whether rows of this tensor lie otherwise there, where pairs are in halves of a head. */
    static boolean isTurned(String name) { return TURNED.matcher(name).matches(); }

    /** Row of a GGUF file's queries or keys -> row there. */
    static IntUnaryOperator turned(int headDim, int rotaryDim) {
        return row -> {
            int inHead = row % headDim;
            return inHead >= rotaryDim ? row : row - inHead + inHead / 2 + inHead % 2 * (rotaryDim / 2);
        };
    }
}
