package inkstone.transformer.train;

import inkstone.tensor.ModelException;
import inkstone.tokenizer.MarkedText;
import inkstone.tokenizer.Tokenizer;
import inkstone.tokenizer.template.ChatTemplate;
import inkstone.tokenizer.train.Chunk;
import inkstone.tokenizer.train.Corpus;
import inkstone.tokenizer.train.Document;
import inkstone.tokenizer.train.InOrder;
import inkstone.tokenizer.train.Problems;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;

/**
 * Makes a {@link TokenFile} of texts. A text becomes the beginning token where the model wants one, its tokens, and the end token where the vocabulary has one; special tokens that it spells are text. A chat
 * becomes what the model's template makes of it. Encoding runs on several threads, the file is the same for any number of them, and memory holds a few megabytes of text a
 * thread, whatever the size of the texts.
 */
public final class TokenPreparation {
    /** Told on the calling thread, in bytes of {@link Corpus#bytes}. */
    public interface Progress { void at(long bytesRead, long all); }

    /**
     * @param reused   whether the file was there already, made of the same texts with the same tokenizer and template
     * @param problems rows of JSON that were passed over; none where the file was reused
     */
    public record Prepared(TokenFile file, boolean reused, Problems problems) implements AutoCloseable {
        @Override public void close() { file.close(); }
    }

    /** Two turns with a system message: templates that differ write them differently. */
    private static final List<Map<String, Object>> PROBE = List.of(message("system", "s"), message("user", "u"), message("assistant", "a"), message("user", "u2"), message("assistant", "a2"));

    /* What a chunk became. */
    private record Encoded(List<Part> parts, Problems problems) {}

    /** @param blank white space only: no document begins with it */
    private record Part(int[] tokens, boolean blank, boolean chat, boolean ends) {}

    private final Tokenizer tokenizer;
    private final ChatTemplate template;
    private final int[] begin, end;

    private TokenPreparation(Tokenizer tokenizer, ChatTemplate template) {
        this.tokenizer = tokenizer;
        this.template = template;
        this.begin = tokenizer.addsBos() ? new int[] {tokenizer.bos()} : new int[0];
        this.end = tokenizer.eos() >= 0 ? new int[] {tokenizer.eos()} : new int[0];
    }

    private static Map<String, Object> message(String role, String content) { return Map.of("role", role, "content", content); }

    /**
     * The file of these texts: the one that is there, if it still is what they would become, otherwise a new one in its place.
     *
     * @param template  of the model, for chats; null where it has none
     * @param target    in a folder that exists
     * @param cancelled looked at between chunks of text; then the file stays as it was
     * @throws ModelException        where there is no text, or text that is not UTF-8, or chats and no template, or {@code target} is another kind of file
     * @throws CancellationException when cancelled
     */
    public static Prepared prepare(Corpus corpus, Tokenizer tokenizer, ChatTemplate template, Path target, int threads, Progress progress, BooleanSupplier cancelled) throws IOException {
        return new TokenPreparation(tokenizer, template).prepare(corpus, target, threads, progress, cancelled);
    }

    private Prepared prepare(Corpus corpus, Path target, int threads, Progress progress, BooleanSupplier cancelled) throws IOException {
        var inputs = inputs(corpus, cancelled);
        var kept = reusable(target, inputs);
        if (kept != null) return new Prepared(kept, true, new Problems());
        var problems = new Problems();
        /* Text in English takes about 4 bytes a token. */
        long estimate = corpus.bytes() / 4 * TokenFile.tokenBytes(tokenizer.vocabularySize());
        try (var writer = new TokenFileWriter(target, tokenizer.vocabularySize(), tokenizer.fingerprint(), inputs, estimate);
             var encoding = new InOrder<Encoded>(threads, encoded -> write(encoded, writer, problems))) {
            corpus.read(cancelled, (chunk, read) -> {
                encoding.submit(() -> encode(chunk));
                progress.at(read, corpus.bytes());
            });
            encoding.finish();
            if (writer.documents() == 0) throw nothing(problems);
            writer.commit();
        }
        return new Prepared(TokenFile.open(target), false, problems);
    }

    private static ModelException nothing(Problems problems) {
        return new ModelException("there is no text in these files to learn from" + (problems.count() == 0 ? "" : "; first of %d rows passed over: %s".formatted(problems.count(), problems.first().getFirst())));
    }

    private byte[] inputs(Corpus corpus, BooleanSupplier cancelled) throws IOException {
        try {
            var digest = MessageDigest.getInstance("SHA-256");
            digest.update(corpus.fingerprint(cancelled));
            digest.update((template == null ? "no template" : probe()).getBytes(StandardCharsets.UTF_8));
            return digest.digest();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private String probe() {
        try {
            return template.render(PROBE, List.of(), false).joined().toString();
        } catch (IllegalArgumentException refused) {
            return template.render(PROBE.subList(1, PROBE.size()), List.of(), false).joined().toString();           // some know no system message
        }
    }

    /** The file that is there, open, or null where it must be made; a file that is not one of ours is left alone. */
    private TokenFile reusable(Path target, byte[] inputs) throws IOException {
        if (!Files.exists(target)) return null;
        requireOurs(target);
        TokenFile file;
        try {
            file = TokenFile.open(target);
        } catch (ModelException damaged) {
            return null;
        }
        if (Arrays.equals(file.inputs(), inputs) && Arrays.equals(file.tokenizer(), tokenizer.fingerprint())) return file;
        file.close();
        return null;
    }

    private static void requireOurs(Path target) throws IOException {
        try (var in = Files.newInputStream(target)) {
            if (!new String(in.readNBytes(Long.BYTES), StandardCharsets.ISO_8859_1).equals("InkToken")) throw new ModelException("%s: is there already and is no token file; choose another name".formatted(target));
        }
    }

    // ---- one chunk, on any thread ------------------------------------------------------------------------------------------------------------------

    private Encoded encode(Chunk chunk) {
        var problems = new Problems();
        var parts = new ArrayList<Part>();
        for (var document : chunk.documents(problems::add)) {
            switch (document) {
                case Document.Text text -> parts.add(new Part(tokenizer.encode(text.text(), false), text.text().isBlank(), false, text.ends()));
                case Document.Chat chat -> {
                    if (template == null) throw new ModelException("%s: is a chat, and the model has no chat template to write it out; give rows with \"text\"".formatted(chat.where()));
                    try {
                        parts.add(new Part(tokenizer.encodePrompt(rendered(chat)), false, true, true));
                    } catch (IllegalArgumentException refused) {
                        problems.add("%s: the model's chat template refuses it: %s".formatted(chat.where(), refused.getMessage()));
                    }
                }
            }
        }
        return new Encoded(parts, problems);
    }

    private MarkedText rendered(Document.Chat chat) { return template.render(chat.messages(), List.of(), false); }

    private void write(Encoded encoded, TokenFileWriter writer, Problems problems) throws IOException {
        problems.addAll(encoded.problems);
        for (var part : encoded.parts) {
            if (!writer.isOpen()) {
                if (part.blank) continue;
                if (!part.chat) writer.write(begin);
            }
            writer.write(part.tokens);
            if (!part.ends) continue;
            if (!part.chat) writer.write(end);
            if (writer.isOpen()) writer.endDocument();
        }
    }
}
