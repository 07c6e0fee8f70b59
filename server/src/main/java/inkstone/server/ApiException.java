package inkstone.server;

/** What a client is told when a request cannot be served, in the terms of OpenAI's error object. Carries no stack trace: it is an answer, not a defect. */
final class ApiException extends RuntimeException {
    private final int status;
    private final String type, param, code;

    /**
     * @param type  "invalid_request_error", "authentication_error", "not_found_error", "rate_limit_error", "server_error", ...
     * @param param the field at fault, or null
     * @param code  a word that programs can test, or null
     */
    ApiException(int status, String type, String param, String code, String message) {
        super(message, null, false, false);
        this.status = status;
        this.type = type;
        this.param = param;
        this.code = code;
    }

    /** 400: the field {@code param} is wrong. */
    static ApiException invalid(String param, String message) { return new ApiException(400, "invalid_request_error", param, null, message); }

    /** 400: what the field {@code param} asks for does not exist here, and answering without it would mislead. */
    static ApiException unsupported(String param, String message) {
        return new ApiException(400, "invalid_request_error", param, "unsupported_parameter", message);
    }

    static ApiException forbidden(String message) { return new ApiException(403, "permission_error", null, "forbidden", message); }

    static ApiException notFound(String message) { return new ApiException(404, "not_found_error", null, "not_found", message); }

    /** 429: come back later. */
    static ApiException tooMany(String message) { return new ApiException(429, "rate_limit_error", null, "queue_full", message); }

    /** 503: the server is about to end. */
    static ApiException stopping() { return new ApiException(503, "server_error", null, "stopping", "the server is stopping; try again when it is back"); }

    int status() { return status; }
    String type() { return type; }
    String param() { return param; }
    String code() { return code; }
}
