package inkstone.server;

import inkstone.transformer.UnitVectors;
import io.javalin.http.Context;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/**
 * {@code POST /v1/embeddings}: texts in, one vector of length 1 for each out.
 */
final class EmbeddingRoutes {
    /** How often it is looked whether the client still waits. */
    private static final long LOOK_MILLIS = 200;

    private final Served served;
    private final Limits limits;

    EmbeddingRoutes(Served served, Limits limits) {
        this.served = served;
        this.limits = limits;
    }

    void embed(Context context) throws IOException, InterruptedException {
        var fields = Json.read(context.req(), limits.bodyBytes());
        ModelRoutes.requireModel(fields.string("model", Served.ANY_MODEL), served);
        var request = EmbeddingRequest.of(fields, served, limits);
        var client = new Client(context.req());
        var vectors = vectors(request, client);
        if (vectors == null) return;
        if (client.pipelining()) context.header("Connection", "close");
        answer(context, request, vectors);
    }

    /** Null where the client went away meanwhile. */
    private List<float[]> vectors(EmbeddingRequest request, Client client) throws InterruptedException {
        var vectors = served.scheduler().embed(request.inputs(), request.pooling());
        try {
            while (true) {
                try {
                    return vectors.get(LOOK_MILLIS, TimeUnit.MILLISECONDS);
                } catch (TimeoutException notYet) {
                    if (client.gone()) return null;
                }
            }
        } catch (ExecutionException failed) {
            throw Errors.of(failed.getCause());
        } finally {
            vectors.cancel(false);
        }
    }

    private void answer(Context context, EmbeddingRequest request, List<float[]> vectors) {
        var document = Json.object().put("object", "list");
        var data = document.putArray("data");
        for (int index = 0; index < vectors.size(); index++) {
            var entry = data.addObject().put("object", "embedding").put("index", index);
            var vector = UnitVectors.shortened(vectors.get(index), request.dimensions());
            entry.set("embedding", request.base64() ? JsonNodeFactory.instance.stringNode(base64(vector)) : numbers(vector));
        }
        int tokens = request.inputs().stream().mapToInt(input -> input.length).sum();
        document.put("model", served.model().name()).putObject("usage").put("prompt_tokens", tokens).put("total_tokens", tokens);
        Json.answer(context, document);
    }

    private static JsonNode numbers(float[] vector) {
        var array = JsonNodeFactory.instance.arrayNode(vector.length);
        for (float value : vector) array.add(value);
        return array;
    }

    private static String base64(float[] vector) {
        var bytes = ByteBuffer.allocate(4 * vector.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(vector);
        return Base64.getEncoder().encodeToString(bytes.array());
    }
}
