package inkstone.transformer.tune.data;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;

/**
 * Examples as batches of at most so many tokens, epoch after epoch. Each example stands whole in one batch, as sequences of its own that attend to nothing else
 * ({@code Packed.of(scope, batch.lengths())}), so nothing is padded and nothing learns from its neighbour. An epoch shuffles the examples and packs stretches of
 * them, the longest first, each where the least room is left (best fit decreasing: Johnson 1974), then shuffles the batches of each stretch: everything follows from the
 * seed and the epoch, so a {@link Position} of two numbers is all that a run must keep to go on. One thread at a time. Memory: 4 bytes an example.
 */
public final class ExampleBatches {
    /** Examples that are packed together: enough that the batches come out full, few enough that lengths mix differently in every epoch. */
    private static final int STRETCH = 4_096;

    /** The batch that comes next: {@code batch} counts from 0 in each epoch. */
    public record Position(long epoch, int batch) {
        public static final Position START = new Position(0, 0);
    }

    /**
     * Sequences side by side.
     *
     * @param tokens  [n]
     * @param targets [n]: the token that row i has to predict, -1 where nothing is learned
     * @param lengths of the sequences, in order; their sum is n
     * @param labels  of the sequences, where the data has labels; otherwise empty
     * @param learned number of targets
     */
    public record Batch(int[] tokens, int[] targets, int[] lengths, int[] labels, int learned) {}

    private final ExampleSet examples;
    private final int batchTokens;
    private final long seed;
    private long epoch;
    private int next;
    private List<int[]> batches;

    /**
     * @param batchTokens most tokens of a batch
     * @throws IllegalArgumentException where there are no examples, or the longest does not fit into a batch, or the position is none
     */
    public ExampleBatches(ExampleSet examples, int batchTokens, long seed, Position from) {
        if (examples.size() == 0) throw new IllegalArgumentException("there are no examples to make batches of");
        int longest = 0;
        for (int i = 0; i < examples.size(); i++) longest = Math.max(longest, examples.length(i));
        if (longest > batchTokens) {
            throw new IllegalArgumentException("the longest example has %,d tokens%s, a batch at most %,d; take larger batches or a shorter context"
                .formatted(longest, examples.sequencesEach() == 2 ? ", both answers together" : "", batchTokens));
        }
        this.examples = examples;
        this.batchTokens = batchTokens;
        this.seed = seed;
        this.epoch = from.epoch();
        this.batches = pack(epoch);
        if (from.batch() < 0 || from.batch() > batches.size()) throw new IllegalArgumentException("epoch %d has %d batches, none numbered %d".formatted(epoch, batches.size(), from.batch()));
        this.next = from.batch();
    }

    /** The next batch; after an epoch's last the first of the next epoch. */
    public Batch next() {
        if (next == batches.size()) {
            batches = pack(++epoch);
            next = 0;
        }
        return batch(next++);
    }

    /** What {@link #next} goes on from. */
    public Position position() { return new Position(epoch, next); }

    /** Batches of the current epoch. Other epochs may have one more or less. */
    public int batches() { return batches.size(); }

    /** A batch of the current epoch, wherever {@link #next} is: for evaluations, which see each once. */
    public Batch batch(int index) {
        var members = batches.get(index);
        int each = examples.sequencesEach(), n = 0, row = 0, learned = 0;
        for (int member : members) n += examples.length(member);
        var tokens = new int[n];
        var targets = new int[n];
        Arrays.fill(targets, -1);
        var lengths = new int[members.length * each];
        var labels = new int[examples.label(members[0]) < 0 ? 0 : members.length];
        for (int i = 0; i < members.length; i++) {
            for (int s = 0; s < each; s++) {
                var sequence = examples.sequence(members[i], s);
                int length = sequence.tokens().length;
                System.arraycopy(sequence.tokens(), 0, tokens, row, length);
                for (int t = 1; t < length; t++) {
                    if (!sequence.learned()[t]) continue;
                    targets[row + t - 1] = sequence.tokens()[t];
                    learned++;
                }
                lengths[i * each + s] = length;
                row += length;
            }
            if (labels.length > 0) labels[i] = examples.label(members[i]);
        }
        return new Batch(tokens, targets, lengths, labels, learned);
    }

    private List<int[]> pack(long epoch) {
        var random = new Random(TokenStore.mixed(seed, epoch));
        var order = new int[examples.size()];
        for (int i = 0; i < order.length; i++) order[i] = i;
        shuffle(order, random);
        var packed = new ArrayList<int[]>();
        for (int from = 0; from < order.length; from += STRETCH) {
            var bins = pack(Arrays.copyOfRange(order, from, Math.min(order.length, from + STRETCH)));
            var places = new int[bins.size()];
            for (int i = 0; i < places.length; i++) places[i] = i;
            shuffle(places, random);
            for (int place : places) packed.add(bins.get(place));
        }
        return packed;
    }

    private List<int[]> pack(int[] stretch) {
        var longestFirst = Arrays.stream(stretch).boxed().sorted((a, b) -> Integer.compare(examples.length(b), examples.length(a))).toList();
        var bins = new ArrayList<List<Integer>>();
        var byRoom = new TreeMap<Integer, ArrayDeque<List<Integer>>>();
        for (int example : longestFirst) {
            int length = examples.length(example);
            var fitting = byRoom.ceilingEntry(length);
            int room = fitting == null ? batchTokens : fitting.getKey();
            List<Integer> bin;
            if (fitting == null) {
                bin = new ArrayList<>();
                bins.add(bin);
            } else {
                bin = fitting.getValue().removeFirst();
                if (fitting.getValue().isEmpty()) byRoom.remove(room);
            }
            bin.add(example);
            byRoom.computeIfAbsent(room - length, _ -> new ArrayDeque<>()).addLast(bin);
        }
        return bins.stream().map(bin -> bin.stream().mapToInt(Integer::intValue).toArray()).toList();
    }

    /** Fisher and Yates. */
    static void shuffle(int[] values, Random random) {
        for (int i = values.length - 1; i > 0; i--) {
            int j = random.nextInt(i + 1), kept = values[i];
            values[i] = values[j];
            values[j] = kept;
        }
    }
}
