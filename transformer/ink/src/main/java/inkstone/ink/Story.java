package inkstone.ink;

import java.util.List;
import java.util.Map;

/**
 * A short story and what may be asked about it.
 *
 * @param text      paragraphs with blank lines between them
 * @param subjects  what it is about, as a user would ask for it: "a fox", "a fox and a river", "being brave"
 * @param names     what its templates named: name, kind, he, thing, place, helper, ...
 * @param questions pairs of question and answer
 */
record Story(String text, List<String> subjects, Map<String, String> names, String moral, String summary, String next, List<Map.Entry<String, String>> questions) {}
