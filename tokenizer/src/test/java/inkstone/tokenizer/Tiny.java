package inkstone.tokenizer;

import inkstone.tensor.checkpoint.Metadata;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Small vocabularies written in the test, as GGUF keys. */
final class Tiny {
    final Map<String, Object> values = new LinkedHashMap<>();
    private final List<String> pieces = new ArrayList<>();
    private final List<Long> types = new ArrayList<>();
    private final List<String> merges = new ArrayList<>();
    private final List<Double> scores = new ArrayList<>();

    /** The 256 bytes in GPT-2's spelling, ids 0 to 255. */
    static Tiny byteLevel(String pre) {
        var tiny = new Tiny();
        tiny.values.put("tokenizer.ggml.model", "gpt2");
        tiny.values.put("tokenizer.ggml.pre", pre);
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean itself = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            tiny.piece(String.valueOf((char) (itself ? b : next++)), Kind.NORMAL);
        }
        return tiny;
    }

    /** {@code <unk> <s> </s>}, the 256 bytes as {@code <0x00>}, and the letters of {@code words} with every prefix of them. */
    static Tiny sentence(String... words) {
        var tiny = new Tiny();
        tiny.values.put("tokenizer.ggml.model", "llama");
        tiny.piece("<unk>", Kind.UNKNOWN).piece("<s>", Kind.CONTROL).piece("</s>", Kind.CONTROL);
        for (int b = 0; b < 256; b++) tiny.piece("<0x%02X>".formatted(b), Kind.BYTE);
        for (var word : words) {
            for (int i = 0; i < word.length(); i++) tiny.once(word.substring(i, i + 1));
            for (int i = 2; i <= word.length(); i++) tiny.once(word.substring(0, i));
        }
        return tiny;
    }

    private void once(String piece) { if (!pieces.contains(piece)) piece(piece, Kind.NORMAL); }

    Tiny piece(String piece, Kind kind) {
        pieces.add(piece);
        types.add(kind.ordinal() + 1L);
        scores.add(-(double) scores.size());
        return this;
    }

    Tiny merge(String left, String right) {
        merges.add(left + " " + right);
        return pieces.contains(left + right) ? this : piece(left + right, Kind.NORMAL);
    }

    Tiny set(String key, Object value) {
        values.put("tokenizer.ggml." + key, value);
        return this;
    }

    int id(String piece) { return pieces.indexOf(piece); }

    Metadata metadata() {
        var all = new LinkedHashMap<String, Object>();
        all.put("tokenizer.ggml.tokens", List.copyOf(pieces));
        all.put("tokenizer.ggml.token_type", types.stream().mapToLong(Long::longValue).toArray());
        if ("llama".equals(values.get("tokenizer.ggml.model"))) all.put("tokenizer.ggml.scores", scores.stream().mapToDouble(Double::doubleValue).toArray());
        else all.put("tokenizer.ggml.merges", List.copyOf(merges));
        all.putAll(values);
        return new Metadata("tiny.gguf", all);
    }

    Tokenizer open() { return Tokenizers.fromGguf(metadata()); }

    static String pieces(Tokenizer tokenizer, int[] ids) { return String.join("|", Arrays.stream(ids).mapToObj(tokenizer::piece).toList()); }
}
