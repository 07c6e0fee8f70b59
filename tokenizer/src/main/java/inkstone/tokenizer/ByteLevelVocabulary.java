package inkstone.tokenizer;

import inkstone.tokenizer.Definition.Marks;
import inkstone.tokenizer.Definition.Model;
import inkstone.tokenizer.Definition.Spelling;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.regex.Pattern;
import tools.jackson.databind.json.JsonMapper;

/**
 * A byte-level BPE vocabulary that was made here, on its way to a tokenizer.json. Its words are those of Qwen 2, which are Llama 3's but for numbers: every digit is a
 * token of its own. Groups of three would take a thousand of the few pieces that a small vocabulary has, and sums are learned better digit by digit, where equal
 * places meet (Singh & Strouse 2024, arXiv:2402.14903). GGUF files call these words {@code qwen2}. Immutable; any thread.
 *
 * @param pieces  the bytes of each piece; its place is its id
 * @param merges  best first; the piece that two make follows in {@code pieces}
 * @param special control tokens, whose ids follow those of the pieces
 * @param bos     the special token that begins every text, or null
 * @param eos     the special token that ends a text, or null
 */
public record ByteLevelVocabulary(List<byte[]> pieces, List<Merge> merges, List<String> special, String bos, String eos) {
    private static final PreTokenizers.PreTokenizer WORDS = PreTokenizers.named("qwen2");

    /** Two pieces, by their ids, that become one. */
    public record Merge(int left, int right) {}

    /** @throws IllegalArgumentException where the special tokens are not texts that differ, or the beginning or the end is none of them */
    public ByteLevelVocabulary {
        pieces = List.copyOf(pieces);
        merges = List.copyOf(merges);
        special = List.copyOf(special);
        requireSpecial(special, bos, eos);
        var spelled = new HashSet<String>();
        for (var piece : pieces) spelled.add(Pieces.byteLevelSpelling(piece));
        for (var token : special) if (spelled.contains(token)) throw new IllegalArgumentException("the special token \"%s\" is spelled as a piece is; take a longer one".formatted(token));
    }

    /** Checks what can be checked of special tokens before the pieces are known. */
    public static void requireSpecial(List<String> special, String bos, String eos) {
        if (special.stream().anyMatch(String::isBlank)) throw new IllegalArgumentException("a special token is empty; give it a name such as <|endoftext|>");
        if (new HashSet<>(special).size() < special.size()) throw new IllegalArgumentException("special tokens should differ, got " + special);
        if (bos != null && !special.contains(bos)) throw new IllegalArgumentException("the beginning token %s is not among the special tokens %s".formatted(bos, special));
        if (eos != null && !special.contains(eos)) throw new IllegalArgumentException("the end token %s is not among the special tokens %s".formatted(eos, special));
    }

    /** What cuts a text into words, within which pieces are merged. */
    public static Pattern words() {
        return Pattern.compile(WORDS.steps().getFirst().path("pattern").get("Regex").stringValue(), Pattern.UNICODE_CHARACTER_CLASS);
    }

    public int size() { return pieces.size() + special.size(); }

    /** The text of the tokenizer.json. */
    public String toJson() { return TokenizerJson.whole(definition()); }

    private Definition definition() {
        var spelled = new ArrayList<String>(size());
        for (var piece : pieces) spelled.add(Pieces.byteLevelSpelling(piece));
        var written = merges.stream().map(merge -> new Definition.Merge(spelled.get(merge.left()), spelled.get(merge.right()))).toList();
        spelled.addAll(special);
        var kinds = new Kind[spelled.size()];
        Arrays.fill(kinds, 0, pieces.size(), Kind.NORMAL);
        Arrays.fill(kinds, pieces.size(), kinds.length, Kind.CONTROL);
        int bosId = bos == null ? -1 : spelled.indexOf(bos), eosId = eos == null ? -1 : spelled.lastIndexOf(eos);
        var marks = new Marks(bosId, eosId, -1, -1, -1, -1, Definition.endOfGeneration(spelled, kinds, eosId), bos != null, false, eosId);
        return new Definition("the trained tokenizer", new Model.Bpe(false, false, ""), List.copyOf(spelled), kinds, written, List.of(), WORDS.steps(), Spelling.BYTE_LEVEL, marks,
            new BitSet(), new BitSet());
    }

    /**
     * Writes the tokenizer.json and, where there is a beginning or an end, the tokenizer_config.json beside it that names them; neither may exist.
     *
     * @return the files
     */
    public List<Path> write(Path json) throws IOException {
        requireAbsent(json, bos != null || eos != null);
        if (bos == null && eos == null) return List.of(write(json, toJson()));
        var config = JsonMapper.shared().createObjectNode().put("tokenizer_class", "PreTrainedTokenizerFast");
        if (bos != null) config.put("bos_token", bos);
        if (eos != null) config.put("eos_token", eos);
        config.put("add_bos_token", bos != null).put("add_eos_token", false).put("clean_up_tokenization_spaces", false);
        return List.of(write(json, toJson()), write(config(json), config.toPrettyString() + "\n"));
    }

    /** Throws where {@link #write} would, so that nobody trains in vain. */
    public static void requireAbsent(Path json, boolean withConfig) throws IOException {
        if (Files.exists(json)) throw new FileAlreadyExistsException(json.toString());
        if (withConfig && Files.exists(config(json))) throw new FileAlreadyExistsException(config(json).toString());
    }

    private static Path config(Path json) { return json.resolveSibling("tokenizer_config.json"); }

    private static Path write(Path path, String text) throws IOException {
        var part = path.resolveSibling("." + path.getFileName() + ".part");
        Files.write(part, text.getBytes(StandardCharsets.UTF_8));
        Files.move(part, path, StandardCopyOption.ATOMIC_MOVE);
        return path;
    }
}
