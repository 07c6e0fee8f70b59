package inkstone.server;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Tensor;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.tensor.checkpoint.Metadata;
import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.StreamDecoder;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.template.ChatTemplate;
import inkstone.transformer.AdapterBase;
import inkstone.transformer.CausalModel;
import inkstone.transformer.Context;
import inkstone.transformer.Embedder;
import inkstone.transformer.EmbeddingModel;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.ModelConfig;
import inkstone.transformer.Packed;
import inkstone.transformer.Pooling;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;

/** A model without weights whose tokens are the letters of a text: for all that the server does around a model. */
final class FakeModel {
    static final String NAME = "fake-1";
    static final int CONTEXT = 2_000, VOCABULARY = 1 << 16;

    private FakeModel() {}

    /** "role: content" in lines; refuses messages of the role "tool". */
    static final ChatTemplate TEMPLATE = (messages, tools, addGenerationPrompt) -> {
        var text = new StringBuilder(tools.isEmpty() ? "" : "tools: " + tools.size() + "\n");
        for (var message : messages) {
            if (message.get("role").equals("tool")) throw new IllegalArgumentException("no tools, please");
            text.append(message.get("role")).append(": ").append(message.get("content")).append('\n');
        }
        return MarkedText.untrusted(text.toString());
    };

    static LanguageModel create() {
        return new LanguageModel(NAME, new Weightless(), new Letters(), TEMPLATE, true, new ReferenceBackend(), "F32", 12, 48, Pooling.MEAN, new AdapterBase(new Metadata(NAME, Map.of()), Map.of(), null, false, adaptation -> new Weightless()), () -> { });
    }

    /** The same as one that makes vectors only. */
    static Embedder embedder() {
        var encoder = new EmbeddingModel() {
            @Override public Tensor forward(Tensor tokens, Packed context) { throw new AssertionError("the fake scheduler computes nothing"); }
            @Override public ModelConfig config() { return new Weightless(); }
        };
        return new Embedder(NAME, encoder, new Letters(), Pooling.CLS, new ReferenceBackend(), "F32", 12, 48, () -> { });
    }

    private record Weightless() implements CausalModel, ModelConfig {
        @Override public Tensor forward(Tensor tokens, Context context) { throw new AssertionError("the fake scheduler computes nothing"); }
        @Override public Tensor logits(Tensor hidden) { throw new AssertionError("the fake scheduler computes nothing"); }
        @Override public ModelConfig config() { return this; }
        @Override public String architecture() { return "fake"; }
        @Override public int vocabularySize() { return VOCABULARY; }
        @Override public int dim() { return 3; }
        @Override public int layers() { return 1; }
        @Override public int contextLength() { return CONTEXT; }
        @Override public AttentionShape attention() { return new AttentionShape(1, 1, 1, 1); }
    }

    private record Letters() implements Tokenizer {
        @Override public int[] encode(MarkedText text) { return text.text().chars().toArray(); }
        @Override public int[] encodePrompt(MarkedText text) { return encode(text); }
        @Override public String decode(int... tokens) { return new String(tokens, 0, tokens.length); }
        @Override public StreamDecoder streamDecoder() { throw new AssertionError("the fake scheduler has texts"); }
        @Override public int vocabularySize() { return VOCABULARY; }
        @Override public byte[] bytes(int token) { return isControl(token) ? new byte[0] : piece(token).getBytes(StandardCharsets.UTF_8); }
        @Override public String piece(int token) { return Character.toString(token); }
        @Override public int id(String piece) { return piece.charAt(0); }
        @Override public boolean isControl(int token) { return token < 32; }
        @Override public int bos() { return -1; }
        @Override public int eos() { return 0; }
        @Override public Set<Integer> endOfGeneration() { return Set.of(0); }
        @Override public boolean addsBos() { return false; }
        @Override public boolean addsEos() { return false; }
        @Override public void close() { }
    }
}
