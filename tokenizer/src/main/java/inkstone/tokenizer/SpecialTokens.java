package inkstone.tokenizer;

import java.util.Arrays;
import java.util.BitSet;

/**
 * Finds the tokens that are cut out of a text before the rest is encoded: the longest at the leftmost place. Control and unknown tokens count only where a trusted
 * span holds them whole. A trie over their characters; immutable once built, any thread.
 */
final class SpecialTokens {
    private static final class Node {
        int token = -1;
        char[] keys = {};
        Node[] children = {};

        Node child(char key) {
            int at = Arrays.binarySearch(keys, key);
            return at < 0 ? null : children[at];
        }

        Node addChild(char key) {
            int at = Arrays.binarySearch(keys, key);
            if (at >= 0) return children[at];
            at = -at - 1;
            keys = Arrays.copyOf(keys, keys.length + 1);
            children = Arrays.copyOf(children, keys.length);
            System.arraycopy(keys, at, keys, at + 1, keys.length - 1 - at);
            System.arraycopy(children, at, children, at + 1, keys.length - 1 - at);
            keys[at] = key;
            return children[at] = new Node();
        }
    }

    /** A token's place in a text. */
    record Match(int token, int start, int end) {}

    private final Node root = new Node();
    private final BitSet needsTrust = new BitSet();

    static SpecialTokens of(Definition definition) {
        var special = new SpecialTokens();
        var pieces = definition.pieces();
        for (int id = pieces.size() - 1; id >= 0; id--) {                           // downwards: of two with one spelling the first wins
            var kind = definition.kinds()[id];
            if (kind.needsTrust()) special.needsTrust.set(id);
            else if (kind != Kind.USER_DEFINED) continue;
            special.add(pieces.get(id), id);
        }
        return special;
    }

    private void add(String piece, int token) {
        if (piece.isEmpty()) return;
        var node = root;
        for (int i = 0; i < piece.length(); i++) node = node.addChild(piece.charAt(i));
        node.token = token;
    }

    /**
     * The next match at or after {@code from}, or null.
     *
     * @param trusted pairs of start and end of the trusted stretches, in order
     */
    Match next(String text, int from, int[] trusted) {
        int stretch = 0;
        for (int start = from; start < text.length(); start++) {
            var node = root.child(text.charAt(start));
            if (node == null) continue;
            while (stretch < trusted.length && trusted[stretch + 1] <= start) stretch += 2;
            int trustedEnd = stretch < trusted.length && trusted[stretch] <= start ? trusted[stretch + 1] : -1;
            int token = -1, tokenEnd = -1;
            for (int end = start + 1; node != null; end++) {
                if (node.token >= 0 && (end <= trustedEnd || !needsTrust.get(node.token))) {
                    token = node.token;
                    tokenEnd = end;
                }
                node = end < text.length() ? node.child(text.charAt(end)) : null;
            }
            if (token >= 0) return new Match(token, start, tokenEnd);
        }
        return null;
    }
}
