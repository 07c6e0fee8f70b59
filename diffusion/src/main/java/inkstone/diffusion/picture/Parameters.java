package inkstone.diffusion.picture;

import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.sampling.NoiseGenerator;
import inkstone.diffusion.sampling.Sampler;
import inkstone.diffusion.sampling.Schedule;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * What a picture was painted with, as text inside its file, in the form of A1111's web UI, which other programs read and write too: the prompt, a line "Negative prompt: ...", and a last line of
 * "Name: value" with commas between. Lines of the prompt that begin with "Negative prompt:" cannot be told from the second part; that is so in the form itself.
 *
 * @param fields of the last line, in order, as they are written there
 */
public record Parameters(String prompt, String negative, Map<String, String> fields) {
    /** Of the text in a PNG. */
    public static final String KEYWORD = "parameters";
    private static final String NEGATIVE = "Negative prompt:";
    /** A last line with fewer fields is part of the prompt. */
    private static final int FEWEST_FIELDS = 3;
    private static final Pattern NAME = Pattern.compile("[\\p{L}\\p{N}_][\\p{L}\\p{N}_ /-]+"), PLAIN = Pattern.compile("[^,:\n\"]*");
    private static final JsonMapper JSON = JsonMapper.shared();

    /**
     * Of one picture of a request.
     *
     * @param request one with names for sampler, schedule and noise
     * @param seed    the picture's own
     * @param model   its short name
     */
    public static Parameters of(ImageRequest request, long seed, String model) {
        var fields = new LinkedHashMap<String, String>();
        Sampler sampler = Sampler.of(request.sampler());
        fields.put("Steps", Integer.toString(request.steps()));
        fields.put("Sampler", sampler.label());
        fields.put("Schedule type", Schedule.of(request.schedule()).label());
        fields.put("CFG scale", number(request.guidance()));
        if (request.rescale() != 0) fields.put("CFG rescale", number(request.rescale()));
        fields.put("Seed", Long.toString(seed));
        fields.put("Size", request.width() + "x" + request.height());
        fields.put("Model", model);
        if (request.from() != null) fields.put("Denoising strength", number(request.strength()));
        if (request.eta() >= 0 && sampler.choosesEta()) fields.put("Eta", number(request.eta()));
        fields.put("RNG", NoiseGenerator.of(request.noise()).label());
        fields.put("Version", "Inkstone");
        return new Parameters(request.prompt(), request.negative(), fields);
    }

    private static String number(float value) { return value == (int) value ? Integer.toString((int) value) : Float.toString(value); }

    public String text() {
        var text = new StringBuilder(prompt);
        if (!negative.isEmpty()) text.append('\n').append(NEGATIVE).append(' ').append(negative);
        text.append('\n');
        fields.forEach((name, value) -> text.append(name).append(": ").append(PLAIN.matcher(value).matches() ? value : JSON.writeValueAsString(value)).append(", "));
        if (!fields.isEmpty()) text.setLength(text.length() - 2);
        return text.toString();
    }

    /** What a file says of itself: text in this form, or the graph that ComfyUI keeps. Empty if it says nothing. */
    public static Optional<Parameters> of(PictureFile file) {
        if (file.texts().containsKey(KEYWORD)) return Optional.of(parse(file.texts().get(KEYWORD)));
        return Optional.ofNullable(file.texts().get(ComfyGraph.KEYWORD)).flatMap(ComfyGraph::read);
    }

    /** Any text is read: what has not this form is a prompt. */
    public static Parameters parse(String text) {
        List<String> lines = new ArrayList<>(text.strip().lines().map(String::strip).toList());
        Map<String, String> fields = lines.isEmpty() ? Map.of() : fields(lines.getLast());
        if (fields.size() < FEWEST_FIELDS) fields = Map.of(); else lines.removeLast();
        int split = 0;
        while (split < lines.size() && !lines.get(split).startsWith(NEGATIVE)) split++;
        String rest = String.join("\n", lines.subList(split, lines.size()));
        return new Parameters(String.join("\n", lines.subList(0, split)), rest.isEmpty() ? "" : rest.substring(NEGATIVE.length()).strip(), fields);
    }

    /** "Name: value, Name: "value, with commas", ...". */
    private static Map<String, String> fields(String line) {
        var fields = new LinkedHashMap<String, String>();
        int at = 0;
        while (at < line.length()) {
            int comma = line.indexOf(',', at), colon = line.indexOf(':', at);
            if (colon < 0) break;
            if (comma >= 0 && comma < colon) {           // a value's own comma, or no field
                at = comma + 1;
                continue;
            }
            String name = line.substring(at, colon).strip();
            int start = colon + 1;
            while (start < line.length() && line.charAt(start) == ' ') start++;
            int quoted = start < line.length() && line.charAt(start) == '"' ? endOfString(line, start) : -1;
            int end = quoted >= 0 ? quoted : line.indexOf(',', start) < 0 ? line.length() : line.indexOf(',', start);
            if (NAME.matcher(name).matches()) fields.putIfAbsent(name, quoted >= 0 ? unquoted(line.substring(start, end)) : line.substring(start, end).strip());
            at = end + 1;
        }
        return fields;
    }

    /** Behind the closing quote, if a comma or the line's end follows; else -1. */
    private static int endOfString(String line, int start) {
        for (int i = start + 1; i < line.length(); i++) {
            if (line.charAt(i) == '\\') i++;
            else if (line.charAt(i) == '"') return i + 1 == line.length() || line.charAt(i + 1) == ',' ? i + 1 : -1;
        }
        return -1;
    }

    private static String unquoted(String json) {
        try {
            return JSON.readValue(json, String.class);
        } catch (JacksonException e) {
            return json;
        }
    }

    /** The model's name, or null. */
    public String model() { return fields.get("Model"); }

    /**
     * The request that would paint the picture again, as far as the text says: the rest is as in {@code defaults}. What is there but means nothing here is noted, a line each.
     */
    public Filled fill(ImageRequest defaults) {
        var notes = new ArrayList<String>();
        var filling = new Filling(defaults.withPrompt(prompt).withNegative(negative).withCount(1));
        filling.read("Steps", notes, value -> filling.request = filling.request.withSteps(Integer.parseInt(value)));
        filling.read("CFG scale", notes, value -> filling.request = filling.request.withGuidance(Float.parseFloat(value)));
        filling.read("CFG rescale", notes, value -> filling.request = filling.request.withRescale(Float.parseFloat(value)));
        filling.read("Seed", notes, value -> filling.request = filling.request.withSeed(Long.parseLong(value)));
        filling.read("Size", notes, value -> {
            String[] sides = value.split("x", -1);
            if (sides.length != 2) throw new IllegalArgumentException("it should be as 512x512");
            filling.request = filling.request.withSize(Integer.parseInt(sides[0]), Integer.parseInt(sides[1]));
        });
        filling.read("Sampler", notes, value -> filling.request = walk(filling.request, value, fields.get("Schedule type")));
        if (fields.containsKey("Sampler")) filling.request = filling.request.withEta(-1);
        filling.read("Eta", notes, value -> filling.request = filling.request.withEta(Float.parseFloat(value)));
        filling.read("Eta DDIM", notes, value -> filling.request = filling.request.withEta(Float.parseFloat(value)));
        // A1111 draws on the GPU unless it says otherwise.
        if (fields.containsKey("Seed") && !fields.containsKey("RNG")) filling.request = filling.request.withNoise(NoiseGenerator.CUDA.id());
        filling.read("RNG", notes, value -> filling.request = filling.request.withNoise(NoiseGenerator.of(value).id()));
        if (fields.containsKey("Denoising strength") && !fields.containsKey("Hires upscale")) notes.add("it was painted over another picture, which is not in this file");
        return new Filled(filling.request, List.copyOf(notes));
    }

    /** Sampler and schedule; before its version 1.9 A1111 wrote both into one name ("DPM++ 2M Karras"), and "Automatic" or nothing is what the sampler is used with there. */
    private static ImageRequest walk(ImageRequest request, String name, String scheduleName) {
        Schedule schedule = null;
        Sampler sampler = null;
        for (Schedule ending : Schedule.values()) {
            String suffix = " " + ending.label();
            if (name.length() > suffix.length() && name.regionMatches(true, name.length() - suffix.length(), suffix, 0, suffix.length())) {
                sampler = Sampler.of(name.substring(0, name.length() - suffix.length()));
                schedule = ending;
            }
        }
        if (sampler == null) sampler = Sampler.of(name);
        if (scheduleName != null) schedule = scheduleName.equals("Automatic") ? switch (sampler) {
            case DPM2, DPMPP_2M, DPMPP_2S_A, DPMPP_SDE -> Schedule.KARRAS;
            case DPMPP_2M_SDE -> Schedule.EXPONENTIAL;
            default -> Schedule.NORMAL;
        } : Schedule.of(scheduleName);
        return request.withSampler(sampler.id(), (schedule == null ? Schedule.NORMAL : schedule).id());
    }

    /**
     * A request made of a picture's text.
     *
     * @param notes what of the text could not be used, for people to read
     */
    public record Filled(ImageRequest request, List<String> notes) {}

    private final class Filling {
        private ImageRequest request;

        Filling(ImageRequest request) { this.request = request; }

        void read(String name, List<String> notes, Consumer<String> use) {
            String value = fields.get(name);
            if (value == null) return;
            try {
                use.accept(value);
            } catch (NumberFormatException e) {
                notes.add("%s: '%s' is not a number that can be used".formatted(name, shortened(value)));
            } catch (IllegalArgumentException e) {
                notes.add("%s: %s".formatted(name, e.getMessage()));
            }
        }

        private static String shortened(String value) { return value.length() > 40 ? value.substring(0, 40) + "..." : value; }
    }
}
