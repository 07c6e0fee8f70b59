package inkstone.tensor.checkpoint;

import inkstone.tensor.DType;
import inkstone.tensor.Shape;

/** A tensor of a file: its name there, its format, and its shape, outermost dimension first (GGUF stores the reverse). */
public record TensorInfo(String name, DType dtype, Shape shape) {}
