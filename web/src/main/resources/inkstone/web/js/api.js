// The page's side of the HTTP API: one GET for the state of the studio, one POST whose answer arrives as server-sent events, one for vectors.

const KEY = "inkstone.key";

/** Keeps the key that the server demands of other machines, for as long as this tab lives. */
export function setKey(key) {
  sessionStorage.setItem(KEY, key);
}

/** What went wrong, told by kind, so that the page can offer the one action that helps. */
export class ChatError extends Error {
  /** kind: "gone" (no server), "locked" (wants its key), "busy" (come back later), "full" (context length), "refused" (anything else the server says no to). */
  constructor(kind, message, retryAfter = 0) {
    super(message);
    this.kind = kind;
    this.retryAfter = retryAfter;
  }
}

/**
 * Splits a text/event-stream into the data of its events (WHATWG HTML, section 9.2.6). Text may be cut anywhere, also between CR and LF.
 * Comments, which servers send to keep a connection open, and fields other than data are dropped.
 */
export class EventParser {
  #rest = "";
  #data = [];

  /** Takes the next piece of text; returns the data of each event that it completes. */
  push(text) {
    const events = [];
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);   // a CR at the very end waits: its LF may be in the next piece
    this.#rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length) events.push(this.#data.join("\n"));
        this.#data = [];
      } else if (line.startsWith("data:")) {
        this.#data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
    return events;
  }
}

/** GET /api/studio: version, model, machine, defaults, queue. */
export async function studio() {
  const response = await reach("/api/studio");
  if (!response.ok) throw await refusal(response);
  return response.json();
}

/**
 * Streams one answer: yields each chunk of POST /v1/chat/completions as it comes. Throws ChatError; an aborted signal throws its AbortError,
 * which also closes the connection, and so the server stops generating.
 */
export async function* chat(request, signal) {
  const response = await reach("/v1/chat/completions", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } }),
    signal,
  });
  if (!response.ok) throw await refusal(response);
  const parser = new EventParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await read(reader, signal);
      if (done) throw new ChatError("gone", "the stream ended before the answer did");
      for (const data of parser.push(value)) {
        if (data === "[DONE]") return;
        const chunk = JSON.parse(data);
        if (chunk.error) throw explain(chunk.error, 500, 0);
        yield chunk;
      }
    }
  } finally {
    reader.cancel().catch(() => {});   // already closed or aborted: nothing is left to cancel
  }
}

/** The vectors of texts, of length 1 each, and how many tokens they took. Throws ChatError. */
export async function embed(texts) {
  const response = await reach("/v1/embeddings", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ input: texts }) });
  if (!response.ok) throw await refusal(response);
  const { data, usage } = await response.json();
  return { vectors: data.map(entry => entry.embedding), tokens: usage.total_tokens };
}

async function reach(url, { headers, ...options } = {}) {
  const key = sessionStorage.getItem(KEY);
  try {
    return await fetch(url, { ...options, headers: key ? { ...headers, Authorization: `Bearer ${key}` } : headers });
  } catch (error) {
    throw error.name === "AbortError" ? error : new ChatError("gone", "the server does not answer");
  }
}

async function read(reader, signal) {
  try {
    return await reader.read();
  } catch (error) {
    signal?.throwIfAborted();
    throw new ChatError("gone", "the connection broke");
  }
}

async function refusal(response) {
  const body = await response.json().catch(() => ({}));
  return explain(body.error ?? {}, response.status, Number(response.headers.get("Retry-After")) || 0);
}

function explain({ message, code }, status, retryAfter) {
  const kind = code === "context_length_exceeded" ? "full" : status === 401 ? "locked" : status === 429 || status === 503 ? "busy" : "refused";
  return new ChatError(kind, message ?? `the server answered with status ${status}`, retryAfter);
}
