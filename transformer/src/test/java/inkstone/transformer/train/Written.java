package inkstone.transformer.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;

/** Token files of tokens that a test states. */
final class Written {
    static final byte[] TOKENIZER = filled(7), INPUTS = filled(9);

    private Written() {}

    private static byte[] filled(int value) {
        var bytes = new byte[32];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    static TokenFile of(Path folder, int vocabulary, int[]... documents) throws IOException { return of(folder, "tokens.bin", vocabulary, documents); }

    static TokenFile of(Path folder, String name, int vocabulary, int[]... documents) throws IOException {
        var path = folder.resolve(name);
        try (var writer = new TokenFileWriter(path, vocabulary, TOKENIZER, INPUTS, 0)) {
            for (var document : documents) {
                writer.write(document);
                writer.endDocument();
            }
            writer.commit();
        }
        return TokenFile.open(path);
    }

    static int[] tokens(TokenFile file, int document) { return IntStream.range((int) file.start(document), (int) file.end(document)).map(file::token).toArray(); }

    /** Documents of these lengths, each token another: document 0 is 0, 1, 2, ..., and so on. */
    static int[][] counting(int... lengths) {
        var documents = new int[lengths.length][];
        for (int i = 0, next = 0; i < lengths.length; next += lengths[i++]) documents[i] = IntStream.range(next, next + lengths[i]).toArray();
        return documents;
    }
}
