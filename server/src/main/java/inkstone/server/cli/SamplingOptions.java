package inkstone.server.cli;

import inkstone.transformer.SamplerSettings;
import java.util.concurrent.ThreadLocalRandom;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How tokens are drawn; the defaults are those of the server, which are the model's. */
final class SamplingOptions {
    @Spec(Spec.Target.MIXEE) private CommandSpec command;

    @Option(names = "--temperature", paramLabel = "F", description = "0 always takes the likeliest token. Default: 0.8, with the embedded model 0.4.")
    private Float temperature;

    @Option(names = "--top-k", paramLabel = "N", description = "Keep the N likeliest tokens; 0 keeps all. Default: 40.")
    private Integer topK;

    @Option(names = "--top-p", paramLabel = "F", description = "Keep the likeliest tokens that have this probability together. Default: 0.95.")
    private Float topP;

    @Option(names = "--min-p", paramLabel = "F", description = "Drop tokens less likely than F times the likeliest. Default: 0.05.")
    private Float minP;

    @Option(names = "--repeat-penalty", paramLabel = "F", description = "Make tokens of the last 64 less likely; 1 is off. Default: 1.")
    private Float repeatPenalty;

    @Option(names = "--seed", paramLabel = "N", description = "Same seed, same text. Default: drawn at random.")
    private Long seed;

    /** @param usual what the user does not say */
    SamplerSettings settings(SamplerSettings usual) {
        try {
            return new SamplerSettings(temperature == null ? usual.temperature() : temperature, topK == null ? usual.topK() : topK, topP == null ? usual.topP() : topP,
                minP == null ? usual.minP() : minP, repeatPenalty == null ? usual.repetitionPenalty() : repeatPenalty, usual.presencePenalty(), usual.frequencyPenalty(), usual.penaltyWindow(),
                seed == null ? ThreadLocalRandom.current().nextLong() : seed);
        } catch (IllegalArgumentException problem) {
            throw new ParameterException(command.commandLine(), problem.getMessage());
        }
    }
}
