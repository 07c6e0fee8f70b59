package inkstone.server;

import inkstone.transformer.ContextFullException;
import inkstone.transformer.GenerationRequest;
import inkstone.transformer.GenerationResult;
import inkstone.transformer.GenerationResult.Finish;
import inkstone.transformer.Guesses;
import inkstone.transformer.Piece;
import inkstone.transformer.Pooling;
import inkstone.transformer.QueueFullException;
import inkstone.transformer.Scheduler;
import inkstone.transformer.Ticket;
import inkstone.transformer.TokenLogprob;
import inkstone.transformer.TokenLogprob.Candidate;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Gives every request the same pieces, one for each permit; keeps what was asked and how it ended. */
final class FakeScheduler implements Scheduler {
    final List<GenerationRequest> requests = new CopyOnWriteArrayList<>();
    final List<FakeTicket> tickets = new CopyOnWriteArrayList<>();
    final List<CompletableFuture<List<float[]>>> vectors = new CopyOnWriteArrayList<>();
    /** One permit, one piece. */
    final Semaphore permits = new Semaphore(0);
    volatile List<String> pieces = List.of("Hel", "lo", " \"world\"\n\n", "data: 🐈");
    /** Whether the pieces come again and again until the request is cancelled or has its maxTokens. */
    volatile boolean endless;
    volatile int queue = Integer.MAX_VALUE;
    volatile RuntimeException failure;

    static FakeScheduler free() {
        var scheduler = new FakeScheduler();
        scheduler.permits.release(Integer.MAX_VALUE / 2);
        return scheduler;
    }

    final class FakeTicket implements Ticket {
        final CompletableFuture<GenerationResult> result = new CompletableFuture<>();
        volatile boolean cancelled;
        volatile int steps;

        @Override public CompletableFuture<GenerationResult> result() { return result; }
        @Override public void cancel() { cancelled = true; }
    }

    @Override public Ticket submit(GenerationRequest request, Consumer<Piece> onPiece) {
        if (tickets.stream().filter(ticket -> !ticket.result.isDone()).count() >= queue) throw new QueueFullException("%d requests wait already".formatted(queue));
        if (request.prompt().length >= FakeModel.CONTEXT) throw new ContextFullException(request.prompt().length, FakeModel.CONTEXT);
        var ticket = new FakeTicket();
        requests.add(request);
        tickets.add(ticket);
        Thread.ofVirtual().start(() -> run(request, ticket, onPiece));
        return ticket;
    }

    private void run(GenerationRequest request, FakeTicket ticket, Consumer<Piece> onPiece) {
        try {
            var text = new StringBuilder();
            var logprobs = new ArrayList<TokenLogprob>();
            var finish = Finish.STOP;
            while (true) {
                while (!permits.tryAcquire(5, TimeUnit.MILLISECONDS) && !ticket.cancelled) { }
                if (ticket.cancelled) finish = Finish.CANCELLED;
                else if (ticket.steps == request.maxTokens()) finish = Finish.LENGTH;
                if (finish != Finish.STOP || !endless && ticket.steps == pieces.size()) break;
                if (failure != null && ticket.steps == 1) throw failure;
                var piece = pieces.get(ticket.steps++ % pieces.size());
                text.append(piece);
                var told = logprobs(request, piece, text.codePointCount(0, text.length() - piece.length()));
                logprobs.addAll(told);
                onPiece.accept(new Piece(piece, ticket.steps, told));
            }
            ticket.result.complete(new GenerationResult(text.toString(), new int[ticket.steps], logprobs, finish, request.prompt().length, 1, new Guesses(5, 3),
                2_000_000, 4_000_000));
        } catch (RuntimeException | InterruptedException problem) {
            ticket.result.completeExceptionally(problem);
        }
    }

    /** Of each letter, whose token it is: -0.5, and for those that might have come -1, -2, ... and at last never. */
    private static List<TokenLogprob> logprobs(GenerationRequest request, String piece, int offset) {
        var logprobs = new ArrayList<TokenLogprob>();
        for (int token : request.topLogprobs() < 0 ? new int[0] : piece.codePoints().map(letter -> Math.min(letter, FakeModel.VOCABULARY - 1)).toArray()) {
            var top = new ArrayList<Candidate>();
            for (int i = 1; i <= request.topLogprobs(); i++) top.add(new Candidate(i == 3 ? 0 : 'a' + i, i == 3 ? Float.NEGATIVE_INFINITY : -i));
            logprobs.add(new TokenLogprob(token, -0.5f, top, offset++));
        }
        return logprobs;
    }

    /** Of each text the number of tokens, the first, and the pooling; never, where there is no permit. */
    @Override public CompletableFuture<List<float[]>> embed(List<int[]> texts, Pooling pooling) {
        if (vectors.stream().filter(each -> !each.isDone()).count() >= queue) throw new QueueFullException("%d requests wait already".formatted(queue));
        var result = new CompletableFuture<List<float[]>>();
        vectors.add(result);
        if (failure != null) result.completeExceptionally(failure);
        else if (permits.tryAcquire()) result.complete(texts.stream().map(text -> new float[] {text.length, text[0], pooling.ordinal() + 0.1f}).toList());
        return result;
    }

    @Override public void close() { tickets.forEach(Ticket::cancel); }
}
