package inkstone.diffusion.picture;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import inkstone.diffusion.ImageRequest;
import inkstone.diffusion.Picture;
import inkstone.diffusion.sampling.NoiseGenerator;
import inkstone.diffusion.sampling.Sampler;
import inkstone.diffusion.sampling.Schedule;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ParametersTest {
    private static final long SEED = 20;
    private static final ImageRequest DEFAULTS = new ImageRequest("", "", 64, 64, 8, 3, 0, "euler", "trailing", -1, "inkstone", 0, 1, null, null, 1);

    @Test void textHasTheFormThatProgramsRead() {
        var request = DEFAULTS.withPrompt("a red apple, (3d:1.2)").withNegative("blurry, text").withSampler("euler_a", "karras").withSteps(20).withGuidance(7).withSize(512, 512).withNoise("cpu");
        assertEquals("""
            a red apple, (3d:1.2)
            Negative prompt: blurry, text
            Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 512x512, Model: sd-v1-5, RNG: CPU, Version: Inkstone""",
            Parameters.of(request, 42, "sd-v1-5").text());
        var from = request.withNegative("").withPicture(new Picture(1, 1, 1, new byte[1]), null, 0.6f).withRescale(0.7f).withEta(0.5f).withGuidance(7.5f);
        assertEquals("""
            a red apple, (3d:1.2)
            Steps: 20, Sampler: Euler a, Schedule type: Karras, CFG scale: 7.5, CFG rescale: 0.7, Seed: -3, Size: 512x512, Model: "a, \\"b\\": c", Denoising strength: 0.6, Eta: 0.5, RNG: CPU, Version: Inkstone""",
            Parameters.of(from, -3, "a, \"b\": c").text());
    }

    @Test void whatIsWrittenComesBack() {
        var random = new Random(SEED);
        for (int n = 0; n < 500; n++) {
            var request = DEFAULTS.withPrompt(text(random)).withNegative(text(random)).withSteps(1 + random.nextInt(1000)).withGuidance(random.nextInt(300) / 10f).withRescale(random.nextInt(11) / 10f)
                .withSeed(random.nextLong()).withSize(1 + random.nextInt(4096), 1 + random.nextInt(4096)).withNoise(any(random, NoiseGenerator.values()).id());
            var sampler = any(random, Sampler.values());
            request = request.withSampler(sampler.id(), any(random, Schedule.values()).id()).withEta(sampler.choosesEta() && random.nextBoolean() ? random.nextInt(11) / 10f : -1);
            var parameters = Parameters.of(request, request.seed(), "any: model, \"of\" mine" + n);
            var parsed = Parameters.parse(parameters.text());
            assertEquals(parameters, parsed, "seed " + SEED + ", case " + n);
            assertEquals(new Parameters.Filled(request, List.of()), parsed.fill(DEFAULTS), "seed " + SEED + ", case " + n);
        }
    }

    private static <T> T any(Random random, T[] all) { return all[random.nextInt(all.length)]; }

    /** Lines without spaces at their ends, which are not kept; the last word keeps a prompt from being nothing. */
    private static String text(Random random) {
        String[] words = {"a cat,", "(3d:1.2)", "Steps: 3,", "\n", "Model: x", "\"quoted\"", "猫", "<lora:x:1>", "it's", "\\(", "16:9"};
        var text = new StringBuilder();
        for (int i = random.nextInt(8); i > 0; i--) text.append(any(random, words)).append(text.toString().endsWith("\n") ? "" : " ");
        return text.append("end").toString().replace(" \n", "\n").replaceAll("\n +", "\n").strip();
    }

    @Test void filesOfA1111AreUnderstood() {
        var old = Parameters.parse("""
            masterpiece, a lighthouse
              at night, storm
            Negative prompt: lowres, (worst quality:1.4),
            more of it
            Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 965400086, Size: 768x512, Model hash: c6bbc15e32, Model: sd v1.5, Denoising strength: 0.45, Clip skip: 2, Hires upscale: 2, \
            Lora hashes: "add_detail: 7c6bad76eb54, b: 1", TI hashes: "x: \\"y\\"", Version: v1.6.0""");
        assertEquals("masterpiece, a lighthouse\nat night, storm", old.prompt());
        assertEquals("lowres, (worst quality:1.4),\nmore of it", old.negative());
        assertEquals("add_detail: 7c6bad76eb54, b: 1", old.fields().get("Lora hashes"));
        assertEquals("x: \"y\"", old.fields().get("TI hashes"));
        assertEquals("sd v1.5", old.model());
        var filled = old.fill(DEFAULTS);
        assertEquals(List.of(), filled.notes());
        assertEquals(DEFAULTS.withPrompt(old.prompt()).withNegative(old.negative()).withSteps(28).withSampler("dpmpp_2m", "karras").withGuidance(6.5f).withSeed(965400086).withSize(768, 512)
            .withNoise("cuda"), filled.request());

        assertEquals(List.of("euler_a", "normal"), walk("Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"));
        assertEquals(List.of("dpmpp_2m", "karras"), walk("Steps: 20, Sampler: DPM++ 2M, Schedule type: Automatic, CFG scale: 7, Seed: 1"));
        assertEquals(List.of("dpmpp_2m_sde", "exponential"), walk("Steps: 20, Sampler: DPM++ 2M SDE Exponential, CFG scale: 7, Seed: 1"));
        assertEquals(List.of("dpmpp_2m", "sgm_uniform"), walk("Steps: 20, Sampler: DPM++ 2M, Schedule type: SGM Uniform, CFG scale: 7"));
        assertEquals(List.of("euler", "karras"), walk("Steps: 20, CFG scale: 7, Eta: 0, Seed: 42, RNG: cuda, Sampler: euler karras, Version: stable-diffusion.cpp"));
        assertEquals("cpu", Parameters.parse("x\nSteps: 20, Seed: 4, RNG: CPU").fill(DEFAULTS).request().noise());
    }

    private static List<String> walk(String line) {
        var request = Parameters.parse("x\n" + line).fill(DEFAULTS).request();
        return List.of(request.sampler(), request.schedule());
    }

    @Test void whatCannotBeUsedIsNoted() {
        var filled = Parameters.parse("a cat\nSteps: many, Sampler: DPM++ 3M SDE Karras, CFG scale: 1e999x, Seed: 99999999999999999999, Size: 12, Denoising strength: 0.5").fill(DEFAULTS);
        assertEquals(DEFAULTS.withPrompt("a cat").withNoise("cuda"), filled.request());
        assertEquals(List.of("Steps: 'many' is not a number that can be used", "CFG scale: '1e999x' is not a number that can be used",
            "Seed: '99999999999999999999' is not a number that can be used", "Size: it should be as 512x512",
            "Sampler: unknown sampler 'DPM++ 3M SDE'; there are euler, euler_a, heun, dpm2, dpmpp_2m, dpmpp_2s_a, dpmpp_sde, dpmpp_2m_sde, lms, uni_pc, lcm, ddim, ddpm",
            "it was painted over another picture, which is not in this file"), filled.notes());
    }

    @Test void filesOfComfyUiAreUnderstood() {
        String graph = """
            {"4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd.safetensors"}},
             "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768, "batch_size": 1}},
             "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a lighthouse", "clip": ["4", 1]}},
             "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "text", "clip": ["4", 1]}},
             "8": {"class_type": "ControlNetApply", "inputs": {"conditioning": ["6", 0], "strength": 1, "image": ["9", 0]}},
             "9": {"class_type": "LoadImage", "inputs": {"image": "x.png"}},
             "10": {"class_type": "LoraLoader", "inputs": {"model": ["4", 0]}},
             "3": {"class_type": "KSampler", "inputs": {"seed": 156680208700286, "steps": 20, "cfg": 8.0, "sampler_name": "dpmpp_2s_ancestral", "scheduler": "sgm_uniform", "denoise": 1.0,
               "model": ["10", 0], "positive": ["8", 0], "negative": ["7", 0], "latent_image": ["5", 0]}}}""";
        var parameters = of(Map.of("prompt", graph)).orElseThrow();
        assertEquals("sd.safetensors", parameters.model());
        assertEquals(new Parameters.Filled(DEFAULTS.withPrompt("a lighthouse").withNegative("text").withSteps(20).withGuidance(8).withSeed(156680208700286L).withSize(512, 768)
            .withSampler("dpmpp_2s_a", "sgm_uniform").withNoise("cpu"), List.of()), parameters.fill(DEFAULTS));
        // A ring of links ends; what is no graph says nothing; A1111's text goes first.
        assertEquals("", of(Map.of("prompt", "{\"a\": {\"inputs\": {\"steps\": 2, \"sampler_name\": \"euler\", \"positive\": [\"a\", 0]}}}")).orElseThrow().prompt());
        for (String none : List.of("", "{", "[1, 2]", "null", "{\"a\": 3}", "[".repeat(100_000))) assertEquals(Optional.empty(), of(Map.of("prompt", none)), none.substring(0, Math.min(9, none.length())));
        assertEquals("a cat", of(Map.of("prompt", graph, "parameters", "a cat")).orElseThrow().prompt());
        assertEquals(Optional.empty(), of(Map.of("Software", "x")));
    }

    private static Optional<Parameters> of(Map<String, String> texts) { return Parameters.of(new PictureFile(new Picture(1, 1, 1, new byte[1]), "PNG", texts)); }

    @Test void anyTextIsAPromptAtLeast() {
        assertEquals(new Parameters("", "", Map.of()), Parameters.parse(""));
        assertEquals(new Parameters("just words", "", Map.of()), Parameters.parse("just words"));
        assertEquals(new Parameters("cat\nSteps: 3, Seed: 4", "", Map.of()), Parameters.parse("cat\nSteps: 3, Seed: 4"));
        assertEquals(new Parameters("", "only", Map.of()), Parameters.parse("Negative prompt: only"));
        var random = new Random(SEED);
        String signs = "aS:,\"\\x12 \nNegative prompt:";
        for (int n = 0; n < 2_000; n++) {
            var text = new StringBuilder("a: 1, b2: 2, ");
            for (int i = random.nextInt(80); i > 0; i--) text.append(signs.charAt(random.nextInt(signs.length())));
            Parameters.parse(text.toString()).fill(DEFAULTS);
        }
        for (String hostile : List.of("\"", "a:\"", ":", ",", "ab: \"\\\\", "ab: 1,", "\n", " ")) {
            assertTimeoutPreemptively(Duration.ofSeconds(5), () -> Parameters.parse(hostile.repeat((1 << 20) / hostile.length())).fill(DEFAULTS), hostile);
        }
    }
}
