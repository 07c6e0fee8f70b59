package inkstone;

import inkstone.server.Limits;
import inkstone.server.Served;
import inkstone.server.ServerSettings;
import inkstone.server.StudioServer;
import inkstone.server.images.Paintings;
import inkstone.server.jobs.Jobs;
import inkstone.tensor.Backend;
import inkstone.tensor.DType;
import inkstone.tensor.cpu.CpuBackend;
import inkstone.transformer.BatchScheduler;
import inkstone.transformer.LanguageModel;
import inkstone.transformer.Models;
import java.io.IOException;
import java.nio.file.Path;

/** The whole server with a model file, on a free port, for a test class. */
public record TinyStudio(Backend backend, LanguageModel model, BatchScheduler scheduler, StudioServer server) implements AutoCloseable {
    public static TinyStudio start(Path modelFile) throws IOException { return start(modelFile, 0, null); }

    public static TinyStudio start(Path modelFile, int port, Jobs jobs) throws IOException { return start(modelFile, port, jobs, null); }

    /**
     * @param jobs      what is trained; null: nothing. Whoever made them closes them
     * @param paintings what is painted; likewise
     */
    public static TinyStudio start(Path modelFile, int port, Jobs jobs, Paintings paintings) throws IOException {
        var backend = new CpuBackend(1);
        var model = Models.open(modelFile, backend);
        int context = model.model().config().contextLength();
        var scheduler = BatchScheduler.start(model, new BatchScheduler.Settings(context, 2 * context, DType.F32, 4, 8));
        var served = new Served(model, scheduler, context, new Served.KvMemory("f32", 2 * context, scheduler.cacheBytes()), 1);
        return new TinyStudio(backend, model, scheduler, StudioServer.start(new ServerSettings("127.0.0.1", port, null, Limits.DEFAULT), served, jobs, paintings));
    }

    public String url() { return server.url(); }

    @Override public void close() {
        server.close();
        scheduler.close();
        model.close();
        backend.close();
    }
}
