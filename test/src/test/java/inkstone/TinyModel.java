package inkstone;

import inkstone.tensor.DType;
import inkstone.tensor.Shape;
import inkstone.tensor.checkpoint.GgufWriter;
import inkstone.tensor.checkpoint.TensorData;
import inkstone.tensor.checkpoint.TensorInfo;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * A whole Llama model small enough to be written in a test: 285 tokens, two and a half megabytes. It has so many layers that an answer can be stopped
 * before it ends, whatever the machine. Its weights are random but for the output head, which knows after each
 * token of {@link #TEXT} the next one and after anything else the first: asked whatever, it writes that text over and over, until its tokens or its context run out.
 */
public final class TinyModel {
    /** What clients call it. */
    public static final String NAME = "tiny";
    public static final int CONTEXT = 8_192;

    /** One token each, no two alike. Together a page of Markdown with most of what Markdown has. */
    private static final List<String> WORDS = List.of(
        "Ink", " is", " **soot**", " and", " *glue*", ",", " ground", " with", " water", " on", " a", " stone", ".\n\n",
        "- first", " the", " well\n", "- then", " `brush`\n\n",
        "```java\n", "int", " strokes", " =", " 8", ";", " // 永\n", "```\n\n");

    /** What the model writes, once. */
    public static final String TEXT = String.join("", WORDS);

    private static final String TEMPLATE = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
    private static final int BYTES = 256, FIRST_WORD = BYTES, END = FIRST_WORD + WORDS.size(), TURN = END + 1, TURN_END = END + 2, VOCABULARY = END + 3;
    private static final int DIM = 64, HIDDEN = 128, LAYERS = 16, HEADS = 4, KV_HEADS = 2, HEAD_DIM = 16;
    /** A right answer's lead over a wrong one's logit: twenty and more at any temperature of use. */
    private static final float CERTAINTY = 0.5f;

    private final Random random = new Random(1);
    private final GgufWriter file = new GgufWriter();

    private TinyModel() {}

    /** Writes the model into the folder and returns its file. */
    public static Path write(Path folder) throws IOException {
        var file = folder.resolve(NAME + ".gguf");
        var model = new TinyModel();
        model.describe();
        model.addWeights();
        model.file.write(file);
        return file;
    }

    private void describe() {
        file.string("general.architecture", "llama").string("general.name", NAME)
            .u32("llama.context_length", CONTEXT).u32("llama.embedding_length", DIM).u32("llama.block_count", LAYERS).u32("llama.feed_forward_length", HIDDEN)
            .u32("llama.attention.head_count", HEADS).u32("llama.attention.head_count_kv", KV_HEADS).f32("llama.attention.layer_norm_rms_epsilon", 1e-5f)
            .u32("llama.rope.dimension_count", HEAD_DIM).f32("llama.rope.freq_base", 10_000).u32("llama.vocab_size", VOCABULARY);
        var tokens = new ArrayList<String>();
        for (int value = 0; value < BYTES; value++) tokens.add(letters(new byte[] {(byte) value}));
        for (var word : WORDS) tokens.add(letters(word.getBytes(StandardCharsets.UTF_8)));
        tokens.addAll(List.of("<|endoftext|>", "<|im_start|>", "<|im_end|>"));
        var types = new int[VOCABULARY];
        for (int token = 0; token < VOCABULARY; token++) types[token] = token < END ? 1 : 3;      // normal, control
        file.string("tokenizer.ggml.model", "gpt2").string("tokenizer.ggml.pre", "gpt-2").strings("tokenizer.ggml.tokens", tokens).i32s("tokenizer.ggml.token_type", types)
            .strings("tokenizer.ggml.merges", List.of("Ġ a")).u32("tokenizer.ggml.bos_token_id", END).u32("tokenizer.ggml.eos_token_id", TURN_END)
            .bool("tokenizer.ggml.add_bos_token", false).string("tokenizer.chat_template", TEMPLATE);
    }

    /** Bytes as byte-level vocabularies spell them (Radford et al. 2019): printable ones as themselves, the others as the letters from U+0100 on. */
    private static String letters(byte[] bytes) {
        var text = new StringBuilder();
        for (byte each : bytes) {
            int value = each & 0xff, others = 0;
            for (int smaller = 0; smaller < value; smaller++) if (!printable(smaller)) others++;
            text.append((char) (printable(value) ? value : 0x100 + others));
        }
        return text.toString();
    }

    private static boolean printable(int value) { return value > ' ' && value < 0x7f || value > 0xa0 && value != 0xad; }

    private void addWeights() {
        float[] embedding = normal(VOCABULARY * DIM, 1), head = new float[VOCABULARY * DIM];
        for (int token = 0; token < VOCABULARY; token++) {
            boolean word = token >= FIRST_WORD && token < END;
            int twin = FIRST_WORD + WORDS.size() - 1;                                              // after all else as after the last word
            if (!word) for (int i = 0; i < DIM; i++) embedding[token * DIM + i] = embedding[twin * DIM + i] + 0.1f * embedding[token * DIM + i];
        }
        for (int word = 0; word < WORDS.size(); word++) {
            int next = FIRST_WORD + (word + 1) % WORDS.size();
            for (int i = 0; i < DIM; i++) head[next * DIM + i] = CERTAINTY * embedding[(FIRST_WORD + word) * DIM + i];
        }
        add("token_embd.weight", embedding, VOCABULARY, DIM);
        for (int layer = 0; layer < LAYERS; layer++) {
            var block = "blk." + layer + ".";
            add(block + "attn_norm.weight", ones(), DIM);
            add(block + "attn_q.weight", HEADS * HEAD_DIM, DIM);
            add(block + "attn_k.weight", KV_HEADS * HEAD_DIM, DIM);
            add(block + "attn_v.weight", KV_HEADS * HEAD_DIM, DIM);
            add(block + "attn_output.weight", DIM, HEADS * HEAD_DIM);
            add(block + "ffn_norm.weight", ones(), DIM);
            add(block + "ffn_gate.weight", HIDDEN, DIM);
            add(block + "ffn_up.weight", HIDDEN, DIM);
            add(block + "ffn_down.weight", DIM, HIDDEN);
        }
        add("output_norm.weight", ones(), DIM);
        add("output.weight", head, VOCABULARY, DIM);
    }

    /** Random weights so small that what the layers add does not hide the token. */
    private void add(String name, int rows, int columns) { add(name, normal(rows * columns, 0.02f), rows, columns); }

    private void add(String name, float[] values, int... dims) {
        var bytes = MemorySegment.ofArray(values);                                                 // this JVM's order of bytes, little-endian on all it runs on
        file.tensor(new TensorInfo(name, DType.F32, new Shape(dims)), TensorData.of(bytes));
    }

    private float[] normal(int count, float deviation) {
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = deviation * (float) random.nextGaussian();
        return values;
    }

    private static float[] ones() {
        var values = new float[DIM];
        Arrays.fill(values, 1);
        return values;
    }
}
