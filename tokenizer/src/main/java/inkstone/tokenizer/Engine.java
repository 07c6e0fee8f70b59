package inkstone.tokenizer;

import ai.djl.engine.EngineException;
import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import inkstone.tensor.ModelException;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.IntConsumer;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Hugging Face's tokenizers library (Rust), as Deep Java Library packs it. Any thread; owns native memory until closed.
 * The native calls are used as they are: DJL's own class copies seven arrays and a string per token for each text, of which we need the ids.
 */
final class Engine implements AutoCloseable {
    /* A regular expression that backtracks 10 million times on one match ends the process (the library cannot unwind through JNI). The expressions of
       PreTokenizers backtrack at most about once per character of a run, so pieces of this many characters stay far below. */
    private static final int LONGEST_CALL = 1_000_000;
    /* Calls of about this many characters are three times as fast as calls of a million, whose words, offsets and texts no cache holds: 3.3 MB/s and 1.1 on one thread. */
    private static final int USUAL_CALL = 1 << 14;

    /* Its look for a CUDA driver warns on most machines and means nothing to tokenizers. Held, because loggers are collected with their level. */
    private static final Logger LIBRARY_LOG = Logger.getLogger("ai.djl");

    static {
        System.setProperty("ai.djl.offline", "true");                              // or it looks for a CUDA build of itself on the network
        if (LIBRARY_LOG.getLevel() == null) LIBRARY_LOG.setLevel(Level.SEVERE);
    }

    private final String source;
    private final boolean cuts;
    private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
    private long handle;

    /**
     * @param json what {@link TokenizerJson} wrote, never a file as it came: the library trusts its input
     * @param cuts whether the library cuts words at regular expressions, so that long texts must be cut before
     */
    Engine(String source, String json, boolean cuts) {
        this.source = source;
        this.cuts = cuts;
        try {
            LibUtils.checkStatus();
            handle = TokenizersLibrary.LIB.createTokenizerFromString(json);
        } catch (LinkageError | EngineException e) {
            throw new UnsupportedOperationException("the tokenizer library has no build for %s on %s, or its files cannot be written to ~/.djl.ai: %s"
                    .formatted(System.getProperty("os.name"), System.getProperty("os.arch"), e.getMessage()), e);
        } catch (RuntimeException e) {
            throw new ModelException("%s: tokenizer: %s".formatted(source, e.getMessage()), e);
        }
    }

    /** Begins to load the native library on a thread of its own, as it takes a sixth of a second; what fails there is told when an engine is made. */
    static void load() {
        Thread.ofPlatform().daemon().name("inkstone-tokenizer-library").start(() -> {
            try {
                LibUtils.checkStatus();
            } catch (LinkageError | EngineException e) {
                LIBRARY_LOG.log(Level.FINE, "the tokenizer library cannot be loaded", e);
            }
        });
    }

    void encode(String text, IntConsumer ids) {
        lock.readLock().lock();
        try {
            if (handle == 0) throw new IllegalStateException("the tokenizer is closed");
            for (int start = 0; start < text.length();) {
                int end = cuts ? cut(text, start) : text.length();
                encodeAtOnce(text.substring(start, end), ids);
                start = end;
            }
        } finally {
            lock.readLock().unlock();
        }
    }

    private void encodeAtOnce(String text, IntConsumer ids) {
        long encoding;
        try {
            encoding = TokenizersLibrary.LIB.encode(handle, text, false);
        } catch (RuntimeException e) {
            throw new ModelException("%s: tokenizer: %s".formatted(source, e.getMessage()), e);
        }
        try {
            for (long id : TokenizersLibrary.LIB.getTokenIds(encoding)) ids.accept((int) id);
        } finally {
            TokenizersLibrary.LIB.deleteEncoding(encoding);
        }
    }

    /* Every expression ends a word at a single line feed between text and a letter or digit; only a text of a million characters without one is cut elsewhere. */
    private static int cut(String text, int start) {
        int limit = start + LONGEST_CALL;
        for (int end = start + USUAL_CALL; end < Math.min(limit, text.length()); end++) {
            if (text.charAt(end - 1) == '\n' && Character.isLetterOrDigit(text.charAt(end)) && !Character.isWhitespace(text.charAt(end - 2))) return end;
        }
        if (limit >= text.length()) return text.length();
        return Character.isHighSurrogate(text.charAt(limit - 1)) ? limit - 1 : limit;
    }

    @Override public void close() {
        lock.writeLock().lock();
        try {
            if (handle != 0) TokenizersLibrary.LIB.deleteTokenizer(handle);
            handle = 0;
        } finally {
            lock.writeLock().unlock();
        }
    }
}
