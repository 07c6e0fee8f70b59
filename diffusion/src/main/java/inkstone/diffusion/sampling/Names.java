package inkstone.diffusion.sampling;

import java.util.Arrays;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Names of samplers, schedules and generators: programs agree on them but for capitals, spaces, underscores and how "++" is spelled. */
final class Names {
    private Names() {}

    static String id(Enum<?> constant) { return constant.name().toLowerCase(Locale.ROOT); }

    /** "DPM++ 2S a", "dpmpp_2s_ancestral" and "dpm++2s_a" all become "dpmpp2sa". */
    static String plain(String name) { return name.toLowerCase(Locale.ROOT).replace("++", "pp").replace("ancestral", "a").replaceAll("[ _-]", ""); }

    static <E extends Enum<E>> E find(E[] all, Function<E, String> label, String name, String what) {
        String plain = plain(name);
        for (E one : all) if (plain.equals(plain(id(one))) || plain.equals(plain(label.apply(one)))) return one;
        throw new IllegalArgumentException("unknown %s '%s'; there are %s".formatted(what, name.length() > 60 ? name.substring(0, 60) + "..." : name,
            Arrays.stream(all).map(Names::id).collect(Collectors.joining(", "))));
    }
}
