package inkstone.server;

import java.time.Duration;

/**
 * What one client may ask of the server. Beyond a limit a request gets a clear error, never a slow death.
 *
 * @param bodyBytes       bytes of a request's body
 * @param messages        messages of a conversation
 * @param tools           tool definitions
 * @param prompts         prompts of one completion request
 * @param choices         answers to one prompt ({@code n})
 * @param stops           stop texts
 * @param stopLength      characters of a stop text
 * @param uploadBytes     bytes of a file of examples
 * @param pictureBytes    bytes of a picture that is handed in
 * @param paintings       jobs of painting of one client that may wait before it gets 429; of all clients together four times as many
 * @param queue           requests of one client that may wait for the model before it gets 429; of all clients together four times as many
 * @param biases          tokens of a {@code logit_bias}
 * @param inputs          texts of one embeddings request
 * @param unreadPieces    pieces of an answer that may wait for a slow reader before the answer is cancelled
 * @param silentReader    how long a connection may take nothing of what is written to it before it is cut
 * @param farewell        how long running answers may go on after the server was told to stop
 */
public record Limits(int bodyBytes, long uploadBytes, int pictureBytes, int paintings, int messages, int tools, int prompts, int choices, int stops, int stopLength, int queue, int biases, int inputs,
                     int unreadPieces, Duration silentReader, Duration farewell) {
    public static final Limits DEFAULT = new Limits(1 << 20, 1L << 30, 32 << 20, 16, 2_000, 128, 16, 4, 16, 256, 64, 300, 512, 4_096, Duration.ofSeconds(30), Duration.ofSeconds(3));

    /** Bytes of a form with a picture, a mask and texts. */
    long formBytes() { return 2L * pictureBytes + bodyBytes; }

    public Limits withBodyBytes(int value) {
        return new Limits(value, uploadBytes, pictureBytes, paintings, messages, tools, prompts, choices, stops, stopLength, queue, biases, inputs, unreadPieces, silentReader, farewell);
    }
    public Limits withUploadBytes(long value) {
        return new Limits(bodyBytes, value, pictureBytes, paintings, messages, tools, prompts, choices, stops, stopLength, queue, biases, inputs, unreadPieces, silentReader, farewell);
    }
    public Limits withPaintings(int newPictureBytes, int newPaintings) {
        return new Limits(bodyBytes, uploadBytes, newPictureBytes, newPaintings, messages, tools, prompts, choices, stops, stopLength, queue, biases, inputs, unreadPieces, silentReader, farewell);
    }
    public Limits withUnreadPieces(int value) {
        return new Limits(bodyBytes, uploadBytes, pictureBytes, paintings, messages, tools, prompts, choices, stops, stopLength, queue, biases, inputs, value, silentReader, farewell);
    }
    public Limits withTimes(Duration newSilentReader, Duration newFarewell) {
        return new Limits(bodyBytes, uploadBytes, pictureBytes, paintings, messages, tools, prompts, choices, stops, stopLength, queue, biases, inputs, unreadPieces, newSilentReader, newFarewell);
    }
}
