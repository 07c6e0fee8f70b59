package inkstone.tokenizer;

import inkstone.tensor.ModelException;
import inkstone.tokenizer.Definition.Marks;
import inkstone.tokenizer.Definition.Merge;
import inkstone.tokenizer.Definition.Model;
import inkstone.tokenizer.Definition.Spelling;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.json.JsonReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.MissingNode;
import tools.jackson.databind.node.ObjectNode;

/** Hugging Face's tokenizer.json, read with the files beside it that name the beginning and the end, and written: whole, or as the {@link Engine} needs it. */
final class TokenizerJson {
    /* Python writes NaN and Infinity as they are, config.json of Mamba among others. */
    private static final JsonMapper JSON = JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();
    private static final long LARGEST_FILE = 256L << 20;

    private final String source;
    private final JsonNode root;
    private final Map<String, JsonNode> beside;
    private final TreeMap<Integer, String> spelled = new TreeMap<>();
    private List<String> pieces;
    private Kind[] kinds;
    private Map<String, Integer> ids;

    private TokenizerJson(String source, JsonNode root, Map<String, JsonNode> beside) {
        this.source = source;
        this.root = root;
        this.beside = beside;
    }

    /** @param path a directory of a model, or the tokenizer.json in one */
    static Definition read(Path path) throws IOException {
        var file = Files.isDirectory(path) ? path.resolve("tokenizer.json") : path;
        if (!Files.exists(file)) {
            throw new ModelException("%s: has no tokenizer.json; export the tokenizer in the fast format, or use a GGUF file of the model".formatted(path));
        }
        var beside = new TreeMap<String, JsonNode>();
        for (var name : List.of("tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "config.json")) {
            var other = file.resolveSibling(name);
            beside.put(name, Files.exists(other) ? tree(other) : MissingNode.getInstance());
        }
        try {
            return new TokenizerJson(file.toString(), tree(file), beside).read();
        } catch (JacksonException e) {
            throw new ModelException("%s: tokenizer: %s".formatted(file, e.getOriginalMessage()), e);
        }
    }

    private static JsonNode tree(Path file) throws IOException {
        if (Files.size(file) > LARGEST_FILE) throw new ModelException("%s: is larger than any tokenizer (%d bytes)".formatted(file, Files.size(file)));
        try (var in = Files.newInputStream(file)) {
            return JSON.readTree(in);
        } catch (JacksonException e) {
            throw new ModelException("%s: is not JSON: %s".formatted(file, e.getOriginalMessage()), e);
        }
    }

    private Definition read() {
        var model = root.path("model");
        var type = model.path("type").stringValue(model.has("merges") ? "BPE" : "");
        boolean unigram = type.equals("Unigram");
        if (!type.equals("BPE") && !type.equals("WordPiece") && !unigram) throw wrong("model type \"%s\" is not supported; supported are BPE, WordPiece and Unigram", type);
        double[] scores = unigram ? readScoredPieces(model.path("vocab")) : null;
        if (!unigram) readPieces(model.path("vocab"));
        var lstrip = new BitSet();
        var rstrip = new BitSet();
        readAdded(lstrip, rstrip);
        List<ObjectNode> normalizers, preTokenizers;
        try {
            normalizers = Steps.normalizers(root.path("normalizer"));
            preTokenizers = Steps.preTokenizers(root.path("pre_tokenizer"));
        } catch (ModelException e) {
            throw wrong("%s", e.getMessage());
        }
        var spelling = type.equals("WordPiece") ? Spelling.WORDPIECE : spelling(normalizers, preTokenizers);
        int unknown = unigram ? model.path("unk_id").asInt(-1) : ids.getOrDefault(model.path("unk_token").stringValue(""), -1);
        if (unigram) return unigram(model, scores, unknown, normalizers, preTokenizers, lstrip, rstrip);
        if (unknown >= 0 && spelling != Spelling.BYTE_LEVEL) kinds[unknown] = Kind.UNKNOWN;
        if (spelling == Spelling.WORDPIECE) {
            if (unknown < 0) throw wrong("unk_token is not in the vocabulary");
            if (!model.path("continuing_subword_prefix").stringValue("##").equals("##")) throw wrong("continuing_subword_prefix should be \"##\"");
            int longest = model.path("max_input_chars_per_word").asInt(100);
            return new Definition(source, new Model.WordPiece(Math.clamp(longest, 1, 1000)), pieces, kinds, List.of(), normalizers, preTokenizers,
                    spelling, marks(unknown), lstrip, rstrip);
        }
        if (!model.path("continuing_subword_prefix").stringValue("").isEmpty()) throw wrong("continuing_subword_prefix of BPE is not supported");
        boolean byteFallback = model.path("byte_fallback").asBoolean(false);
        if (byteFallback) for (int id = 0; id < kinds.length; id++) if (kinds[id] == Kind.NORMAL && Pieces.byteOf(pieces.get(id)) >= 0) kinds[id] = Kind.BYTE;
        var bpe = new Model.Bpe(model.path("ignore_merges").asBoolean(false), byteFallback, model.path("end_of_word_suffix").stringValue(""));
        return new Definition(source, bpe, pieces, kinds, readMerges(model.path("merges")), normalizers, preTokenizers, spelling, marks(unknown),
                lstrip, rstrip);
    }

    private Definition unigram(JsonNode model, double[] scores, int unknown, List<ObjectNode> normalizers, List<ObjectNode> preTokenizers, BitSet lstrip, BitSet rstrip) {
        if (unknown < 0 || unknown >= scores.length) throw wrong("unk_id should be a number from 0 to %d", scores.length - 1);
        if (model.path("byte_fallback").asBoolean(false)) throw wrong("Unigram with byte_fallback is not supported; use a GGUF file of the model");
        if (!Steps.replaceSpaces(normalizers, preTokenizers)) throw wrong("Unigram without a step that makes spaces U+2581 is not supported");
        kinds[unknown] = Kind.UNKNOWN;
        return new Definition(source, new Model.Unigram(Arrays.copyOf(scores, pieces.size())), pieces, kinds, List.of(), normalizers, preTokenizers,
                spelling(normalizers, preTokenizers), marks(unknown), lstrip, rstrip);
    }

    /** Pairs of a piece and its score, in the order of their ids. */
    private double[] readScoredPieces(JsonNode vocabulary) {
        if (!vocabulary.isArray() || vocabulary.isEmpty() || vocabulary.size() > Definition.LARGEST_VOCABULARY) throw wrong("model.vocab should be a list of pieces and scores");
        var scores = new double[vocabulary.size()];
        for (int id = 0; id < scores.length; id++) {
            var pair = vocabulary.get(id);
            if (!pair.isArray() || pair.size() != 2 || !pair.get(0).isString() || !pair.get(1).isNumber()) throw wrong("piece %d should be a text and a score", id);
            put(id, pair.get(0).stringValue());
            scores[id] = pair.get(1).doubleValue();
        }
        readAddedPieces();
        return scores;
    }

    private void readPieces(JsonNode vocabulary) {
        if (!vocabulary.isObject()) throw wrong("model.vocab should be an object of pieces and ids");
        for (var entry : vocabulary.properties()) put(id(entry.getValue(), entry.getKey()), entry.getKey());
        readAddedPieces();
    }

    private void readAddedPieces() {
        for (var added : root.path("added_tokens")) put(id(added.path("id"), added.path("content").stringValue("")), added.path("content").stringValue(""));
        if (spelled.isEmpty()) throw wrong("the vocabulary is empty");
        var all = new String[spelled.lastKey() + 1];
        kinds = new Kind[all.length];
        Arrays.fill(kinds, Kind.UNUSED);
        for (int id = 0; id < all.length; id++) all[id] = hole(id);
        spelled.forEach((id, piece) -> {
            all[id] = piece;
            kinds[id] = Kind.NORMAL;
        });
        pieces = List.of(all);
        ids = Definition.firstIds(pieces);
    }

    /** The name of an id that the file says nothing of. */
    private static String hole(int id) { return "[PAD" + id + "]"; }

    private int id(JsonNode id, String piece) {
        if (!id.isInt() || id.intValue() < 0 || id.intValue() >= Definition.LARGEST_VOCABULARY) {
            throw wrong("the id of \"%s\" should be a number from 0 to %d, found %s", piece, Definition.LARGEST_VOCABULARY - 1, id);
        }
        return id.intValue();
    }

    private void put(int id, String piece) {
        var before = spelled.put(id, piece);
        if (before != null && !before.equals(piece)) throw wrong("id %d is both \"%s\" and \"%s\"", id, before, piece);
    }

    private void readAdded(BitSet lstrip, BitSet rstrip) {
        for (var added : root.path("added_tokens")) {
            int id = added.path("id").intValue();
            kinds[id] = added.path("special").asBoolean(false) ? Kind.CONTROL : Kind.USER_DEFINED;
            lstrip.set(id, added.path("lstrip").asBoolean(false));
            rstrip.set(id, added.path("rstrip").asBoolean(false));
        }
    }

    private List<Merge> readMerges(JsonNode list) {
        if (!list.isArray()) throw wrong("model.merges should be a list");
        var merges = new ArrayList<Merge>(list.size());
        for (var merge : list) {
            if (merge.isArray() && merge.size() == 2 && merge.get(0).isString() && merge.get(1).isString()) {
                merges.add(new Merge(merge.get(0).stringValue(), merge.get(1).stringValue()));
            } else {
                var text = merge.stringValue("");
                int space = text.indexOf(' ');
                if (space < 0) throw wrong("merge %d should be two pieces, found %s", merges.size(), merge);
                merges.add(new Merge(text.substring(0, space), text.substring(space + 1)));
            }
        }
        return merges;
    }

    private Spelling spelling(List<ObjectNode> normalizers, List<ObjectNode> preTokenizers) {
        var decoder = root.path("decoder");
        if (preTokenizers.stream().anyMatch(step -> type(step).equals("ByteLevel")) || type(decoder).equals("ByteLevel")) return Spelling.BYTE_LEVEL;
        boolean prefixed = normalizers.stream().anyMatch(step -> type(step).equals("Prepend"))
                || preTokenizers.stream().anyMatch(step -> type(step).equals("Metaspace") && !step.path("prepend_scheme").stringValue("").equals("never"));
        return prefixed ? Spelling.SENTENCE_PREFIXED : Spelling.SENTENCE;
    }

    private Marks marks(int unknown) {
        var processor = root.path("post_processor");
        var single = template(processor);
        int first = single.isEmpty() ? -1 : ids.getOrDefault(single.getFirst(), -1), last = single.isEmpty() ? -1 : ids.getOrDefault(single.getLast(), -1);
        int bos = named("bos_token", first), eos = named("eos_token", -1), separator = named("sep_token", -1);
        int padding = named("pad_token", -1), mask = named("mask_token", -1);
        var ends = new ArrayList<Integer>();
        for (var file : List.of("generation_config.json", "config.json")) {
            var value = beside.get(file).path("eos_token_id");
            for (var id : value.isArray() ? value : JsonNodeFactory.instance.arrayNode().add(value)) {
                if (id.isInt() && id.intValue() >= 0 && id.intValue() < kinds.length) ends.add(id.intValue());
            }
        }
        if (eos < 0 && !ends.isEmpty()) eos = ends.getFirst();
        if (eos < 0) eos = last;
        Definition.markControl(pieces, kinds, bos, eos, separator, padding, mask);
        ends.add(eos);
        var config = beside.get("tokenizer_config.json");
        boolean addBegin = config.path("add_bos_token").asBoolean(first >= 0) && bos >= 0;
        boolean addEnd = config.path("add_eos_token").asBoolean(last >= 0) && (last >= 0 || eos >= 0);
        return new Marks(first >= 0 && addBegin ? first : bos, eos, unknown, separator, padding, mask,
                Definition.endOfGeneration(pieces, kinds, ends.stream().mapToInt(Integer::intValue).toArray()), addBegin, addEnd, last >= 0 ? last : eos);
    }

    /* What a post-processor puts before and after a single text: two names, "" for none; or nothing. */
    private List<String> template(JsonNode processor) {
        return switch (type(processor)) {
            case "TemplateProcessing" -> {
                var single = processor.path("single");
                if (!single.isArray() || single.isEmpty()) yield List.of();
                yield Stream.of(single.get(0), single.get(single.size() - 1)).map(part -> part.path("SpecialToken").path("id").stringValue("")).toList();
            }
            case "BertProcessing", "RobertaProcessing" -> List.of(processor.path("cls").path(0).stringValue(""), processor.path("sep").path(0).stringValue(""));
            case "Sequence" -> {
                for (var part : processor.path("processors")) {
                    var template = template(part);
                    if (!template.isEmpty()) yield template;
                }
                yield List.of();
            }
            default -> List.of();
        };
    }

    /* The id of a token that a configuration file names, as text or as an object with "content". */
    private int named(String name, int absent) {
        for (var file : List.of("tokenizer_config.json", "special_tokens_map.json")) {
            var value = beside.get(file).path(name);
            var content = value.isObject() ? value.path("content") : value;
            int id = ids.getOrDefault(content.stringValue(""), -1);
            if (id >= 0) return id;
        }
        return absent;
    }

    private static String type(JsonNode node) { return node.path("type").stringValue(""); }

    private ModelException wrong(String message, Object... values) { return new ModelException(source + ": tokenizer: " + message.formatted(values)); }

    /** The whole file, for other programs. */
    static String whole(Definition definition) { return write(definition, false); }

    /**
     * What encodes the text between special tokens: no added tokens, no template, and no control token in the vocabulary, so that none can come out whatever
     * the text is.
     */
    static String forEngine(Definition definition) { return write(definition, true); }

    private static String write(Definition definition, boolean forEngine) {
        var out = new StringWriter(1 << 20);
        try (var json = JSON.createGenerator(out)) {
            json.writeStartObject();
            json.writeStringProperty("version", "1.0");
            json.writeNullProperty("truncation");
            json.writeNullProperty("padding");
            json.writeName("added_tokens");
            json.writeStartArray();
            if (!forEngine) writeAdded(definition, json);
            json.writeEndArray();
            writeSteps(json, "normalizer", "normalizers", definition.normalizers());
            var steps = definition.preTokenizers();
            writeSteps(json, "pre_tokenizer", "pretokenizers", forEngine ? steps.stream().map(TokenizerJson::withoutFirstSpace).toList() : steps);
            json.writeName("post_processor");
            json.writeTree(forEngine ? null : template(definition));
            json.writeName("decoder");
            json.writeTree(forEngine ? null : decoder(definition));
            writeModel(definition, json, forEngine);
            json.writeEndObject();
        }
        return out.toString();
    }

    /* The engine sees fragments and cannot know which is the first. */
    private static ObjectNode withoutFirstSpace(ObjectNode step) {
        return step.path("prepend_scheme").stringValue("").equals("first") ? step.deepCopy().put("prepend_scheme", "never") : step;
    }

    private static void writeAdded(Definition definition, JsonGenerator json) {
        for (int id = 0; id < definition.kinds().length; id++) {
            var kind = definition.kinds()[id];
            if (!kind.needsTrust() && kind != Kind.USER_DEFINED) continue;
            json.writeTree(JsonNodeFactory.instance.objectNode().put("id", id).put("content", definition.pieces().get(id)).put("single_word", false)
                    .put("lstrip", definition.lstrip().get(id)).put("rstrip", definition.rstrip().get(id)).put("normalized", false)
                    .put("special", kind.needsTrust()));
        }
    }

    private static void writeSteps(JsonGenerator json, String name, String inside, List<ObjectNode> steps) {
        json.writeName(name);
        if (steps.size() <= 1) {
            json.writeTree(steps.isEmpty() ? null : steps.getFirst());
            return;
        }
        var sequence = Steps.step("Sequence");
        sequence.putArray(inside).addAll(steps);
        json.writeTree(sequence);
    }

    private static ObjectNode template(Definition definition) {
        var marks = definition.marks();
        if (!marks.addBegin() && !marks.addEnd()) return null;
        var template = Steps.step("TemplateProcessing");
        var single = template.putArray("single");
        var pair = template.putArray("pair");
        var special = template.putObject("special_tokens");
        if (marks.addBegin()) single.add(specialToken(definition, marks.bos(), special));
        single.addObject().putObject("Sequence").put("id", "A").put("type_id", 0);
        if (marks.addEnd()) single.add(specialToken(definition, marks.end(), special));
        pair.addAll(single.deepCopy());
        pair.addObject().putObject("Sequence").put("id", "B").put("type_id", 1);
        if (marks.addEnd()) pair.add(specialToken(definition, marks.end(), special));
        return template;
    }

    private static ObjectNode specialToken(Definition definition, int id, ObjectNode special) {
        var piece = definition.pieces().get(id);
        var entry = special.putObject(piece).put("id", piece);
        entry.putArray("ids").add(id);
        entry.putArray("tokens").add(piece);
        var token = JsonNodeFactory.instance.objectNode();
        token.putObject("SpecialToken").put("id", piece).put("type_id", 0);
        return token;
    }

    private static ObjectNode decoder(Definition definition) {
        if (definition.spelling() == Spelling.BYTE_LEVEL) return Steps.byteLevel(true);
        if (definition.spelling() == Spelling.WORDPIECE) return Steps.step("WordPiece").put("prefix", "##").put("cleanup", false);
        var sequence = Steps.step("Sequence");
        var steps = sequence.putArray("decoders").add(Steps.replace("\u2581", " ")).add(Steps.step("ByteFallback")).add(Steps.step("Fuse"));
        if (definition.spelling() == Spelling.SENTENCE_PREFIXED) steps.add(Steps.step("Strip").put("content", " ").put("start", 1).put("stop", 0));
        return sequence;
    }

    private static void writeModel(Definition definition, JsonGenerator json, boolean forEngine) {
        int unknown = definition.marks().unknown();
        var unknownPiece = unknown >= 0 && definition.kinds()[unknown] == Kind.UNKNOWN ? definition.pieces().get(unknown) : null;
        json.writeName("model");
        json.writeStartObject();
        switch (definition.model()) {
            case Model.Bpe bpe -> {
                json.writeStringProperty("type", "BPE");
                json.writeNullProperty("dropout");
                json.writeStringProperty("unk_token", unknownPiece);
                json.writeNullProperty("continuing_subword_prefix");
                json.writeStringProperty("end_of_word_suffix", bpe.endOfWord().isEmpty() ? null : bpe.endOfWord());
                json.writeBooleanProperty("fuse_unk", unknownPiece != null);
                json.writeBooleanProperty("byte_fallback", bpe.byteFallback());
                json.writeBooleanProperty("ignore_merges", bpe.ignoreMerges());
            }
            case Model.WordPiece wordPiece -> {
                json.writeStringProperty("type", "WordPiece");
                json.writeStringProperty("unk_token", unknownPiece);
                json.writeStringProperty("continuing_subword_prefix", "##");
                json.writeNumberProperty("max_input_chars_per_word", wordPiece.longestWord());
            }
            case Model.Unigram unigram -> {
                writeUnigram(definition, unigram, json, forEngine);
                json.writeEndObject();
                return;
            }
        }
        var ids = definition.ids();
        json.writeName("vocab");
        json.writeRawValue(vocabulary(definition, ids, forEngine));
        if (definition.model() instanceof Model.Bpe) writeMerges(definition, json, ids, forEngine);
        json.writeEndObject();
    }

    /* Pieces and merges are nearly all of the text, megabytes that somebody waits for: written without a generator's state and checks. */
    private static String vocabulary(Definition definition, Map<String, Integer> ids, boolean forEngine) {
        var out = new StringBuilder(20 * ids.size()).append('{');
        for (int id = 0; id < definition.kinds().length; id++) {
            var piece = definition.pieces().get(id);
            if (ids.get(piece) != id || forEngine && withheld(definition, id)) continue;
            if (out.length() > 1) out.append(',');
            quote(out, piece);
            out.append(':').append(id);
        }
        return out.append('}').toString();
    }

    private static void quote(StringBuilder out, String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < ' ') out.append("\\u00").append(Character.forDigit(c >> 4, 16)).append(Character.forDigit(c & 15, 16));
            else out.append(c);
        }
        out.append('"');
    }

    /** Ids are places in the list, so what is withheld keeps its place under a name with a space, which no text has left when it comes to the model. */
    private static void writeUnigram(Definition definition, Model.Unigram unigram, JsonGenerator json, boolean forEngine) {
        json.writeStringProperty("type", "Unigram");
        json.writeNumberProperty("unk_id", definition.marks().unknown());
        json.writeBooleanProperty("byte_fallback", false);
        json.writeName("vocab");
        json.writeStartArray();
        var ids = definition.ids();
        for (int id = 0; id < definition.kinds().length; id++) {
            var piece = definition.pieces().get(id);
            var kind = definition.kinds()[id];
            boolean hole = kind == Kind.UNUSED && piece.equals(hole(id));
            boolean hidden = forEngine && (kind.needsTrust() || kind == Kind.BYTE || hole || ids.get(piece) != id);
            json.writeStartArray();
            json.writeString(hidden ? " " + id : piece);
            json.writeNumber(unigram.scores()[id]);
            json.writeEndArray();
        }
        json.writeEndArray();
    }

    /* Whether the engine is not told of a token. Of the unknown ones it needs the one that stands for what it cannot spell. */
    private static boolean withheld(Definition definition, int id) {
        var kind = definition.kinds()[id];
        return kind == Kind.CONTROL || kind == Kind.UNKNOWN && id != definition.marks().unknown();
    }

    private static void writeMerges(Definition definition, JsonGenerator json, Map<String, Integer> ids, boolean forEngine) {
        var out = new StringBuilder(24 * definition.merges().size()).append('[');
        for (var merge : definition.merges()) {
            Integer left = ids.get(merge.left()), right = ids.get(merge.right()), union = ids.get(merge.left() + merge.right());
            if (left == null || right == null || union == null) {
                throw definition.wrong("merge \"%s %s\" is of pieces that are not in the vocabulary", merge.left(), merge.right());
            }
            if (forEngine && (withheld(definition, left) || withheld(definition, right) || withheld(definition, union))) continue;
            if (out.length() > 1) out.append(',');
            out.append('[');
            quote(out, merge.left());
            out.append(',');
            quote(out, merge.right());
            out.append(']');
        }
        json.writeName("merges");
        json.writeRawValue(out.append(']').toString());
    }
}
