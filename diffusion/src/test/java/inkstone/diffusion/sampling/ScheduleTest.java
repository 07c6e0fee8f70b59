package inkstone.diffusion.sampling;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

class ScheduleTest {
    @Test void levelsAreThoseOfAProgramWrittenApart() throws IOException {
        for (String[] words : Levels.lines("schedules.txt")) {
            NoiseModel noise = Levels.of(words[0]);
            int steps = words.length - 3;
            double[] sigmas = words[1].equals("poly2") ? Schedule.polyexponential(noise, steps, 2) : Schedule.of(words[1]).sigmas(noise, steps);
            // Nine digits are written; ends of the tables in the papers have eleven.
            for (int i = 0; i <= steps; i++) assertEquals(Double.parseDouble(words[2 + i]), sigmas[i], 2e-8 * sigmas[i], String.join(" ", words[0], words[1]) + " of " + steps + ", step " + i);
        }
    }

    @Test void noiseFallsWithEveryStepToNothing() {
        for (var noise : List.of(Levels.SD, Levels.FLOW3, Levels.EDM, DiscreteNoise.ofBetas(DiscreteNoise.cosine(1000), Parameterization.VELOCITY))) for (var schedule : Schedule.values()) {
            for (int steps : new int[]{1, 2, 3, 13, 50, 99, 333, 1000}) {
                if (schedule == Schedule.AYS && noise != Levels.SD || schedule == Schedule.LCM && steps > 50) continue;
                double[] sigmas = schedule.sigmas(noise, steps);
                assertEquals(steps + 1, sigmas.length);
                assertEquals(0, sigmas[steps]);
                for (int i = 0; i < steps; i++) assertTrue(sigmas[i] > sigmas[i + 1], schedule + " of " + steps + " in " + noise + ", step " + i + ": " + sigmas[i] + ", " + sigmas[i + 1]);
                if (schedule != Schedule.DDIM) assertEquals(noise.sigmaMax(), sigmas[0], 1e-9 * sigmas[0], schedule + " begins with all noise");
            }
        }
    }

    @Test void flowsAreShiftedAsTheirAuthorsSay() {
        double[] sd3 = Schedule.TRAILING.sigmas(new FlowNoise(3, 1000, Parameterization.FLOW), 4);
        for (int i = 0; i <= 4; i++) { double t = 1 - i / 4.0; assertEquals(3 * t / (1 + 2 * t), sd3[i], 1e-12); }
        var flux = new FlowNoise(1, 1, Parameterization.FLOW);
        assertEquals(Math.exp(0.5), flux.forTokens(256).shift(), 1e-12);
        assertEquals(Math.exp(1.15), flux.forTokens(4096).shift(), 1e-12);
        // FLUX.2: both of its lines, and between them by steps.
        assertEquals(Math.exp(8.73809524e-5 * 1024 + 1.89833333), flux.forTokens(1024, 10).shift(), 1e-9);
        assertEquals(Math.exp(0.00016927 * 1024 + 0.45666666), flux.forTokens(1024, 200).shift(), 1e-9);
        assertEquals(Math.exp(0.00016927 * 4400 + 0.45666666), flux.forTokens(4400, 10).shift(), 1e-9);
    }

    @Test void namesOfOtherProgramsAreUnderstood() {
        assertEquals(Schedule.SGM_UNIFORM, Schedule.of("SGM Uniform"));
        assertEquals(Schedule.AYS, Schedule.of("Align Your Steps"));
        assertEquals(Schedule.NORMAL, Schedule.of("discrete"));
        assertEquals(Schedule.DDIM, Schedule.of("ddim_uniform"));
        assertEquals(Sampler.DPMPP_2S_A, Sampler.of("dpmpp_2s_ancestral"));
        assertEquals(Sampler.DPMPP_2M, Sampler.of("dpm++2m"));
        assertEquals(Sampler.DPMPP_2M_SDE, Sampler.of("DPM++ 2M SDE"));
        assertEquals(Sampler.EULER_A, Sampler.of("Euler a"));
        assertEquals(Sampler.DPM2, Sampler.of("dpm_2"));
        for (var sampler : Sampler.values()) assertEquals(sampler, Sampler.of(sampler.id()));
        for (var schedule : Schedule.values()) assertEquals(schedule, Schedule.of(schedule.label()));
        var unknown = assertThrows(IllegalArgumentException.class, () -> Sampler.of("dpm fast"));
        assertEquals("unknown sampler 'dpm fast'; there are euler, euler_a, heun, dpm2, dpmpp_2m, dpmpp_2s_a, dpmpp_sde, dpmpp_2m_sde, lms, uni_pc, lcm, ddim, ddpm", unknown.getMessage());
    }

    @Test void whatCannotBeScheduledIsSaid() {
        assertEquals("steps must be 1 to 1000, got 0", assertThrows(IllegalArgumentException.class, () -> Schedule.KARRAS.sigmas(Levels.SD, 0)).getMessage());
        assertEquals("schedule lcm has at most 50 steps, got 51", assertThrows(IllegalArgumentException.class, () -> Schedule.LCM.sigmas(Levels.SD, 51)).getMessage());
        assertThrows(IllegalArgumentException.class, () -> Schedule.AYS.sigmas(Levels.FLOW3, 10));
        assertThrows(IllegalArgumentException.class, () -> Schedule.AYS.sigmas(DiscreteNoise.ofBetas(DiscreteNoise.linear(1000, 1e-4, 0.02), Parameterization.EPSILON), 10));
    }
}
