// The page's side of the HTTP API: one GET for the state of the studio, one POST whose answer arrives as server-sent events, one for vectors.

const KEY = "inkstone.key";

/** Keeps the key that the server demands of other machines, for as long as this tab lives. */
export function setKey(key) {
  sessionStorage.setItem(KEY, key);
}

/** Whether requests carry a key. */
export function hasKey() {
  return sessionStorage.getItem(KEY) !== null;
}

/** What went wrong, told by kind, so that the page can offer the one action that helps. */
export class ChatError extends Error {
  /** kind: "gone" (no server), "locked" (wants its key), "busy" (come back later), "full" (context length), "absent" (no such thing), "refused" (anything else the server says no to). */
  constructor(kind, message, retryAfter = 0) {
    super(message);
    this.kind = kind;
    this.retryAfter = retryAfter;
  }
}

/**
 * Splits a text/event-stream into the data of its events (WHATWG HTML, section 9.2.6). Text may be cut anywhere, also between CR and LF.
 * Comments, which servers send to keep a connection open, and fields other than data and id are dropped.
 */
export class EventParser {
  #rest = "";
  #data = [];
  /** What the last event with a name was called: where to go on after a broken connection. */
  lastId = "";

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
      } else if (line.startsWith("id:")) {
        this.lastId = line.slice(3).trim();
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
  for await (const data of events(response, new EventParser(), signal)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw explain(chunk.error, 500, 0);
    yield chunk;
  }
  throw new ChatError("gone", "the stream ended before the answer did");
}

/** The data of each event of a response, until it ends. */
async function* events(response, parser, signal) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await read(reader, signal);
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    reader.cancel().catch(() => {});   // already closed or aborted: nothing is left to cancel
  }
}

/** Asks for JSON, or sends some and gets JSON back; undefined where there is nothing to say. Throws ChatError. */
export async function ask(method, path, body, signal) {
  const response = await reach(path, body === undefined ? { method, signal } : { method, signal, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!response.ok) throw await refusal(response);
  return response.status === 204 ? undefined : response.json();
}

/**
 * Follows an event stream: yields [data, id] of each event after `lastId`, as JSON already read. Ends when the server ends it; throws ChatError, and the
 * signal's AbortError. With a body it is a POST.
 */
export async function* follow(path, { lastId, body, signal }) {
  const headers = { ...(lastId ? { "Last-Event-ID": lastId } : {}), ...(body ? { "Content-Type": "application/json" } : {}) };
  const response = await reach(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal, cache: "no-store" });
  if (!response.ok) throw await refusal(response);
  const parser = new EventParser();
  for await (const data of events(response, parser, signal)) {
    if (data === "[DONE]") return;
    const event = JSON.parse(data);
    if (event.error) throw explain(event.error, 500, 0);
    yield [event, parser.lastId];
  }
}

/** Sends a file as it is; tells how much of it has gone, from 0 to 1. fetch() cannot tell that. Throws ChatError. */
export function upload(path, file, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(), key = sessionStorage.getItem(KEY);
    request.open("POST", path);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", "application/octet-stream");
    if (key) request.setRequestHeader("Authorization", `Bearer ${key}`);
    request.upload.onprogress = event => { if (event.lengthComputable) onProgress(event.loaded / event.total); };
    request.onload = () => request.status < 300 ? resolve(request.response) : reject(explain(request.response?.error ?? {}, request.status, 0));
    request.onerror = () => reject(new ChatError("gone", "the connection broke while the file was sent"));
    request.send(file);
  });
}

/** An address that an <img> can show: of a server with a key, which pictures cannot carry, the picture itself as a blob. Throws ChatError. */
export async function keyed(url) {
  if (!hasKey()) return url;
  const response = await reach(url);
  if (!response.ok) throw await refusal(response);
  return URL.createObjectURL(await response.blob());
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
  const kind = code === "context_length_exceeded" ? "full" : status === 404 ? "absent" : status === 401 ? "locked" : status === 429 || status === 503 ? "busy" : "refused";
  return new ChatError(kind, message ?? `the server answered with status ${status}`, retryAfter);
}
