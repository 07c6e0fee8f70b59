package inkstone.transformer;

/**
 * A part of an answer as it grows.
 *
 * @param text   complete characters; may be empty while a character or a possible stop text is held back
 * @param tokens tokens written so far
 */
public record Piece(String text, int tokens) {}
