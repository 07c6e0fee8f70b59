package inkstone.tensor.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;

/** The kernels as the program carries them: PTX text for compute capability 8.0, which the driver compiles for newer devices too, one file for each {@code .cu}. */
final class PtxFiles {
    static final String FOLDER = "/inkstone/tensor/cuda/ptx/";

    byte[] read(String file) {
        try (var stream = PtxFiles.class.getResourceAsStream(FOLDER + file + ".ptx")) {
            if (stream == null) throw new IllegalStateException("this build has no kernels of %s.cu; scripts/build-ptx makes them".formatted(file));
            return stream.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
