package inkstone.tokenizer.train;

import inkstone.tokenizer.ByteLevelVocabulary.Merge;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** Byte-pair encoding as Sennrich et al. 2016 (arXiv:1508.07909) list it: all pairs of all words are counted anew before every merge. */
final class NaiveBpe {
    private NaiveBpe() {}

    static Map<List<Integer>, Long> words(String text, Pattern pattern) {
        var words = new LinkedHashMap<List<Integer>, Long>();
        var matcher = pattern.matcher(text);
        while (matcher.find()) words.merge(bytes(matcher.group()), 1L, Long::sum);
        return words;
    }

    static List<Integer> bytes(String word) {
        var symbols = new ArrayList<Integer>();
        for (byte b : word.getBytes(StandardCharsets.UTF_8)) symbols.add(b & 0xFF);
        return symbols;
    }

    static List<Merge> merges(Map<List<Integer>, Long> words, int most) {
        var merges = new ArrayList<Merge>();
        while (merges.size() < most) {
            var pairs = new TreeMap<Merge, Long>((a, b) -> a.left() != b.left() ? Integer.compare(a.left(), b.left()) : Integer.compare(a.right(), b.right()));
            words.forEach((word, count) -> {
                for (int i = 0; i + 1 < word.size(); i++) pairs.merge(new Merge(word.get(i), word.get(i + 1)), count, Long::sum);
            });
            Merge best = null;
            for (var pair : pairs.keySet()) if (pairs.get(pair) >= 2 && (best == null || pairs.get(pair) > pairs.get(best))) best = pair;       // of equals the first in order
            if (best == null) break;
            var merged = new LinkedHashMap<List<Integer>, Long>();
            for (var word : words.entrySet()) merged.merge(apply(word.getKey(), best, 256 + merges.size()), word.getValue(), Long::sum);
            words = merged;
            merges.add(best);
        }
        return merges;
    }

    static List<Integer> encode(String word, List<Merge> merges) {
        var symbols = bytes(word);
        for (int i = 0; i < merges.size(); i++) symbols = apply(symbols, merges.get(i), 256 + i);
        return symbols;
    }

    private static List<Integer> apply(List<Integer> word, Merge merge, int union) {
        var merged = new ArrayList<Integer>();
        for (int i = 0; i < word.size(); i++) {
            boolean both = word.get(i) == merge.left() && i + 1 < word.size() && word.get(i + 1) == merge.right();
            merged.add(both ? union : word.get(i));
            if (both) i++;
        }
        return merged;
    }
}
