package inkstone.server.cli;

import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.StreamDecoder;
import inkstone.tokenizer.Tokenizer;
import inkstone.transformer.LanguageModel;
import java.util.Set;

/** A tokenizer in whose language no token ends a text, so that a measured model writes as many as it was told to. Closing it leaves the one behind it open. */
record EndlessTokenizer(Tokenizer tokenizer) implements Tokenizer {
    static LanguageModel in(LanguageModel model) {
        return new LanguageModel(model.name(), model.model(), new EndlessTokenizer(model.tokenizer()), model.template(), model.hasChatTemplate(), model.backend(),
            model.format(), model.parameters(), model.bytes(), model.pooling(), model.adapterBase(), () -> { });
    }

    @Override public Set<Integer> endOfGeneration() { return Set.of(); }
    @Override public void close() { }

    @Override public int[] encode(MarkedText text) { return tokenizer.encode(text); }
    @Override public int[] encodeAfter(int token, MarkedText text) { return tokenizer.encodeAfter(token, text); }
    @Override public int[] encodePrompt(MarkedText text) { return tokenizer.encodePrompt(text); }
    @Override public String decode(int... tokens) { return tokenizer.decode(tokens); }
    @Override public StreamDecoder streamDecoder() { return tokenizer.streamDecoder(); }
    @Override public int vocabularySize() { return tokenizer.vocabularySize(); }
    @Override public byte[] bytes(int token) { return tokenizer.bytes(token); }
    @Override public String piece(int token) { return tokenizer.piece(token); }
    @Override public int id(String piece) { return tokenizer.id(piece); }
    @Override public boolean isControl(int token) { return tokenizer.isControl(token); }
    @Override public int bos() { return tokenizer.bos(); }
    @Override public int eos() { return tokenizer.eos(); }
    @Override public boolean addsBos() { return tokenizer.addsBos(); }
    @Override public boolean addsEos() { return tokenizer.addsEos(); }
}
