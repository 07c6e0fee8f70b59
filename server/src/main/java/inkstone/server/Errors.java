package inkstone.server;

import inkstone.tensor.ModelException;
import inkstone.transformer.ConstraintException;
import inkstone.transformer.ContextFullException;
import inkstone.transformer.QueueFullException;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.Handler;
import io.javalin.http.HttpResponseException;
import java.io.IOException;
import java.util.NoSuchElementException;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.io.EofException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.ObjectNode;

/** Every failure as {@code {"error":{"message","type","param","code"}}}. What is our own fault goes to the log; the client learns only that it happened. */
final class Errors {
    /** Seconds after which a refused client may try again. */
    private static final int RETRY_AFTER = 2;
    private static final Logger LOG = LoggerFactory.getLogger(Errors.class);

    private Errors() {}

    static void addTo(RoutesConfig routes) {
        routes.exception(HttpResponseException.class, (problem, context) ->
            answer(context, ofStatus(problem.getStatus(), context.method() + " " + context.path())));
        routes.exception(Exception.class, (problem, context) -> answer(context, of(problem)));
    }

    /** The answer to give for any failure of a request. */
    static ApiException of(Throwable problem) {
        return switch (problem) {
            case ApiException api -> api;
            case ContextFullException full -> new ApiException(400, "invalid_request_error", null, "context_length_exceeded", full.getMessage());
            case ConstraintException stuck -> new ApiException(400, "invalid_request_error", null, "constraint_not_kept", stuck.getMessage());
            case QueueFullException full -> ApiException.tooMany(full.getMessage());
            case HttpException broken -> ofStatus(broken.getCode(), "");
            case IOException gone -> ApiException.invalid(null, "the request ended before it was whole");
            default -> {
                LOG.error("a request failed", problem);
                yield new ApiException(500, "server_error", null, "internal_error", "the server failed on this request; its log says why");
            }
        };
    }

    /** The answer for what the HTTP layer refused on its own. */
    static ApiException ofStatus(int status, String what) {
        return switch (status) {
            case 404 -> ApiException.notFound("there is nothing at " + shown(what));
            case 405 -> new ApiException(405, "invalid_request_error", null, "method_not_allowed", "the method does not fit: " + shown(what));
            case 413 -> new ApiException(413, "invalid_request_error", null, "request_too_large", "the request is too large");
            case 431 -> new ApiException(431, "invalid_request_error", null, "headers_too_large", "the request's headers are too large");
            default -> status < 500
                ? new ApiException(status, "invalid_request_error", null, "bad_request", "the request is not understood (HTTP " + status + ")")
                : new ApiException(status, "server_error", null, "internal_error", "the server failed on this request (HTTP " + status + ")");
        };
    }

    /** The work of a route to the jobs. */
    interface Work { void with(Context context) throws IOException, InterruptedException; }

    /** What jobs object to, in the words that the API has for it. */
    static Handler told(Work work) {
        return context -> {
            try {
                work.with(context);
            } catch (NoSuchElementException absent) {
                throw ApiException.notFound(absent.getMessage());
            } catch (QueueFullException full) {
                throw ApiException.tooMany(full.getMessage());
            } catch (IllegalStateException wrongMoment) {
                throw new ApiException(409, "invalid_request_error", null, "wrong_moment", wrongMoment.getMessage());
            } catch (IllegalArgumentException | ModelException | UnsupportedOperationException wrong) {
                throw ApiException.invalid(null, wrong.getMessage());
            } catch (EofException gone) {
                throw gone;
            } catch (IOException broken) {
                throw new ApiException(500, "server_error", null, "file_failed", "a file on this machine could not be read or written: " + broken.getMessage());
            }
        };
    }

    static String shown(String what) { return what.length() <= 200 ? what : what.substring(0, 200) + "..."; }

    static ObjectNode body(ApiException problem) {
        var body = Json.object();
        body.putObject("error").put("message", problem.getMessage()).put("type", problem.type()).put("param", problem.param()).put("code", problem.code());
        return body;
    }

    private static void answer(Context context, ApiException problem) {
        if (context.res().isCommitted()) return;
        if (problem.status() == 429 || problem.status() == 503) context.header("Retry-After", Integer.toString(RETRY_AFTER));
        if (problem.status() == 401) context.header("WWW-Authenticate", "Bearer");
        Json.answer(context.status(problem.status()), body(problem));
    }
}
