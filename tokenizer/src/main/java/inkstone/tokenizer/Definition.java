package inkstone.tokenizer;

import inkstone.tensor.ModelException;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.node.ObjectNode;

/**
 * Everything that a file says about its tokenizer, checked: the middle between GGUF keys ({@link GgufVocabulary}), Hugging Face's JSON ({@link TokenizerJson})
 * and the engine. Ids are positions in {@code pieces}.
 *
 * @param source   the file, for messages
 * @param model    how words become pieces
 * @param pieces   as the vocabulary spells them; no nulls
 * @param kinds    one per piece
 * @param merges   for {@link Model#BPE}, best first
 * @param normalizers   what happens to text first, from the list that {@link PreTokenizers} knows
 * @param preTokenizers how text is cut into words, likewise
 * @param spelling how pieces stand for bytes
 * @param lstrip   tokens that swallow the white space before them
 * @param rstrip   tokens that swallow the white space after them
 */
record Definition(String source, Model model, List<String> pieces, Kind[] kinds, List<Merge> merges, List<ObjectNode> normalizers,
                  List<ObjectNode> preTokenizers, Spelling spelling, Marks marks, BitSet lstrip, BitSet rstrip) {

    /** A vocabulary larger than any in use (the largest known have about 260,000 pieces): a file that asks for more is broken, not big. */
    static final int LARGEST_VOCABULARY = 1 << 22;

    /**
     * Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909), the longest-match WordPiece of BERT (arXiv:1810.04805), or the likeliest of all ways to cut a text
     * (Kudo 2018, arXiv:1804.10959).
     */
    sealed interface Model {
        /**
         * @param ignoreMerges whether a word that is a piece is taken whole, whatever the merges say
         * @param byteFallback whether characters outside the vocabulary become {@link Kind#BYTE} tokens
         * @param endOfWord    what pieces at the end of a word end with, or ""
         */
        record Bpe(boolean ignoreMerges, boolean byteFallback, String endOfWord) implements Model {}

        /** @param longestWord words of more characters are unknown */
        record WordPiece(int longestWord) implements Model {}

        /** @param scores log-probability of each piece */
        record Unigram(double[] scores) implements Model {}
    }

    record Merge(String left, String right) {}

    /** How pieces stand for bytes. */
    enum Spelling {
        /** One character per byte, GPT-2's table (see {@link Pieces}). */
        BYTE_LEVEL,
        /** UTF-8 with U+2581 for a space, and {@link Kind#BYTE} tokens; the space before the first word is the tokenizer's own. */
        SENTENCE_PREFIXED,
        /** The same without a space of its own. */
        SENTENCE,
        /** BERT's: words, and {@code ##} before pieces that go on. */
        WORDPIECE
    }

    /**
     * The tokens with a role; -1 where there is none.
     *
     * @param end what {@code addEnd} appends: eos, or for BERT the separator
     */
    record Marks(int bos, int eos, int unknown, int separator, int padding, int mask, Set<Integer> endOfGeneration,
                 boolean addBegin, boolean addEnd, int end) {}

    /* What models call the end of a turn or of a text, of those whose files name no id for it. */
    private static final Set<String> ENDS = Set.of("<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
            "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>",
            "<\uFF5Cend\u2581of\u2581sentence\uFF5C>", "[e~[");

    /** Every control token that is called like an end, and the ids named by the file. */
    static Set<Integer> endOfGeneration(List<String> pieces, Kind[] kinds, int... named) {
        var ends = new TreeSet<Integer>();
        var names = new HashSet<String>();
        for (int id = 0; id < kinds.length; id++) {
            if (kinds[id] == Kind.CONTROL && ENDS.contains(pieces.get(id))) {
                ends.add(id);
                names.add(pieces.get(id));
            }
        }
        /* gpt-oss and Solar end a turn with other tokens and use <|end|> between the parts of one. */
        if (names.contains("<|return|>") && names.contains("<|call|>") || names.contains("<|flush|>") && names.contains("<|calls|>")) {
            ends.removeIf(id -> pieces.get(id).equals("<|end|>"));
        }
        for (int id : named) if (id >= 0) ends.add(id);
        return Collections.unmodifiableSet(ends);
    }

    /**
     * Files often forget to type the tokens that they name as beginning, end and so on. One in brackets ({@code <|endoftext|>}) is a control token whatever its
     * type; others may be text as well (a line feed that ends a poem).
     */
    static void markControl(List<String> pieces, Kind[] kinds, int... named) {
        for (int id : named) {
            if (id < 0 || kinds[id] == Kind.BYTE || kinds[id] == Kind.UNKNOWN) continue;
            var piece = pieces.get(id);
            if (piece.length() > 2 && (piece.startsWith("<") && piece.endsWith(">") || piece.startsWith("[") && piece.endsWith("]"))) kinds[id] = Kind.CONTROL;
        }
    }

    /** The first id of each piece. A piece that comes twice is encoded as its first id; the others can only be decoded. */
    Map<String, Integer> ids() { return firstIds(pieces); }

    static Map<String, Integer> firstIds(List<String> pieces) {
        var ids = HashMap.<String, Integer>newHashMap(pieces.size());
        for (int id = 0; id < pieces.size(); id++) ids.putIfAbsent(pieces.get(id), id);
        return ids;
    }

    /** Where the engine's first fragment gets a space in front that later ones do not (Metaspace "first"). */
    boolean spaceBeforeFirst() {
        return preTokenizers.stream().anyMatch(step -> step.path("prepend_scheme").stringValue("").equals("first"));
    }

    ModelException wrong(String message, Object... values) { return new ModelException(source + ": tokenizer: " + message.formatted(values)); }
}
