package inkstone.tokenizer;

import static java.nio.charset.StandardCharsets.UTF_8;

import inkstone.tokenizer.Definition.Spelling;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;

/** The bytes that each token prints. Immutable; any thread. */
final class Pieces {
    private static final byte[] NOTHING = {};
    /* GPT-2's table: printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards, so that no piece holds white space or control characters. */
    private static final short[] BYTE_OF_CHAR = new short[324];
    private static final char[] CHAR_OF_BYTE = new char[256];

    static {
        Arrays.fill(BYTE_OF_CHAR, (short) -1);
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean itself = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            CHAR_OF_BYTE[b] = (char) (itself ? b : next++);
            BYTE_OF_CHAR[CHAR_OF_BYTE[b]] = (short) b;
        }
    }

    private final byte[][] bytes;
    private final boolean leadingSpaceIsOurs;
    private final boolean trailingSpaceIsOurs;

    private Pieces(byte[][] bytes, boolean leadingSpaceIsOurs, boolean trailingSpaceIsOurs) {
        this.bytes = bytes;
        this.leadingSpaceIsOurs = leadingSpaceIsOurs;
        this.trailingSpaceIsOurs = trailingSpaceIsOurs;
    }

    static Pieces of(Definition definition) {
        var endOfWord = definition.model() instanceof Definition.Model.Bpe bpe ? bpe.endOfWord() : "";
        var bytes = new byte[definition.pieces().size()][];
        for (int id = 0; id < bytes.length; id++) bytes[id] = print(definition.pieces().get(id), definition.kinds()[id], definition.spelling(), endOfWord);
        return new Pieces(bytes, definition.spelling() == Spelling.SENTENCE_PREFIXED || definition.spelling() == Spelling.WORDPIECE, !endOfWord.isEmpty());
    }

    int size() { return bytes.length; }

    byte[] bytes(int token) {
        if (token < 0 || token >= bytes.length) throw new IllegalArgumentException("token %d is outside the vocabulary of %d".formatted(token, bytes.length));
        return bytes[token];
    }

    /** All bytes in a row as text, without the space that the tokenizer itself put before the first word. */
    String text(int... tokens) {
        var out = new ByteArrayOutputStream(4 * tokens.length + 16);
        for (int token : tokens) out.writeBytes(bytes(token));
        var all = out.toByteArray();
        int from = leadingSpaceIsOurs && all.length > 0 && all[0] == ' ' ? 1 : 0;
        int to = trailingSpaceIsOurs && all.length > from && all[all.length - 1] == ' ' ? all.length - 1 : all.length;
        return new String(all, from, to - from, UTF_8);
    }

    private static byte[] print(String piece, Kind kind, Spelling spelling, String endOfWord) {
        return switch (kind) {
            case CONTROL, UNKNOWN, UNUSED -> NOTHING;
            case BYTE -> new byte[] {(byte) byteOf(piece)};
            case USER_DEFINED -> (spelling == Spelling.BYTE_LEVEL ? piece : piece.replace('\u2581', ' ')).getBytes(UTF_8);
            case NORMAL -> switch (spelling) {
                case BYTE_LEVEL -> endOfWord.isEmpty() || !piece.endsWith(endOfWord) ? byteLevel(piece)
                        : byteLevel(piece.substring(0, piece.length() - endOfWord.length()) + "\u0120");
                case SENTENCE_PREFIXED, SENTENCE -> (endOfWord.isEmpty() || !piece.endsWith(endOfWord) ? piece
                        : piece.substring(0, piece.length() - endOfWord.length()) + " ").replace('\u2581', ' ').getBytes(UTF_8);
                case WORDPIECE -> (piece.startsWith("##") ? piece.substring(2) : " " + piece).getBytes(UTF_8);
            };
        };
    }

    /** The byte of {@code <0xE2>}, or -1. */
    static int byteOf(String piece) {
        if (piece.length() != 6 || !piece.startsWith("<0x") || piece.charAt(5) != '>') return -1;
        int high = Character.digit(piece.charAt(3), 16), low = Character.digit(piece.charAt(4), 16);
        return high < 0 || low < 0 ? -1 : high << 4 | low;
    }

    /** These bytes as a byte-level vocabulary spells them. */
    static String byteLevelSpelling(byte[] bytes) {
        var piece = new char[bytes.length];
        for (int i = 0; i < piece.length; i++) piece[i] = CHAR_OF_BYTE[bytes[i] & 0xFF];
        return new String(piece);
    }

    private static byte[] byteLevel(String piece) {
        var bytes = new byte[piece.length()];
        for (int i = 0; i < bytes.length; i++) {
            char c = piece.charAt(i);
            if (c >= BYTE_OF_CHAR.length || BYTE_OF_CHAR[c] < 0) return piece.getBytes(UTF_8);      // not in the table: the piece is plain text
            bytes[i] = (byte) BYTE_OF_CHAR[c];
        }
        return bytes;
    }
}
