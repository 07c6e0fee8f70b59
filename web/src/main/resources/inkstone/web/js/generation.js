// One answer while it is being written.

import { chat, ChatError } from "./api.js";

/**
 * Asks for an answer and reports it as it grows. `onProgress({ text, facts })` is called at most once a frame with all that has arrived, however many
 * chunks the frame brought. Resolves to { state, facts, error }; rejects only when `signal` aborts.
 *
 * facts: tokens and rate (tok/s) written, first (ms until the first word), and from the end of the stream: prompt and cached tokens, readRate, total.
 */
export async function generate(request, signal, onProgress) {
  const asked = performance.now();
  const facts = { tokens: 0 };
  let text = "", frame = 0, firstAt = 0, state = "done";
  const report = () => { frame = 0; if (!signal.aborted) onProgress({ text, facts: { ...facts } }); };
  try {
    for await (const chunk of chat(request, signal)) {
      const [choice] = chunk.choices ?? [];
      if (choice?.delta?.content) {
        const now = performance.now();
        text += choice.delta.content;
        facts.tokens++;
        if (!firstAt) facts.first = (firstAt = now) - asked;
        else facts.rate = (facts.tokens - 1) * 1000 / (now - firstAt);
        frame ||= requestAnimationFrame(report);
      }
      if (choice?.finish_reason === "length") state = "length";
      if (chunk.timings) measure(facts, chunk.timings);
      if (chunk.usage) account(facts, chunk.usage);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ChatError)) throw error;
    return { state: "failed", facts, error: { kind: error.kind, message: error.message, retryAfter: error.retryAfter } };
  } finally {
    cancelAnimationFrame(frame);
    if (frame) report();
  }
  return { state, facts };
}

/* The server counts tokens, the page only chunks: a chunk may hold several tokens where characters need more than one. */
function measure(facts, { prompt_per_second, predicted_n, predicted_per_second }) {
  facts.tokens = predicted_n;
  if (predicted_per_second) facts.rate = predicted_per_second;
  if (prompt_per_second) facts.readRate = prompt_per_second;
}

function account(facts, { prompt_tokens, completion_tokens, prompt_tokens_details }) {
  facts.tokens = completion_tokens;
  facts.prompt = prompt_tokens;
  facts.cached = prompt_tokens_details?.cached_tokens ?? facts.cached ?? 0;
  facts.total = prompt_tokens + completion_tokens;
}
