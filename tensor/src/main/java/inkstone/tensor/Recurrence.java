package inkstone.tensor;

/**
 * What rows of a recurrent layer hand on to those after them. Rows of one sequence are neighbours and in order. Kernels read the state that a sequence's first row
 * finds, and leave that which its last row makes.
 *
 * @param state     F32 [slots, width], written to; what it holds before a row at position 0 does not matter, such a row begins with zeros
 * @param slots     I32 [n], the line of the state that belongs to each row's sequence
 * @param positions I32 [n], of each row in its sequence
 */
public record Recurrence(Tensor state, Tensor slots, Tensor positions) {}
