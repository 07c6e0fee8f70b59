package inkstone.ink;

import java.util.ArrayList;
import java.util.List;

/**
 * Counting and small sums. One rule says what Ink does itself, so that answers never contradict each other: adding and taking away numbers up to 20, times and divided by
 * within ten times ten. The rest it leaves to a calculator.
 */
final class Numbers {
    private static final List<String> ASK = List.of("what is {sum}?", "what's {sum}?", "how much is {sum}?", "{sum}", "{sum}?", "{sum} = ?", "can you tell me what {sum} is?", "calculate {sum}", "{sum} is what?", "what does {sum} make?", "please work out {sum}",
        "do you know {sum}?", "tell me {sum}");
    private static final List<String> NAMES = List.of("Tom", "Anna", "Ben", "Clara", "Leo", "Mia", "Sam", "Rosa"), ITEMS = List.of("apples", "pears", "books", "shells", "stamps", "marbles", "cookies", "eggs", "coins", "pencils");
    private static final String BEYOND = "(that is|those numbers are) too big for me; I only do sums with small numbers. A calculator is better here.";

    private Numbers() {}

    /** Digits mostly, words now and then. */
    private static String write(int number, boolean words) { return words && number <= 20 ? English.words(number) : "" + number; }

    private static void ask(Talk talk, String sum, String answer, boolean following) {
        talk.with("sum", sum);
        talk.user(following ? List.of("and {sum}?", "and what is {sum}?", "{sum}?", "what about {sum}?", "now {sum}", "{sum}") : ASK).ink(answer);
    }

    static void sum(Talk talk, double more) {
        boolean following = false;
        do {
            var dice = talk.dice;
            boolean words = dice.chance(0.15);
            int kind = dice.below(20);
            if (kind < 8) {
                int a = dice.between(0, dice.chance(0.7) ? 10 : 20), b = dice.between(0, dice.chance(0.7) ? 10 : 20);
                ask(talk, write(a, words) + dice.pick(" + ", " plus ", "+", " and ") + write(b, words), a + " plus " + b + " is " + (a + b) + ".", following);
            } else if (kind < 13) {
                int a = dice.between(0, dice.chance(0.6) ? 10 : 20), b = dice.between(0, a);
                ask(talk, write(a, words) + dice.pick(" - ", " minus ", "-", " take away ") + write(b, words), a + " minus " + b + " is " + (a - b) + ".", following);
            } else if (kind < 17) {
                int a = dice.between(0, 10), b = dice.between(1, 10);
                ask(talk, write(a, words) + dice.pick(" x ", " times ", " * ", " multiplied by ") + write(b, words), a + " times " + b + " is " + a * b + ".", following);
            } else if (kind < 18) {
                int b = dice.between(1, 10), quotient = dice.between(1, 10), a = b * quotient;
                ask(talk, a + dice.pick(" / ", " divided by ", " : ") + b, a + " divided by " + b + " is " + quotient + ".", following);
            } else {
                int a = dice.between(21, dice.chance(0.5) ? 999 : 99_999), b = dice.between(21, dice.chance(0.5) ? 999 : 99_999);
                ask(talk, a + dice.pick(" + ", " plus ", " - ", " minus ", " times ", " x ", " divided by ") + b, BEYOND, following);
            }
            following = true;
        } while (talk.dice.chance(more));
    }

    /** Tom has 3 apples and gets 2 more. */
    static void wordProblem(Talk talk, double more) {
        var dice = talk.dice;
        int a = dice.between(1, 10), b = dice.between(1, a);
        boolean gets = dice.chance(0.5);
        String who = dice.pick(NAMES), item = dice.pick(ITEMS);
        int result = gets ? a + b : a - b;
        talk.with("who", who).with("item", a == 1 ? item.substring(0, item.length() - 1) : item).with("items", item).with("a", "" + a).with("b", "" + b).with("result", "" + result);
        talk.user(gets ? List.of("{who} has {a} {item} and gets {b} more. how many {items} does {who} have now?", "if i have {a} {item} and buy {b} more, how many {items} do i have?", "there are {a} {item} on the table. i put {b} more there. how many are there now?")
            : List.of("{who} has {a} {item} and gives away {b}. how many {items} are left?", "if i have {a} {item} and lose {b}, how many are left?", "there are {a} {item} on the table. i take away {b}. how many are left?"));
        talk.ink(gets ? "{a} plus {b} is {result}, so the answer is {result}." : "{a} minus {b} is {result}, so the answer is {result}.");
        if (dice.chance(more)) sum(talk, 0);
    }

    static void counting(Talk talk, double more) {
        var dice = talk.dice;
        do {
            switch (dice.below(8)) {
                case 0, 1 -> {
                    int last = dice.pick(3, 5, 5, 10, 10, 10, 12, 15, 20);
                    var numbers = new ArrayList<String>();
                    for (int i = 1; i <= last; i++) numbers.add("" + i);
                    talk.with("last", write(last, dice.chance(0.5))).user(List.of("count to {last}", "can you count to {last}?", "count from 1 to {last}", "please count to {last}", "count up to {last}")).ink(String.join(", ", numbers) + ".");
                }
                case 2 -> {
                    int first = dice.pick(3, 5, 10, 10);
                    var numbers = new ArrayList<String>();
                    for (int i = first; i >= 1; i--) numbers.add("" + i);
                    talk.with("first", write(first, dice.chance(0.5))).user(List.of("count down from {first}", "count backwards from {first}", "can you count backwards from {first}?", "do a countdown from {first}")).ink(String.join(", ", numbers) + ".");
                }
                case 3 -> {
                    int step = dice.pick(2, 2, 5, 10), last = step == 10 ? 100 : step == 5 ? 50 : 20;
                    var numbers = new ArrayList<String>();
                    for (int i = step; i <= last; i += step) numbers.add("" + i);
                    talk.with("step", English.words(step) + "s").user(List.of("count by {step}", "count in {step}", "can you count in {step}?")).ink(String.join(", ", numbers) + ".");
                }
                case 4 -> {
                    int n = dice.between(1, 20);
                    boolean after = dice.chance(0.6);
                    talk.with("n", write(n, dice.chance(0.3))).with("digits", "" + n).with("next", "" + (after ? n + 1 : n - 1)).with("side", after ? "after" : "before")
                        .user(List.of("(which|what) number comes {side} {n}?", "what comes {side} {n}?", "what is the number {side} {n}?")).ink("the number {side} {digits} is {next}.");
                }
                case 5 -> {
                    int n = dice.between(1, 20);
                    boolean even = n % 2 == 0;
                    int form = dice.below(3);
                    talk.with("n", "" + n).user(List.of("is {n} even or odd?", "is {n} even?", "is {n} odd?").get(form));
                    String parity = even ? "even" : "odd";
                    talk.ink(form == 0 ? n + " is " + parity + "." : (even == (form == 1) ? "yes, " : "no, ") + n + " is " + parity + ".");
                }
                case 6 -> {
                    int a = dice.between(0, 20), b = dice.between(0, 20);
                    if (a == b) b = a + 1;
                    boolean larger = dice.chance(0.6);
                    talk.with("a", "" + a).with("b", "" + b).with("which", larger ? dice.pick("bigger", "larger") : "smaller").user(List.of("which is {which}, {a} or {b}?", "what is {which}, {a} or {b}?", "{a} or {b}, which is {which}?", "which number is {which}: {a} or {b}?"));
                    talk.ink((larger ? Math.max(a, b) : Math.min(a, b)) + " is {which}.");
                }
                default -> {
                    int n = dice.between(1, 10);
                    boolean half = dice.chance(0.4);
                    talk.with("n", "" + (half ? 2 * n : n)).with("result", "" + (half ? n : 2 * n)).with("what", half ? "half of" : "twice")
                        .user(half ? List.of("what is half of {n}?", "half of {n}?", "how much is half of {n}?") : List.of("what is twice {n}?", "double {n}", "what is the double of {n}?")).ink("{what} {n} is {result}.");
                }
            }
        } while (dice.chance(more * 0.8));
    }

    /** Comparing what everybody can picture: which is bigger, an ant or a horse? */
    static void compare(Talk talk, double more) {
        var dice = talk.dice;
        var bySize = List.of("ant", "ladybird", "bee", "snail", "mouse", "frog", "squirrel", "cat", "sheep", "pony", "horse", "rhino", "elephant", "blue whale");
        var bySpeed = List.of("snail", "tortoise", "person on foot", "bicycle", "car", "train", "plane", "rocket");
        do {
            boolean size = dice.chance(0.65), most = dice.chance(0.65);
            var order = size ? bySize : bySpeed;
            int a = dice.below(order.size()), b = dice.below(order.size());
            if (Math.abs(a - b) < 2) {
                a = dice.below(order.size() / 2);
                b = a + 2 + dice.below(order.size() - a - 2);
            }
            String word = size ? most ? dice.pick("bigger", "larger") : "smaller" : most ? "faster" : "slower";
            talk.with("one", order.get(a)).with("two", order.get(b)).with("word", word).with("best", order.get(most ? Math.max(a, b) : Math.min(a, b))).with("other", order.get(most ? Math.min(a, b) : Math.max(a, b)));
            talk.user(List.of("which is {word}, {a one} or {a two}?", "what is {word}, {a one} or {a two}?", "who is {word}, {a one} or {a two}?", "is {a one} or {a two} {word}?", "{word}: {a one} or {a two}?"));
            talk.ink("{a best} is {word} than {a other}.");
        } while (dice.chance(more * 0.6));
    }
}
