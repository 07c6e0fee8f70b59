package inkstone.tokenizer.train;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Rows that were passed over, counted; the first {@value #KEPT} with file, line and reason. One thread. */
public final class Problems {
    private static final int KEPT = 100;

    private final List<String> first = new ArrayList<>();
    private long count;

    public void add(String problem) {
        count++;
        if (first.size() < KEPT) first.add(problem);
    }

    public void addAll(Problems others) {
        for (var problem : others.first) if (first.size() < KEPT) first.add(problem);
        count += others.count;
    }

    public long count() { return count; }

    public List<String> first() { return Collections.unmodifiableList(first); }
}
