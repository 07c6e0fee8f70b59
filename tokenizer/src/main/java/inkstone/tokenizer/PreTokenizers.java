package inkstone.tokenizer;

import static inkstone.tokenizer.Steps.byteLevel;
import static inkstone.tokenizer.Steps.digits;
import static inkstone.tokenizer.Steps.punctuation;
import static inkstone.tokenizer.Steps.split;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import tools.jackson.databind.node.ObjectNode;

/**
 * How byte-level BPE vocabularies cut text into words before merging: GGUF files name it ({@code tokenizer.ggml.pre}), Hugging Face files spell it out as steps.
 * The regular expressions are data of the models, in the spelling of their tokenizer.json where it is known (llama.cpp's table, src/llama-vocab.cpp,
 * says the same in its own). They are also the only ones that the engine is given: its regular expressions end the process, not the call, when they
 * backtrack too often, so each one here was looked at for the time it takes on a long run of one character.
 */
final class PreTokenizers {
    /** @param ignoreMerges see {@link Definition.Model.Bpe}; @param addsBos whether files that do not say so want a beginning token */
    record PreTokenizer(String name, List<ObjectNode> steps, boolean ignoreMerges, boolean addsBos) {}

    private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private static final String SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String LLAMA3 = CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" + SPACES;
    private static final String QWEN2 = CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" + SPACES;
    private static final String UPPER_LOWER = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+";
    private static final String UPPER = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*";
    private static final String CJK = "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+";
    private static final String DEEPSEEK3_WORDS =
            "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" + SPACES;
    private static final String SENTENCE_MARKS = "[^(\\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+";
    /* Every cased letter of Unicode, as DeepSeek's file lists them. */
    private static final String CASED_LETTERS = "A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373\u0376\u0377"
            + "\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD"
            + "\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D"
            + "\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107"
            + "\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B"
            + "\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06\uFB13-\uFB17"
            + "\uFF21-\uFF3A\uFF41-\uFF5A\uD801\uDC00-\uD801\uDC4F\uD801\uDCB0-\uD801\uDCD3\uD801\uDCD8-\uD801\uDCFB\uD803\uDC80-\uD803\uDCB2\uD803\uDCC0-\uD803\uDCF2"
            + "\uD806\uDCA0-\uD806\uDCDF\uD83A\uDD00-\uD83A\uDD43";
    private static final String DEEPSEEK_ASIAN = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";

    private static final Map<String, PreTokenizer> TABLE = new LinkedHashMap<>();
    /* Other spellings of the same words in Hugging Face's files: one more source for the name, none for the steps. */
    private static final Map<List<ObjectNode>, String> SYNONYMS;
    private static final Set<String> EXPRESSIONS = new HashSet<>();

    static {
        add(List.of(byteLevel(true)), "gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "roberta-bpe", "jina-v1-en", "jina-v2-code", "jina-es",
                "jina-de", "jina-v2-es", "jina-v2-de", "gigachat", "a.x-4.0", "mellum", "modern-bert", "exaone4");
        add(List.of(split("[\\p{P}\\$\\+<=>\\^~\\|]+"), byteLevel(true), split("\\p{N}+"), split("[0-9][0-9][0-9]")), "default");
        add(List.of(split("[\\p{P}\\$\\+<=>\\^~\\|`]+"), byteLevel(true), split("[0-9][0-9][0-9]")), "falcon");
        add(List.of(digits(true), byteLevel(true)), "starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2");
        for (var name : List.of("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano")) {
            add(name, words(LLAMA3), true, true);
        }
        add(words(LLAMA3), "dbrx", "smaug-bpe", "chatglm-bpe", "glm4");
        add(words(LLAMA3.replace("\\s+(?!\\S)|\\s+", "\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)"
                + "|\\s{1,2}(?!\\S)|\\s{1}")), "jais-2");
        add("minicpm5", words("\\p{N}{1,3}", LLAMA3.replace("\\p{N}{1,3}", "\\p{N}+")), true, false);
        add(words(QWEN2), "qwen2", "stablelm2", "hunyuan", "solar-open", "megrez", "deepseek-r1-qwen", "kormo", "f2llmv2", "grok-2");
        add(words(QWEN2.replace("]?\\p{L}+", "]?[\\p{L}\\p{M}]+").replace("[^\\s\\p{L}\\p{N}]", "[^\\s\\p{L}\\p{M}\\p{N}]")), "qwen35");
        add(words(QWEN2.substring(CONTRACTIONS.length() + 1)), "ufakzeka");
        add(words("[^\\n]+|[\\n]+", QWEN2), "laguna");
        add(words(CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" + SPACES), "seed-coder");
        add(words("'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"),
                "bailingmoe", "bailingmoe2", "llada-moe");
        add("tekken", words(UPPER_LOWER + "|" + UPPER + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + SPACES), true, true);
        add(words(UPPER_LOWER + CONTRACTIONS + "?|" + UPPER + CONTRACTIONS + "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + SPACES),
                "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2");
        add("granite-embed-multi-97m", words(UPPER_LOWER + CONTRACTIONS + "?|" + UPPER + CONTRACTIONS + "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + SPACES), true, false);
        add(words("[\\p{Han}]+|" + withoutHan(UPPER_LOWER) + CONTRACTIONS + "?|" + withoutHan(UPPER) + CONTRACTIONS + "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" + SPACES), "kimi-k2");
        add(words(CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"), "exaone-moe");
        add("chameleon", List.of(split("<sentinel:[0-9]+>"), split("(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z"), split("([\\t\\n]|    |  )"), split("\\p{N}"),
                split("[\\p{P}!-/:-@\\[-`{-~]"), byteLevel(true)), false, true);
        add("youtu", words("[\uAC00-\uD7A3\u3131-\u318E]+|[\uFF01\u2026\u201C\u201D\u2018\u2019\u2014\uFF1A\uFF1B\uFF0C\u3001-\u303F\uFE30-\uFE4F]+|[\u3105-\u312F]+|" + CJK,
                UPPER_LOWER + CONTRACTIONS + "?|" + UPPER + CONTRACTIONS + "?|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + SPACES), true, false);
        add(words("[\\r\\n]", "\\s?[" + CASED_LETTERS + "]+", "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+", "\\s+$", DEEPSEEK_ASIAN, "\\p{N}+"), "deepseek-llm");
        add(words("[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", DEEPSEEK_ASIAN, "\\p{N}"), "deepseek-coder");
        add(words("\\p{N}{1,3}", CJK, DEEPSEEK3_WORDS), "deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4");
        add(words(" ?" + SENTENCE_MARKS), "bloom", "poro-chat", "gpt3-finnish");
        add(words(" ?" + SENTENCE_MARKS, "\\p{N}"), "viking");
        SYNONYMS = Map.of(
                List.of(punctuation("Contiguous"), byteLevel(true), digits(false), split("[0-9][0-9][0-9]")), "falcon",
                List.of(split("\\p{N}"), byteLevel(true)), "starcoder",
                words(" ?[^(\\s|[.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C])]+"), "bloom",
                List.of(split(" ?[^(\\s|[.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C])]+"), digits(true), byteLevel(false)), "viking",
                List.of(split("[\\r\\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"), split(DEEPSEEK_ASIAN), digits(true), byteLevel(false)), "deepseek-coder",
                List.of(split("[\\r\\n]"), split("\\s?[" + CASED_LETTERS + "]+"), split("\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+"), split("\\s+$"), split(DEEPSEEK_ASIAN),
                        digits(true), byteLevel(false)), "deepseek-llm");
        SYNONYMS.keySet().forEach(PreTokenizers::know);
        know(List.of(split("<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+")));          // CLIP
    }

    private PreTokenizers() {}

    private static String withoutHan(String expression) { return expression.replace("\\p{M}]", "\\p{M}&&[^\\p{Han}]]"); }

    private static List<ObjectNode> words(String... expressions) {
        var steps = new ArrayList<ObjectNode>();
        for (var expression : expressions) steps.add(split(expression));
        steps.add(byteLevel(false));
        return List.copyOf(steps);
    }

    private static void add(List<ObjectNode> steps, String... names) {
        for (var name : names) add(name, steps, false, false);
    }

    private static void add(String name, List<ObjectNode> steps, boolean ignoreMerges, boolean addsBos) {
        TABLE.put(name, new PreTokenizer(name, steps, ignoreMerges, addsBos));
        know(steps);
    }

    private static void know(List<ObjectNode> steps) {
        for (var step : steps) if (step.path("pattern").has("Regex")) EXPRESSIONS.add(step.path("pattern").get("Regex").stringValue());
    }

    /** By GGUF's name, or null. */
    static PreTokenizer named(String name) { return TABLE.get(name); }

    /** The first in the table with these steps, or null: what a file with them is called in GGUF. */
    static PreTokenizer of(List<ObjectNode> steps, boolean ignoreMerges) {
        var synonym = SYNONYMS.get(steps);
        if (synonym != null) return TABLE.get(synonym);
        for (var entry : TABLE.values()) if (entry.ignoreMerges() == ignoreMerges && entry.steps().equals(steps)) return entry;
        return null;
    }

    /** Whether the engine may be given this expression. */
    static boolean known(String expression) { return EXPRESSIONS.contains(expression); }

    static Set<String> names() { return Collections.unmodifiableSet(new TreeSet<>(TABLE.keySet())); }
}
