package inkstone.ink;

import java.util.ArrayList;
import java.util.List;

/**
 * A question, its answers and what may be asked next, as templates.
 *
 * @param name    what the file calls it; empty for a follow-up
 * @param weight  how often it is chosen beside the others of its file
 * @param follows exchanges that make sense right after this one
 */
record Exchange(String name, int weight, List<String> questions, List<String> answers, List<Exchange> follows) {
    /**
     * Reads exchanges: a line {@code = name weight}, then questions ({@code ?}) and answers ({@code !}), one template a line. The same, indented by two more blanks, is a
     * follow-up; a question after an answer begins the next one.
     */
    static List<Exchange> read(List<String> lines) {
        var exchanges = new ArrayList<Exchange>();
        var open = new ArrayList<Exchange>();                     // the exchange being read at each depth
        for (String line : lines) {
            if (line.isBlank() || line.startsWith("#")) continue;
            String text = line.strip();
            if (text.startsWith("=")) {
                var words = text.substring(1).strip().split(" +");
                open.clear();
                open.add(new Exchange(words[0], words.length > 1 ? Integer.parseInt(words[1]) : 1, new ArrayList<>(), new ArrayList<>(), new ArrayList<>()));
                exchanges.add(open.getFirst());
                continue;
            }
            int depth = (line.length() - line.stripLeading().length()) / 2;
            while (open.size() > depth + 1) open.removeLast();
            boolean question = text.startsWith("?");
            if (open.size() == depth || question && depth > 0 && !open.getLast().answers.isEmpty()) {
                if (open.size() > depth) open.removeLast();
                if (open.isEmpty()) throw new IllegalArgumentException("expected '= name' before: " + line);
                var next = new Exchange("", 1, new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
                open.getLast().follows.add(next);
                open.add(next);
            }
            if (open.size() != depth + 1) throw new IllegalArgumentException("indented too far: " + line);
            (question ? open.getLast().questions : open.getLast().answers).add(text.substring(1).strip());
            if (!question && !text.startsWith("!")) throw new IllegalArgumentException("expected '?' or '!' at the beginning of: " + line);
        }
        return exchanges;
    }
}
