package inkstone.tokenizer;

import java.util.Random;

/** Random texts of many kinds of characters. */
public final class Texts {
    private static final String[] PARTS = {
        "the ", " quick", "Brown", "'s", "'LL", "1234567", "3.14", " ", "  ", "      ", "\n", "\n\n", "\r\n", "\t", " \n ", "\u00A0", "\u3000", "\u200B", "\u200D", "\uFEFF", "\u0000",
        "\u0001", "\u001B[31m", "\u007F", "\u0085", "\u2028", "e\u0301", "n\u0303\u0323", "Z\u0351\u036B\u0343", "\u00E9", "\u00DF", "\u0130", "\u4F60\u597D", "\u3053\u3093", "\uD55C\uAD6D",
        "\u0645\u0631\u062D\u0628\u0627", "\u0928\u092E\u0938\u094D\u0924\u0947", "\u0E2A\u0E27\u0E31", "\u1780\u17B6\u1793\u17CB", "\uD83D\uDE80", "\uD83D\uDC68\u200D\uD83D\uDC69\u200D\uD83D\uDC67", "\uD83C\uDDE9\uD83C\uDDEA",
        "\uD83E\uDD99", "\uD834\uDD1E", "\uFFFD", "\uFFFF", "\uE000", "<0x0A>", "<s>", "</s>", "<|endoftext|>", "##x", "[UNK]", "{\"a\": [1, 2]}", "!!!", "...", "::", "=>", "`code`", "\\n", "%s"};

    private Texts() {}

    public static String random(Random random) {
        var text = new StringBuilder();
        for (int parts = random.nextInt(40); parts > 0; parts--) {
            if (random.nextInt(4) > 0) {
                text.append(PARTS[random.nextInt(PARTS.length)]);
            } else {
                int code = random.nextInt(random.nextBoolean() ? 0x250 : 0x110000);
                if (code < 0xD800 || code > 0xDFFF) text.appendCodePoint(code);
            }
        }
        return text.toString();
    }
}
