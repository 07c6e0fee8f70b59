package inkstone.transformer;

import java.util.List;

/**
 * A part of an answer as it grows.
 *
 * @param text     complete characters; may be empty while a character or a possible stop text is held back
 * @param tokens   tokens written so far
 * @param logprobs of the tokens whose text begins in this part, where they were asked for: held back as long as their text, and left out with it where a stop
 *                 text cuts it off
 */
public record Piece(String text, int tokens, List<TokenLogprob> logprobs) {}
