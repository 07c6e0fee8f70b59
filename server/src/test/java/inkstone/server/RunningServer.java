package inkstone.server;

import inkstone.server.images.Paintings;
import inkstone.server.jobs.Jobs;
import inkstone.transformer.LanguageModel;
import java.io.IOException;
import java.util.function.BooleanSupplier;

/** A server on a free port with a fake model, for one test. */
record RunningServer(StudioServer server, FakeScheduler scheduler, LanguageModel model) implements AutoCloseable {
    static RunningServer start(FakeScheduler scheduler) throws IOException { return start(scheduler, null, Limits.DEFAULT); }

    static RunningServer start(FakeScheduler scheduler, String apiKey, Limits limits) throws IOException { return start(scheduler, apiKey, limits, null); }

    static RunningServer start(FakeScheduler scheduler, String apiKey, Limits limits, Jobs jobs) throws IOException { return start(scheduler, apiKey, limits, jobs, null); }

    static RunningServer start(FakeScheduler scheduler, String apiKey, Limits limits, Jobs jobs, Paintings paintings) throws IOException {
        var model = FakeModel.create();
        var served = new Served(model, scheduler, FakeModel.CONTEXT, new Served.KvMemory("f16", FakeModel.CONTEXT, 4_096), 2);
        return new RunningServer(StudioServer.start(new ServerSettings("127.0.0.1", 0, apiKey, limits), served, jobs, paintings), scheduler, model);
    }

    int port() { return server.port(); }

    Wire.Reply chat(String body) throws IOException { return Wire.post(port(), "/v1/chat/completions", body); }

    /** Waits up to ten seconds for what another thread is about to bring about. */
    static void await(String what, BooleanSupplier condition) throws InterruptedException {
        for (long end = System.nanoTime() + 10_000_000_000L; !condition.getAsBoolean(); Thread.sleep(5)) {
            if (System.nanoTime() > end) throw new AssertionError("did not come to pass within ten seconds: " + what);
        }
    }

    @Override public void close() {
        scheduler.close();
        server.close();
        model.close();
        model.backend().close();
    }
}
