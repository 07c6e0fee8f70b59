package inkstone.tokenizer;

import inkstone.tensor.ModelException;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tokenizer.Definition.Marks;
import inkstone.tokenizer.Definition.Merge;
import inkstone.tokenizer.Definition.Model;
import inkstone.tokenizer.Definition.Spelling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.node.ObjectNode;

/** The {@code tokenizer.ggml.*} keys of a GGUF file, read and written. What a file leaves out is filled in as llama.cpp does (src/llama-vocab.cpp). */
final class GgufVocabulary {
    private static final String KEYS = "tokenizer.ggml.";
    private static final int LONGEST_SENTENCE_PIECE = 256;

    private final Metadata metadata;
    private final String source;
    private final List<String> pieces;
    private final Kind[] kinds;

    private GgufVocabulary(Metadata metadata) {
        this.metadata = metadata;
        source = metadata.source();
        pieces = readPieces();
        kinds = readKinds();
    }

    static Definition read(Metadata metadata) {
        if (!metadata.has(KEYS + "model")) throw new ModelException("%s: has no tokenizer (no %smodel)".formatted(metadata.source(), KEYS));
        var model = metadata.string(KEYS + "model");
        return switch (model) {
            case "gpt2" -> new GgufVocabulary(metadata).readByteLevel();
            case "llama" -> new GgufVocabulary(metadata).readSentencePiece();
            case "bert" -> new GgufVocabulary(metadata).readWordPiece();
            case "t5" -> new GgufVocabulary(metadata).readUnigram();
            case "no_vocab", "none" -> throw new ModelException("%s: was written without a vocabulary; use a file that has one".formatted(metadata.source()));
            default -> throw new ModelException("%s: tokenizer model \"%s\" is not supported; supported are gpt2, llama, bert and t5"
                    .formatted(metadata.source(), model));
        };
    }

    private Definition readByteLevel() {
        var pre = metadata.string(KEYS + "pre", "default");
        var splits = PreTokenizers.named(pre);
        if (splits == null) {
            throw new ModelException("%s: pre-tokenizer \"%s\" is not known; known are %s".formatted(source, pre, String.join(", ", PreTokenizers.names())));
        }
        var marks = marks(-1, pieces.indexOf("<|endoftext|>"), -1, -1, -1, splits.addsBos());
        return definition(new Model.Bpe(splits.ignoreMerges(), false, ""), readMerges(), List.of(), splits.steps(), Spelling.BYTE_LEVEL, marks);
    }

    private Definition readSentencePiece() {
        boolean prefix = metadata.bool(KEYS + "add_space_prefix", true);
        var spaces = Steps.replace(" ", "\u2581");
        var marks = marks(1, 2, 0, -1, -1, true);
        if (marks.unknown() >= 0) kinds[marks.unknown()] = Kind.UNKNOWN;
        var normalizers = prefix ? List.of(Steps.prepend("\u2581"), spaces) : List.of(spaces);
        return definition(new Model.Bpe(false, true, ""), mergesByScore(source, pieces, kinds, readScores()), normalizers, List.of(),
                prefix ? Spelling.SENTENCE_PREFIXED : Spelling.SENTENCE, marks);
    }

    private Definition readUnigram() {
        if (metadata.bool(KEYS + "treat_whitespace_as_suffix", false)) throw wrong("spaces at the end of words are not supported");
        boolean prefix = metadata.bool(KEYS + "add_space_prefix", false);
        var normalizers = new ArrayList<ObjectNode>();
        if (metadata.has(KEYS + "precompiled_charsmap")) normalizers.add(precompiled(metadata.integers(KEYS + "precompiled_charsmap")));
        if (metadata.bool(KEYS + "remove_extra_whitespaces", false)) normalizers.addAll(Steps.withoutExtraSpaces());
        if (prefix) normalizers.add(Steps.prepend("\u2581"));
        normalizers.add(Steps.replace(" ", "\u2581"));
        var marks = marks(-1, 1, 2, -1, -1, false);
        if (marks.unknown() < 0) throw wrong("a unigram vocabulary needs an unknown token");
        kinds[marks.unknown()] = Kind.UNKNOWN;
        return definition(new Model.Unigram(readScores()), List.of(), normalizers, List.of(), prefix ? Spelling.SENTENCE_PREFIXED : Spelling.SENTENCE, marks);
    }

    private ObjectNode precompiled(long[] characterMap) {
        var bytes = new byte[characterMap.length];
        for (int i = 0; i < bytes.length; i++) bytes[i] = (byte) characterMap[i];
        try {
            return Steps.precompiled(bytes);
        } catch (ModelException broken) {
            throw wrong("%s", broken.getMessage());
        }
    }

    private Definition readWordPiece() {
        for (int id = 0; id < pieces.size(); id++) {
            var piece = pieces.get(id);
            if (piece.startsWith("\u2581")) pieces.set(id, piece.substring(1));
            else if (kinds[id] == Kind.NORMAL && !(piece.length() > 2 && piece.startsWith("[") && piece.endsWith("]"))) pieces.set(id, "##" + piece);
        }
        var ids = Definition.firstIds(pieces);
        var marks = marks(ids.getOrDefault("[CLS]", -1), -1, ids.getOrDefault("[UNK]", -1), ids.getOrDefault("[SEP]", -1),
                ids.getOrDefault("[MASK]", -1), true);
        if (marks.unknown() < 0) throw wrong("a bert vocabulary needs an unknown token ([UNK])");
        kinds[marks.unknown()] = Kind.UNKNOWN;
        boolean lowercase = metadata.bool(KEYS + "normalizer.lowercase", true);
        boolean stripAccents = metadata.bool(KEYS + "normalizer.strip_accents", lowercase);
        return definition(new Model.WordPiece(100), List.of(), List.of(Steps.bertNormalizer(lowercase, stripAccents)), List.of(Steps.step("BertPreTokenizer")),
                Spelling.WORDPIECE, marks);
    }

    private Definition definition(Model model, List<Merge> merges, List<ObjectNode> normalizers, List<ObjectNode> preTokenizers,
                                  Spelling spelling, Marks marks) {
        return new Definition(source, model, pieces, kinds, merges, normalizers, preTokenizers, spelling, marks, new BitSet(), phi3SwallowsSpaces());
    }

    /* Phi-3 was trained with every marker but three swallowing the white space behind it, which its GGUF files do not say. */
    private BitSet phi3SwallowsSpaces() {
        var swallowing = new BitSet();
        var name = metadata.values().get("general.name") instanceof String text ? text.toLowerCase(Locale.ROOT) : "";
        if (!name.contains("phi-3") && !name.contains("phi3")) return swallowing;
        for (int id = 0; id < kinds.length; id++) {
            boolean special = kinds[id] == Kind.CONTROL || kinds[id] == Kind.USER_DEFINED || pieces.get(id).equals("</s>");
            swallowing.set(id, special && !List.of("<unk>", "<s>", "<|endoftext|>").contains(pieces.get(id)));
        }
        return swallowing;
    }

    private List<String> readPieces() {
        var read = metadata.strings(KEYS + "tokens");
        if (read.isEmpty() || read.size() > Definition.LARGEST_VOCABULARY) throw wrong("a vocabulary of %d pieces is not believable", read.size());
        var pieces = new ArrayList<String>(read.size());
        for (Object piece : read) {
            if (!(piece instanceof String text)) throw wrong("%stokens should be an array of strings", KEYS);
            pieces.add(text.isEmpty() ? "[EMPTY_" + pieces.size() + "]" : text);
        }
        return pieces;
    }

    private Kind[] readKinds() {
        var kinds = new Kind[pieces.size()];
        Arrays.fill(kinds, Kind.NORMAL);
        if (!metadata.has(KEYS + "token_type")) return kinds;
        var types = metadata.integers(KEYS + "token_type");
        if (types.length < kinds.length) throw wrong("%d pieces but %d token types", kinds.length, types.length);
        var all = Kind.values();
        for (int id = 0; id < kinds.length; id++) {
            if (types[id] >= 1 && types[id] <= all.length) kinds[id] = all[(int) types[id] - 1];
            if (kinds[id] == Kind.BYTE && Pieces.byteOf(pieces.get(id)) < 0) {
                throw wrong("token %d is a byte, but is spelled \"%s\" and not like <0x0A>", id, pieces.get(id));
            }
        }
        return kinds;
    }

    private List<Merge> readMerges() {
        var read = metadata.strings(KEYS + "merges");
        var merges = new ArrayList<Merge>(read.size());
        for (Object merge : read) {
            if (!(merge instanceof String text)) throw wrong("%smerges should be an array of strings", KEYS);
            int space = text.indexOf(' ', 1);
            if (space < 0) throw wrong("merge %d should be two pieces with a space between, found \"%s\"", merges.size(), text);
            merges.add(new Merge(text.substring(0, space), text.substring(space + 1)));
        }
        return merges;
    }

    private double[] readScores() {
        var scores = metadata.floats(KEYS + "scores");
        if (scores.length < pieces.size()) throw wrong("%d pieces but %d scores", pieces.size(), scores.length);
        return scores;
    }

    /**
     * SentencePiece (Kudo & Richardson 2018, arXiv:1808.06226) joins the two neighbours whose union has the best score. Written as merges: every way to cut
     * every piece in two, best score first. Control, unknown and byte tokens are no unions, so no text can spell one.
     */
    private static List<Merge> mergesByScore(String source, List<String> pieces, Kind[] kinds, double[] scores) {
        var ids = Definition.firstIds(pieces);
        ids.values().removeIf(id -> !isUnion(kinds[id]));
        var order = ids.values().stream().sorted(Comparator.<Integer>comparingDouble(id -> -scores[id]).thenComparing(Comparator.naturalOrder())).toList();
        var merges = new ArrayList<Merge>(2 * order.size());
        for (int id : order) {
            var piece = pieces.get(id);
            if (piece.length() > LONGEST_SENTENCE_PIECE) {
                throw new ModelException("%s: tokenizer: a piece of %d characters is not believable".formatted(source, piece.length()));
            }
            for (int i = piece.offsetByCodePoints(0, 1); i < piece.length(); i = piece.offsetByCodePoints(i, 1)) {
                var left = piece.substring(0, i);
                if (!ids.containsKey(left)) continue;
                var right = piece.substring(i);
                if (ids.containsKey(right)) merges.add(new Merge(left, right));
            }
        }
        return merges;
    }

    private static boolean isUnion(Kind kind) { return kind == Kind.NORMAL || kind == Kind.USER_DEFINED || kind == Kind.UNUSED; }

    private Marks marks(int bos, int eos, int unknown, int separator, int mask, boolean addsBos) {
        boolean bert = separator >= 0 || metadata.string(KEYS + "model").equals("bert");
        bos = mark(bert && metadata.has(KEYS + "cls_token_id") ? "cls" : "bos", bos);
        eos = mark("eos", eos);
        separator = mark("seperator", separator);                                   // GGUF's own spelling
        int eot = mark("eot", -1), eom = mark("eom", -1), padding = mark("padding", -1);
        unknown = mark("unknown", unknown);
        mask = mark("mask", mask);
        Definition.markControl(pieces, kinds, bos, eos, separator, eot, eom, padding, mask);
        if (bert && eos < 0) eos = separator;
        int end = bert ? separator : eos;
        boolean addBegin = adds("add_bos_token", addsBos && bos >= 0, bos, "bos_token_id");
        boolean addEnd = bert ? end >= 0 : adds("add_eos_token", metadata.string(KEYS + "model").equals("t5") && eos >= 0, eos, "eos_token_id");
        return new Marks(bos, eos, unknown, separator, padding, mask, Definition.endOfGeneration(pieces, kinds, eos, eot, eom), addBegin, addEnd, end);
    }

    private boolean adds(String key, boolean absent, int token, String tokenKey) {
        boolean adds = metadata.bool(KEYS + key, absent);
        if (adds && token < 0) throw wrong("%s%s is true, but there is no %s%s", KEYS, key, KEYS, tokenKey);
        return adds;
    }

    /* 4294967295 is how -1, no token, looks in files that have only unsigned ids. */
    private int mark(String name, int absent) {
        var key = KEYS + name + "_token_id";
        if (!metadata.has(key)) return absent < pieces.size() ? absent : -1;
        if (!(metadata.values().get(key) instanceof Long id)) throw wrong("%s should be an integer", key);
        if (id == -1 || id == 0xFFFFFFFFL) return -1;
        if (id < 0 || id >= pieces.size()) throw wrong("%s is %d, outside the vocabulary of %d", key, id, pieces.size());
        return id.intValue();
    }

    private ModelException wrong(String message, Object... values) { return new ModelException(source + ": tokenizer: " + message.formatted(values)); }

    /** The keys of a definition, in {@link Metadata}'s types: {@code Long}, {@code long[]}, {@code double[]}, {@code List<String>}. */
    static Map<String, Object> write(Definition definition) {
        var keys = new LinkedHashMap<String, Object>();
        var pieces = definition.pieces();
        if (definition.model() instanceof Model.Unigram) throw definition.wrong("a unigram vocabulary cannot be written as GGUF; use a GGUF file of the model");
        if (new HashSet<>(pieces).size() < pieces.size()) throw definition.wrong("two tokens have the same spelling, which GGUF does not allow");
        switch (definition.spelling()) {
            case BYTE_LEVEL -> writeByteLevel(definition, keys);
            case SENTENCE_PREFIXED, SENTENCE -> writeSentencePiece(definition, keys);
            case WORDPIECE -> pieces = writeWordPiece(definition, keys);
        }
        keys.put(KEYS + "tokens", List.copyOf(pieces));
        keys.put(KEYS + "token_type", Arrays.stream(definition.kinds()).mapToLong(kind -> kind.ordinal() + 1).toArray());
        var marks = definition.marks();
        var ids = new LinkedHashMap<String, Integer>();
        ids.put("bos", marks.bos());
        ids.put("eos", marks.eos());
        ids.put("unknown", marks.unknown());
        ids.put("seperator", marks.separator());
        ids.put("padding", marks.padding());
        ids.put("mask", marks.mask());
        marks.endOfGeneration().stream().filter(id -> id != marks.eos()).findFirst().ifPresent(id -> ids.put("eot", id));
        ids.forEach((name, id) -> { if (id >= 0) keys.put(KEYS + name + "_token_id", (long) id); });
        keys.put(KEYS + "add_bos_token", marks.addBegin());
        keys.put(KEYS + "add_eos_token", marks.addEnd());
        return keys;
    }

    private static void writeByteLevel(Definition definition, Map<String, Object> keys) {
        var bpe = (Model.Bpe) definition.model();
        var pre = PreTokenizers.of(definition.preTokenizers(), bpe.ignoreMerges());
        if (pre == null) {
            throw definition.wrong("no pre-tokenizer of GGUF cuts words as %s%s does", definition.preTokenizers(),
                    bpe.ignoreMerges() ? " with ignore_merges" : "");
        }
        /* Qwen's and others' files ask for NFC, which GGUF has no key for and llama.cpp leaves out. */
        if (!definition.normalizers().stream().allMatch(step -> step.path("type").stringValue().equals("NFC")) || !bpe.endOfWord().isEmpty()) {
            throw definition.wrong("GGUF has no key for the normalizer %s", definition.normalizers());
        }
        keys.put(KEYS + "model", "gpt2");
        keys.put(KEYS + "pre", pre.name());
        var merges = new ArrayList<String>(definition.merges().size());
        for (var merge : definition.merges()) {
            var text = merge.left() + " " + merge.right();
            if (text.indexOf(' ') != text.lastIndexOf(' ')) throw definition.wrong("merge \"%s\" holds a space", text);
            merges.add(text);
        }
        keys.put(KEYS + "merges", merges);
    }

    private static void writeSentencePiece(Definition definition, Map<String, Object> keys) {
        var bpe = (Model.Bpe) definition.model();
        if (!bpe.byteFallback() || bpe.ignoreMerges() || !bpe.endOfWord().isEmpty()) {
            throw definition.wrong("GGUF has no key for BPE that is neither byte-level nor SentencePiece's");
        }
        /* A piece's score is the place of its first merge, so that best-first joins in the same order. */
        var ids = definition.ids();
        var scores = new double[ids.size()];
        Arrays.fill(scores, -1e9);
        var merges = new HashSet<>(definition.merges());
        int rank = 0;
        for (var merge : definition.merges()) {
            var id = ids.get(merge.left() + merge.right());
            if (id != null && scores[id] == -1e9) scores[id] = -rank;
            rank++;
        }
        for (int id = 0; id < scores.length; id++) if (definition.kinds()[id] != Kind.NORMAL && definition.kinds()[id] != Kind.USER_DEFINED) scores[id] = 0;
        keys.put(KEYS + "model", "llama");
        keys.put(KEYS + "pre", "default");
        keys.put(KEYS + "scores", scores);
        keys.put(KEYS + "add_space_prefix", definition.spelling() == Spelling.SENTENCE_PREFIXED);
        for (var merge : mergesByScore(definition.source(), definition.pieces(), definition.kinds(), scores)) {
            if (merges.contains(merge)) continue;
            throw definition.wrong("its merges lack \"%s\" + \"%s\", so it is not a SentencePiece vocabulary and GGUF cannot hold it", merge.left(), merge.right());
        }
    }

    private static List<String> writeWordPiece(Definition definition, Map<String, Object> keys) {
        var normalizer = definition.normalizers().size() == 1 ? definition.normalizers().getFirst() : Steps.step("");
        if (!normalizer.path("type").stringValue("").equals("BertNormalizer")) {
            throw definition.wrong("GGUF has no key for the normalizers %s", definition.normalizers());
        }
        keys.put(KEYS + "model", "bert");
        keys.put(KEYS + "pre", "default");
        keys.put(KEYS + "normalizer.lowercase", normalizer.get("lowercase").booleanValue());
        keys.put(KEYS + "normalizer.strip_accents", normalizer.get("strip_accents").booleanValue());
        var spelled = new ArrayList<String>(definition.pieces().size());
        for (int id = 0; id < definition.pieces().size(); id++) {
            var piece = definition.pieces().get(id);
            boolean bracketed = piece.length() > 2 && piece.startsWith("[") && piece.endsWith("]");
            spelled.add(definition.kinds()[id] != Kind.NORMAL || bracketed ? piece : piece.startsWith("##") ? piece.substring(2) : "\u2581" + piece);
        }
        return spelled;
    }
}
