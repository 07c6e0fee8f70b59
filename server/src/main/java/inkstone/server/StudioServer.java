package inkstone.server;

import inkstone.diffusion.ImageModelInfo;
import inkstone.server.images.Paintings;
import inkstone.server.jobs.Jobs;
import io.javalin.Javalin;
import io.javalin.compression.CompressionStrategy;
import io.javalin.config.JavalinConfig;
import io.javalin.config.SizeUnit;
import io.javalin.util.JavalinBindException;
import java.io.IOException;
import java.net.BindException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.Callback;

/**
 * The HTTP server: the web app, the OpenAI-style API, and what watches over both. Each request runs on a virtual thread of its own and only translates, from JSON
 * to a request to the scheduler, and from pieces of text to JSON. Starts in {@link #start}, ends in {@link #close}; closing leaves the model to its owner.
 */
public final class StudioServer implements AutoCloseable {
    public static final String VERSION = "0.1.0";

    /* What they tell of starting and of strange requests, a user gets from us in one line or need not know. Held here: unheld loggers are forgotten. */
    private static final List<Logger> TALKATIVE = List.of(Logger.getLogger("org.eclipse.jetty"), Logger.getLogger("io.javalin"));

    private final Javalin javalin;
    private final ServerSettings settings;
    private final Traffic traffic;

    private StudioServer(Javalin javalin, ServerSettings settings, Traffic traffic) {
        this.javalin = javalin;
        this.settings = settings;
        this.traffic = traffic;
    }

    /** Without training and painting. */
    public static StudioServer start(ServerSettings settings, Served served) throws IOException { return start(settings, served, null, null); }

    /**
     * @param jobs      what is trained here; null where nothing is. Whoever made them closes them, after the server
     * @param paintings what is painted here; likewise
     * @throws BindException where the port is taken or the address is not one of this machine
     */
    public static StudioServer start(ServerSettings settings, Served served, Jobs jobs, Paintings paintings) throws IOException {
        TALKATIVE.forEach(logger -> logger.setLevel(Level.OFF));
        var traffic = new Traffic();
        var tickets = new Tickets();
        var filter = new SecurityFilter(settings, ContentPolicy.of(WebFiles.startPage()), traffic, tickets);
        var javalin = Javalin.create(config -> {
            configure(config, settings);
            route(config, settings, served, jobs != null, paintings == null ? List.of() : paintings.easel().models(), filter, traffic);
            if (jobs != null) new TrainingRoutes(jobs, traffic, settings.limits(), tickets).addTo(config.routes);
            if (paintings != null) new ImageRoutes(paintings, traffic, settings, tickets).addTo(config.routes);
        });
        try {
            javalin.start();
        } catch (JavalinBindException taken) {
            throw (BindException) new BindException("%s port %d cannot be listened on: it is in use, or not ours to use; choose another with --port"
                .formatted(settings.host(), settings.port())).initCause(taken);
        }
        return new StudioServer(javalin, settings, traffic);
    }

    private static void configure(JavalinConfig config, ServerSettings settings) {
        config.startup.showJavalinBanner = false;
        config.startup.showOldJavalinVersionWarning = false;
        config.startup.startupWatcherEnabled = false;
        config.concurrency.useVirtualThreads = true;
        /* Nothing is compressed: on this machine it costs more than it saves, and a compressor would hold event streams back. */
        config.http.compressionStrategy = CompressionStrategy.NONE;
        config.http.prefer405over404 = true;
        /* Forms come with a picture and a mask; what is too large is refused before it is kept anywhere. */
        config.jetty.multipartConfig.maxFileSize(settings.limits().formBytes(), SizeUnit.BYTES);
        config.jetty.multipartConfig.maxTotalRequestSize(settings.limits().formBytes(), SizeUnit.BYTES);
        config.jetty.multipartConfig.maxInMemoryFileSize(settings.limits().pictureBytes(), SizeUnit.BYTES);
        config.jetty.modifyHttpConfiguration(http -> http.setSendServerVersion(false));
        config.jetty.addConnector((server, http) -> {
            var connector = new ServerConnector(server, new HttpConnectionFactory(http));
            connector.setHost(settings.host());
            connector.setPort(settings.port());
            connector.setIdleTimeout(settings.limits().silentReader().toMillis());
            return connector;
        });
        config.jetty.modifyServer(server -> server.setErrorHandler(StudioServer::refuse));
    }

    private static void route(JavalinConfig config, ServerSettings settings, Served served, boolean trains, List<ImageModelInfo> painters, SecurityFilter filter, Traffic traffic) {
        var limits = settings.limits();
        var answers = new Answers(served, traffic, limits);
        var constraints = new Constraints(served.model().tokenizer());
        var adapters = new AdapterRoutes(served, limits);
        var chats = new ChatRoutes(served, answers, constraints, adapters, limits);
        var completions = new CompletionRoutes(served, answers, constraints, adapters, limits);
        var embeddings = new EmbeddingRoutes(served, limits);
        var models = new ModelRoutes(served, trains, painters, traffic);
        var routes = config.routes;
        Errors.addTo(routes);
        routes.before(filter::check);
        routes.before(new WebFiles()::serve);
        routes.before(filter::requireKey);
        routes.post("/v1/chat/completions", chats::complete);
        routes.post("/v1/completions", completions::complete);
        routes.post("/v1/embeddings", embeddings::embed);
        routes.get("/v1/models", models::list);
        routes.get("/v1/models/{id}", models::one);
        routes.get("/lora-adapters", adapters::list);
        routes.post("/lora-adapters", adapters::set);
        routes.get("/health", models::health);
        routes.get("/api/studio", models::studio);
    }

    /** What Jetty refuses before any route is reached (broken requests, oversized headers), in the same words as every other error. */
    private static boolean refuse(Request request, Response response, Callback callback) {
        int status = response.getStatus() >= 400 ? response.getStatus() : 500;
        response.setStatus(status);
        response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/json");
        response.getHeaders().put("X-Content-Type-Options", "nosniff");
        response.write(true, ByteBuffer.wrap(Json.bytes(Errors.body(Errors.ofStatus(status, request.getMethod())))), callback);
        return true;
    }

    /** The port that is listened on. */
    public int port() { return javalin.port(); }

    public String url() { return "http://%s:%d".formatted(SecurityFilter.bracketed(settings.host()), port()); }

    /** Refuses new requests, lets running answers end for a while, cuts the rest, and gives the port back. */
    @Override public void close() {
        try {
            traffic.drain(settings.limits().farewell());
        } catch (InterruptedException hurry) {
            Thread.currentThread().interrupt();
        }
        javalin.stop();
    }
}
