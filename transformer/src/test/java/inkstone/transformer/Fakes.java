package inkstone.transformer;

import inkstone.tensor.AttentionShape;
import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.Tensor;
import inkstone.tensor.reference.ReferenceBackend;
import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.StreamDecoder;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.template.ChatTemplate;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.IntConsumer;

/** A model that recites: after token t comes t + 1. Token 0 begins, the tokens after it are the pieces given, the last token ends the text. */
final class Fakes implements AutoCloseable {
    final Backend backend = new ReferenceBackend();
    final LanguageModel model;
    /** Rows of each step so far. */
    final List<Integer> steps = Collections.synchronizedList(new ArrayList<>());
    /** Called with the number of each step, before it. */
    volatile IntConsumer beforeStep = step -> { };

    private Fakes(int contextLength, byte[][] pieces) { this(pieces, fakes -> fakes.new Recital(pieces.length + 2, contextLength)); }

    private Fakes(byte[][] pieces, Function<Fakes, CausalModel> causal) {
        model = new LanguageModel("fake", causal.apply(this), new Pieces(pieces), ChatTemplate.PLAIN, false, backend, "F32", 0, 0, Pooling.MEAN, AdapterBase.none("fake"), () -> { });
    }

    static Fakes reciting(String... pieces) { return reciting(4096, pieces); }

    static Fakes reciting(int contextLength, String... pieces) {
        var bytes = new byte[pieces.length][];
        for (int i = 0; i < pieces.length; i++) bytes[i] = pieces[i].getBytes(StandardCharsets.UTF_8);
        return new Fakes(contextLength, bytes);
    }

    static Fakes recitingBytes(byte[]... pieces) { return new Fakes(4096, pieces); }

    /** Recites a to z, again and again, without end. */
    static Fakes endless(int contextLength) {
        var fakes = reciting(contextLength, "abcdefghijklmnopqrstuvwxyz".split(""));
        ((Recital) fakes.model.model()).wrap();
        return fakes;
    }

    /** Writes a to z; every token depends on all before it, through the cache alone: see {@link Rememberer}. */
    static Fakes remembering(int contextLength) { return remembering(contextLength, Integer.MAX_VALUE); }

    /** Writes another letter than {@link #remembering} once in so many. */
    static Fakes misremembering(int contextLength, int errsEvery) { return remembering(contextLength, errsEvery); }

    private static Fakes remembering(int contextLength, int errsEvery) {
        var letters = "abcdefghijklmnopqrstuvwxyz".split("");
        var pieces = new byte[letters.length][];
        for (int i = 0; i < letters.length; i++) pieces[i] = letters[i].getBytes(StandardCharsets.UTF_8);
        return new Fakes(pieces, fakes -> fakes.new Rememberer(contextLength, errsEvery));
    }

    /** What {@link #remembering} writes after a prompt. */
    static int[] remembered(int[] prompt, int count) { return remembered(prompt, count, 26); }

    /** What it writes where only letters up to the {@code last} are allowed: of those that are left all are equally likely, so the first. */
    static int[] remembered(int[] prompt, int count, int last) {
        int digest = Rememberer.NOTHING;
        for (int token : prompt) digest = Rememberer.digest(digest, token);
        var answer = new int[count];
        for (int i = 0; i < count; i++) {
            answer[i] = Rememberer.next(digest) <= last ? Rememberer.next(digest) : 1;
            digest = Rememberer.digest(digest, answer[i]);
        }
        return answer;
    }

    /** The logits after {@code token} become these for the tokens from 0 on. */
    Fakes logitsAfter(int token, float... logits) {
        ((Recital) model.model()).set(token, logits);
        return this;
    }

    Session session(int contextLength) { return Session.open(model, contextLength, DType.F32); }

    static GenerationRequest greedy(int maxTokens, String... stop) { return greedy(new int[] {0}, maxTokens, stop); }

    static GenerationRequest greedy(int[] prompt, int maxTokens, String... stop) {
        return new GenerationRequest(prompt, SamplerSettings.GREEDY, maxTokens, List.of(stop));
    }

    @Override public void close() {
        model.close();
        backend.close();
    }

    private final class Recital implements CausalModel {
        private final int vocabulary, contextLength;
        private final Tensor next;

        Recital(int vocabulary, int contextLength) {
            this.vocabulary = vocabulary;
            this.contextLength = contextLength;
            this.next = Tensor.of(DType.F32, Arena.ofAuto().allocate(4L * vocabulary * vocabulary, 64), vocabulary, vocabulary);
            for (int token = 0; token < vocabulary; token++) follow(token, Math.min(token + 1, vocabulary - 1), 10);
        }

        private void follow(int token, int following, float logit) { next.data().setAtIndex(ValueLayout.JAVA_FLOAT, (long) token * vocabulary + following, logit); }

        void set(int token, float... logits) { for (int i = 0; i < logits.length; i++) follow(token, i, logits[i]); }

        void wrap() {
            follow(vocabulary - 2, vocabulary - 1, 0);
            follow(vocabulary - 2, 1, 10);
        }

        @Override public Tensor forward(Tensor tokens, Context context) {
            int step = steps.size();
            steps.add(tokens.shape().dim(0));
            beforeStep.accept(step);
            return tokens.embedding(next);
        }

        @Override public Tensor logits(Tensor hidden) { return hidden; }

        @Override public ModelConfig config() { return new Config(vocabulary, contextLength); }
    }

    /**
     * The key of a position is a digest of all tokens up to it, made from the key before it as the page table finds it, and the value is the position: whoever reads a
     * page that holds something else goes wrong from there on.
     */
    final class Rememberer implements CausalModel {
        static final int NOTHING = 1, VOCABULARY = 28;

        private final int contextLength, errsEvery;

        Rememberer(int contextLength, int errsEvery) {
            this.contextLength = contextLength;
            this.errsEvery = errsEvery;
        }

        /** 24 bits, which a float keeps. */
        static int digest(int before, int token) { return (before * 31 + token + 7) * 0x9E3779B1 >>> 8; }

        static int next(int digest) { return 1 + digest % 26; }

        @Override public Tensor forward(Tensor tokens, Context context) {
            int n = tokens.shape().dim(0), step = steps.size();
            steps.add(n);
            beforeStep.accept(step);
            if (context instanceof Packed texts) return textsToEmbed(tokens, texts.positions(), n);
            var cached = (Cached) context;
            var keys = cached.cache().keys(0).data();
            var values = cached.cache().values(0).data();
            var logits = new float[n * VOCABULARY];
            for (int row = 0; row < n; row++) {
                int position = at(cached.positions(), row), line = at(cached.sequences(), row);
                int digest = NOTHING;
                if (position > 0) {
                    long before = slot(cached, line, position - 1);
                    digest = (int) keys.getAtIndex(ValueLayout.JAVA_FLOAT, before);
                    if (values.getAtIndex(ValueLayout.JAVA_FLOAT, before) != position - 1) throw new AssertionError("another position where %d should be".formatted(position - 1));
                }
                digest = digest(digest, at(tokens, row));
                if (slot(cached, line, position) != at(cached.slots(), row)) throw new AssertionError("written elsewhere than read");
                keys.setAtIndex(ValueLayout.JAVA_FLOAT, at(cached.slots(), row), digest);
                values.setAtIndex(ValueLayout.JAVA_FLOAT, at(cached.slots(), row), position);
                logits[row * VOCABULARY + next(digest + (digest % errsEvery == errsEvery - 1 ? 1 : 0))] = 10;
            }
            return tokens.scope().floats(logits, n, VOCABULARY);
        }

        /** Texts side by side, without a cache. */
        private static Tensor textsToEmbed(Tensor tokens, Tensor positions, int n) {
            var hidden = new float[n * VOCABULARY];
            for (int row = 0, digest = NOTHING; row < n; row++) {
                digest = digest(at(positions, row) == 0 ? NOTHING : digest, at(tokens, row));
                hidden[row * VOCABULARY + next(digest)] = 1;
            }
            return tokens.scope().floats(hidden, n, VOCABULARY);
        }

        private static int at(Tensor ints, long index) { return ints.data().getAtIndex(ValueLayout.JAVA_INT, index); }

        private static int slot(Cached cached, int line, int position) {
            int page = at(cached.pageTable(), (long) line * cached.pageTable().shape().last() + position / KvCache.PAGE_SIZE);
            return page * KvCache.PAGE_SIZE + position % KvCache.PAGE_SIZE;
        }

        @Override public Tensor logits(Tensor hidden) { return hidden; }

        @Override public ModelConfig config() { return new Config(VOCABULARY, contextLength); }
    }

    private record Config(int vocabularySize, int contextLength) implements ModelConfig {
        @Override public String architecture() { return "fake"; }
        @Override public int dim() { return vocabularySize; }
        @Override public int layers() { return 1; }
        @Override public AttentionShape attention() { return new AttentionShape(1, 1, 1, 1); }
    }

    private record Pieces(byte[][] pieces) implements Tokenizer {
        @Override public StreamDecoder streamDecoder() {
            return new StreamDecoder() {
                private final ByteArrayOutputStream held = new ByteArrayOutputStream();

                @Override public String next(int token) {
                    if (!isControl(token)) held.writeBytes(pieces[token - 1]);
                    var text = held.toString(StandardCharsets.UTF_8);
                    return text.endsWith("\uFFFD") ? "" : flush();
                }

                @Override public String flush() {
                    var text = held.toString(StandardCharsets.UTF_8);
                    held.reset();
                    return text;
                }
            };
        }

        @Override public byte[] bytes(int token) { return isControl(token) ? new byte[0] : pieces[token - 1].clone(); }
        @Override public boolean isControl(int token) { return token == bos() || token == eos(); }
        @Override public int vocabularySize() { return pieces.length + 2; }
        @Override public int bos() { return 0; }
        @Override public int eos() { return pieces.length + 1; }
        @Override public Set<Integer> endOfGeneration() { return Set.of(eos()); }
        @Override public boolean addsBos() { return true; }
        @Override public boolean addsEos() { return false; }
        @Override public void close() { }
        @Override public int[] encode(MarkedText text) { throw new UnsupportedOperationException("a fake tokenizer only decodes"); }
        @Override public int[] encodePrompt(MarkedText text) { throw new UnsupportedOperationException("a fake tokenizer only decodes"); }
        @Override public String decode(int... tokens) { throw new UnsupportedOperationException("a fake tokenizer decodes streams"); }
        @Override public String piece(int token) { return new String(bytes(token), StandardCharsets.UTF_8); }
        @Override public int id(String piece) { throw new UnsupportedOperationException("a fake tokenizer only decodes"); }
    }
}
