package inkstone.tokenizer;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/** Special tokens are found here, the text between them is encoded by the {@link Engine}, and tokens become text by table ({@link Pieces}). */
final class EngineTokenizer implements Tokenizer {
    private final Definition definition;
    private final Map<String, Integer> ids;
    private final Pieces pieces;
    private final SpecialTokens special;
    private final Engine engine;
    private final boolean spaceBeforeFirst, spaceBeforeEach;

    EngineTokenizer(Definition definition) {
        this.definition = definition;
        ids = definition.ids();
        spaceBeforeFirst = definition.spaceBeforeFirst();
        spaceBeforeEach = definition.spelling() == Definition.Spelling.SENTENCE_PREFIXED && !spaceBeforeFirst;
        pieces = Pieces.of(definition);
        special = SpecialTokens.of(definition);
        engine = new Engine(definition.source(), TokenizerJson.forEngine(definition), definition.spelling() == Definition.Spelling.BYTE_LEVEL);
    }

    /** What stands before the text. */
    private enum Before { NOTHING, SPECIAL_TOKEN, TEXT }

    @Override public int[] encode(MarkedText marked) { return encode(marked, Before.NOTHING); }

    @Override public int[] encodeAfter(int token, MarkedText marked) {
        return encode(marked, definition.kinds()[token].needsTrust() || definition.kinds()[token] == Kind.USER_DEFINED ? Before.SPECIAL_TOKEN : Before.TEXT);
    }

    private int[] encode(MarkedText marked, Before before) {
        var text = wellFormed(marked.text());
        var trusted = trustedStretches(marked);
        var out = IntStream.builder();
        int from = 0;
        for (var match = special.next(text, 0, trusted); match != null; match = special.next(text, from, trusted)) {
            int end = match.start();
            if (definition.lstrip().get(match.token())) while (end > from && Character.isWhitespace(text.charAt(end - 1))) end--;
            encodeFragment(text, from, end, before, out);
            out.add(match.token());
            from = match.end();
            if (definition.rstrip().get(match.token())) while (from < text.length() && Character.isWhitespace(text.charAt(from))) from++;
        }
        encodeFragment(text, from, text.length(), before, out);
        return out.build().toArray();
    }

    private void encodeFragment(String text, int from, int to, Before before, IntStream.Builder out) {
        if (from == to) return;
        var fragment = text.substring(from, to);
        if (from == 0 && before == Before.TEXT && spaceBeforeEach) {
            encodeWithoutSpace(fragment, out);
            return;
        }
        if (from == 0 && before == Before.NOTHING && spaceBeforeFirst && fragment.charAt(0) != ' ' && fragment.charAt(0) != '\u2581') fragment = " " + fragment;
        engine.encode(fragment, out::add);
    }

    /** The engine puts its space before a line feed then, which joins with no letter. */
    private void encodeWithoutSpace(String fragment, IntStream.Builder out) {
        var tokens = IntStream.builder();
        engine.encode("\n" + fragment, tokens::add);
        var line = IntStream.builder();
        engine.encode("\n", line::add);
        int[] all = tokens.build().toArray(), first = line.build().toArray();
        if (first.length <= all.length && Arrays.equals(first, 0, first.length, all, 0, first.length)) Arrays.stream(all, first.length, all.length).forEach(out::add);
        else engine.encode(fragment, out::add);
    }

    private static int[] trustedStretches(MarkedText marked) {
        var bounds = IntStream.builder();
        int start = 0;
        for (var span : marked.joined().spans()) {
            int end = start + span.text().length();
            if (span.trusted()) bounds.add(start).add(end);
            start = end;
        }
        return bounds.build().toArray();
    }

    /* Half a surrogate pair has no UTF-8, and the native library would take the whole text for broken. */
    private static String wellFormed(String text) {
        StringBuilder repaired = null;
        for (int i = 0; i < text.length(); i++) {
            if (!Character.isSurrogate(text.charAt(i))) continue;
            if (Character.charCount(text.codePointAt(i)) == 2) {
                i++;
            } else {
                if (repaired == null) repaired = new StringBuilder(text);
                repaired.setCharAt(i, '\uFFFD');
            }
        }
        return repaired == null ? text : repaired.toString();
    }

    @Override public int[] encodePrompt(MarkedText text) {
        var marks = definition.marks();
        var ids = encode(text);
        var begin = marks.addBegin() && (ids.length == 0 || ids[0] != marks.bos()) ? IntStream.of(marks.bos()) : IntStream.empty();
        var end = marks.addEnd() && (ids.length == 0 || ids[ids.length - 1] != marks.end()) ? IntStream.of(marks.end()) : IntStream.empty();
        return IntStream.concat(IntStream.concat(begin, IntStream.of(ids)), end).toArray();
    }

    @Override public String decode(int... tokens) { return pieces.text(tokens); }
    @Override public StreamDecoder streamDecoder() { return new PieceStream(pieces); }
    @Override public byte[] bytes(int token) { return pieces.bytes(token).clone(); }
    @Override public int vocabularySize() { return pieces.size(); }
    @Override public int id(String piece) { return ids.getOrDefault(piece, -1); }
    @Override public int bos() { return definition.marks().bos(); }
    @Override public int eos() { return definition.marks().eos(); }
    @Override public Set<Integer> endOfGeneration() { return definition.marks().endOfGeneration(); }
    @Override public boolean addsBos() { return definition.marks().addBegin(); }
    @Override public boolean addsEos() { return definition.marks().addEnd(); }
    @Override public void close() { engine.close(); }

    @Override public byte[] fingerprint() {
        try {
            return MessageDigest.getInstance("SHA-256").digest(TokenizerJson.whole(definition).getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override public String piece(int token) {
        pieces.bytes(token);
        return definition.pieces().get(token);
    }

    @Override public boolean isControl(int token) {
        pieces.bytes(token);
        return definition.kinds()[token] == Kind.CONTROL;
    }
}
