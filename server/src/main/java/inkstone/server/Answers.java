package inkstone.server;

import inkstone.transformer.GenerationRequest;
import inkstone.transformer.GenerationResult;
import io.javalin.http.Context;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletionException;

/**
 * Runs the answers of a request and writes them, as a stream or as one document, on the request's own virtual thread. Whatever ends the request early, a closed
 * connection first of all, cancels the generation.
 */
final class Answers {
    /** How often a silent connection is looked at, and after how many looks it gets a sign of life. */
    private static final Duration LOOK = Duration.ofMillis(200);
    private static final int LOOKS_PER_PING = 5;

    private final Served served;
    private final Traffic traffic;
    private final Limits limits;

    Answers(Served served, Traffic traffic, Limits limits) {
        this.served = served;
        this.traffic = traffic;
        this.limits = limits;
    }

    /** Answers {@code requests}, the answers to one prompt lying next to each other. */
    void write(Context context, List<GenerationRequest> requests, AnswerOptions options, AnswerFormat format) throws IOException, InterruptedException {
        var client = new Client(context.req());
        var asker = context.req().getRemoteAddr() + " " + options.user();
        var asked = requests.stream().map(request -> request.withClient(asker)).toList();
        try (var generation = Generation.start(served.scheduler(), asked, traffic, limits.unreadPieces())) {
            var results = new GenerationResult[requests.size()];
            if (options.stream()) {
                stream(new SseStream(context.res()), generation, client, results, options, format);
                if (client.pipelining()) client.cut(context.res());
            } else if (collect(generation, client, results)) {
                if (client.pipelining()) context.header("Connection", "close");
                var document = format.whole(List.of(results));
                AnswerFormat.addUsage(document, List.of(results), options.choices());
                if (results.length == 1) AnswerFormat.addTimings(document, results[0]);
                Json.answer(context, document);
            }
        }
    }

    private static void stream(SseStream out, Generation generation, Client client, GenerationResult[] results, AnswerOptions options, AnswerFormat format)
            throws InterruptedException {
        try {
            for (int choice = 0; choice < results.length; choice++) {
                var opening = format.opening(choice);
                if (opening != null) out.data(opening);
            }
            for (int running = results.length, silence = 0; running > 0; ) {
                var event = generation.next(LOOK);
                if (client.gone()) return;
                switch (event) {
                    case null -> { if (++silence % LOOKS_PER_PING == 0) out.ping(); }
                    case Generation.Event.Text text -> out.data(format.text(text.choice(), text.piece()));
                    case Generation.Event.End end -> {
                        results[end.choice()] = end.result();
                        out.data(format.finish(end.choice(), end.result()));
                        running--;
                    }
                    case Generation.Event.Failure failure -> {
                        out.data(Errors.body(Errors.of(cause(failure))));
                        return;
                    }
                }
            }
            if (options.includeUsage()) {
                var counts = format.counts();
                AnswerFormat.addUsage(counts, Arrays.asList(results), options.choices());
                out.data(counts);
            }
            out.done();
        } catch (IOException gone) {
            generation.cancel();
        }
    }

    /** Waits for every result; false where the client went away meanwhile. */
    private static boolean collect(Generation generation, Client client, GenerationResult[] results) throws InterruptedException {
        for (int running = results.length; running > 0; ) {
            switch (generation.next(LOOK)) {
                case null -> { if (client.gone()) return false; }
                case Generation.Event.Text text -> { }
                case Generation.Event.End end -> {
                    results[end.choice()] = end.result();
                    running--;
                }
                case Generation.Event.Failure failure -> throw Errors.of(cause(failure));
            }
        }
        return true;
    }

    private static Throwable cause(Generation.Event.Failure failure) {
        return failure.cause() instanceof CompletionException wrapped && wrapped.getCause() != null ? wrapped.getCause() : failure.cause();
    }
}
