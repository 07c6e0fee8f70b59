package inkstone.transformer.tune.data;

import inkstone.tensor.checkpoint.Metadata;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.Tokenizers;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;

/**
 * A tokenizer whose tokens are the 256 bytes, then {@code <s>} and {@code </s>}, then the control tokens given; one merge, because a
 * vocabulary without any is refused.
 */
final class Bytes {
    private Bytes() {}

    static Tokenizer tokenizer(boolean addBos, String... control) {
        var pieces = new ArrayList<String>();
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean itself = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            pieces.add(String.valueOf((char) (itself ? b : next++)));
        }
        pieces.add("<s>");
        pieces.add("</s>");
        pieces.addAll(List.of(control));
        pieces.add("Ġa");
        var types = new long[pieces.size()];
        for (int i = 0; i < types.length; i++) types[i] = i < 256 || i == types.length - 1 ? 1 : 3;
        var keys = new LinkedHashMap<String, Object>();
        keys.put("tokenizer.ggml.model", "gpt2");
        keys.put("tokenizer.ggml.pre", "gpt-2");
        keys.put("tokenizer.ggml.tokens", pieces);
        keys.put("tokenizer.ggml.token_type", types);
        keys.put("tokenizer.ggml.merges", List.of("Ġ a"));
        keys.put("tokenizer.ggml.bos_token_id", 256L);
        keys.put("tokenizer.ggml.eos_token_id", 257L);
        keys.put("tokenizer.ggml.add_bos_token", addBos);
        return Tokenizers.fromGguf(new Metadata("bytes.gguf", keys));
    }
}
