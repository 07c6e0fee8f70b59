package inkstone.server.cli;

import inkstone.transformer.SamplerSettings;
import java.util.concurrent.ThreadLocalRandom;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How tokens are drawn; the defaults are those of the server. */
final class SamplingOptions {
    @Spec(Spec.Target.MIXEE) private CommandSpec command;

    @Option(names = "--temperature", paramLabel = "F", description = "0 always takes the likeliest token. Default: 0.8.")
    private float temperature = SamplerSettings.DEFAULT.temperature();

    @Option(names = "--top-k", paramLabel = "N", description = "Keep the N likeliest tokens; 0 keeps all. Default: 40.")
    private int topK = SamplerSettings.DEFAULT.topK();

    @Option(names = "--top-p", paramLabel = "F", description = "Keep the likeliest tokens that have this probability together. Default: 0.95.")
    private float topP = SamplerSettings.DEFAULT.topP();

    @Option(names = "--min-p", paramLabel = "F", description = "Drop tokens less likely than F times the likeliest. Default: 0.05.")
    private float minP = SamplerSettings.DEFAULT.minP();

    @Option(names = "--repeat-penalty", paramLabel = "F", description = "Make tokens of the last 64 less likely; 1 is off. Default: 1.")
    private float repeatPenalty = SamplerSettings.DEFAULT.repetitionPenalty();

    @Option(names = "--seed", paramLabel = "N", description = "Same seed, same text. Default: drawn at random.")
    private Long seed;

    SamplerSettings settings() {
        var usual = SamplerSettings.DEFAULT;
        try {
            return new SamplerSettings(temperature, topK, topP, minP, repeatPenalty, usual.presencePenalty(), usual.frequencyPenalty(), usual.penaltyWindow(),
                seed == null ? ThreadLocalRandom.current().nextLong() : seed);
        } catch (IllegalArgumentException problem) {
            throw new ParameterException(command.commandLine(), problem.getMessage());
        }
    }
}
