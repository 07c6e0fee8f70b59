package inkstone.tokenizer;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;

/** Joins the bytes of tokens and lets whole code points out. A generated text continues a prompt, so a space before its first word is kept. */
final class PieceStream implements StreamDecoder {
    private final Pieces pieces;
    private final CharsetDecoder decoder = UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPLACE).onUnmappableCharacter(CodingErrorAction.REPLACE);
    private ByteBuffer held = ByteBuffer.allocate(0);

    PieceStream(Pieces pieces) { this.pieces = pieces; }

    @Override public String next(int token) {
        var bytes = pieces.bytes(token);
        return bytes.length == 0 ? "" : decode(bytes, false);
    }

    @Override public String flush() {
        var rest = decode(new byte[0], true);
        decoder.reset();
        return rest;
    }

    private String decode(byte[] bytes, boolean last) {
        var in = ByteBuffer.allocate(held.remaining() + bytes.length).put(held).put(bytes).flip();
        var out = CharBuffer.allocate(in.remaining());                              // UTF-8 never has fewer bytes than UTF-16 has chars
        decoder.decode(in, out, last);
        if (last) decoder.flush(out);
        held = in;
        return out.flip().toString();
    }
}
