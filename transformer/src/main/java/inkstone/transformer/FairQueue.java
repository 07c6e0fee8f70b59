package inkstone.transformer;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * What waits, in the order in which it came, and the order in which it is served: a request goes before another where less of its client runs and waits before it; of equals
 * whose client's last turn is longer ago, then who came first. So the second request of a newcomer is served before the tenth of a client that sent a hundred, and those
 * of one client, or of nobody known, in the order they came. Not for several threads.
 *
 * @param <J> has a client
 */
final class FairQueue<J> {
    private final ArrayDeque<J> waiting = new ArrayDeque<>();
    private final Function<J, String> client;
    /** When the clients that wait had their last turn, in turns since the beginning. */
    private final Map<String, Integer> lastTurn = new HashMap<>();
    private int turns;

    FairQueue(Function<J, String> client) { this.client = client; }

    void add(J job) { waiting.add(job); }

    /** Back to where it came from. */
    void addFirst(J job) { waiting.addFirst(job); }

    /** It is served. */
    void take(J job) {
        waiting.remove(job);
        lastTurn.put(client.apply(job), ++turns);
        forgetWhoIsGone();
    }

    void removeIf(Predicate<J> condition) { if (waiting.removeIf(condition)) forgetWhoIsGone(); }

    private void forgetWhoIsGone() { lastTurn.keySet().retainAll(waiting.stream().map(client).collect(Collectors.toSet())); }

    boolean isEmpty() { return waiting.isEmpty(); }

    int size() { return waiting.size(); }

    int sizeOf(String one) { return (int) waiting.stream().filter(job -> client.apply(job).equals(one)).count(); }

    /** All that waits, who is to be served next first. {@code running} counts what runs of each client. */
    List<J> inTurn(Map<String, Integer> running) {
        record Turn<J>(J job, int before, int last) {}
        var before = new HashMap<>(running);
        var turns = new ArrayList<Turn<J>>();
        for (var job : waiting) {
            var one = client.apply(job);
            turns.add(new Turn<>(job, before.merge(one, 1, Integer::sum), lastTurn.getOrDefault(one, 0)));
        }
        turns.sort(Comparator.<Turn<J>>comparingInt(Turn::before).thenComparingInt(Turn::last));
        return turns.stream().map(Turn::job).toList();
    }
}
