// What the page knows and can do: the open chat, the answers being written, the state of the server. Components read it and call it; each change is
// announced by one "change" event. No DOM here.

import * as api from "./api.js";
import * as tree from "./conversation.js";
import { generate } from "./generation.js";
import { requestFields } from "./settings.js";

const SAVE_EVERY = 2000;   // milliseconds, while an answer grows

export class Session extends EventTarget {
  /** GET /api/studio's last answer; null until the first. */
  studio = null;
  /** The server did not answer the last time it was asked. */
  gone = false;
  /** The server wants its key. */
  locked = false;
  /** The browser has no room for the open chat. */
  unsaved = false;
  /** The question being edited, by id. */
  editing = 0;
  #fresh = tree.create();
  #openId = "";
  #writing = new Map();   // chat id -> { id of the answer, abort }
  #painting = new Map();  // job id -> { chat id, id of the message } of pictures that are not finished

  /** painting: what paints in conversations. */
  constructor(library, painting) {
    super();
    this.library = library;
    this.painting = painting;
    painting.addEventListener("change", () => this.#keepPainted());
  }

  // The open chat

  get chat() {
    return this.library.get(this.#openId) ?? this.#fresh;
  }

  get writing() {
    return this.#writing.has(this.chat.id);
  }

  isWriting(chatId) {
    return this.#writing.has(chatId);
  }

  get modelName() {
    return this.studio?.model?.id ?? "Model";
  }

  /** Tokens that the branch being read takes in the model's context, as far as they have been counted. */
  get contextUsed() {
    const messages = tree.path(this.chat), counted = messages.findLastIndex(m => m.facts?.total);
    return messages.slice(counted + 1).reduce((sum, m) => sum + (m.facts?.tokens ?? 0), messages[counted]?.facts.total ?? 0);
  }

  open(id) {
    if (!this.library.get(id)) this.#fresh = tree.create();
    this.#openId = id;
    this.editing = 0;
    this.unsaved = false;
    for (const { id: message, job, pictures } of this.chat.messages) if (job && !pictures) this.#painting.set(job, { chat: this.chat.id, message });
    this.#changed();
  }

  // Writing

  /** A question; "/paint ..." is an order for a picture, where there is a model that paints. */
  send(text) {
    this.#ask(tree.path(this.chat).at(-1)?.id ?? 0, text);
  }

  /** Asks an edited question in a branch of its own. */
  edit(id, text) {
    const { parent } = tree.message(this.chat, id);
    this.editing = 0;
    this.stop();
    this.#ask(parent, text);
  }

  /** Another answer to the same question. One that failed without a word, and that nothing follows, is replaced: there is nothing in it to keep. */
  retry(id) {
    const { parent, state, text, paint } = tree.message(this.chat, id), empty = state === "failed" && !text && tree.children(this.chat, id).length === 0;
    const [chat] = empty ? tree.remove(this.chat, id) : [this.chat];
    if (paint) this.#paint(chat, parent);
    else this.#answer(chat, parent);
  }

  /** Goes on where an answer was cut off or stopped: the model is given its own words so far and adds to them. */
  resume(id) {
    this.#write(tree.change(this.chat, id, { state: "writing", error: undefined }), id);
  }

  stop(chatId = this.chat.id) {
    const writing = this.#writing.get(chatId);
    if (!writing) return;
    writing.abort.abort();
    this.#writing.delete(chatId);
    this.#update(chatId, chat => tree.change(chat, writing.id, { state: "stopped" }));
    this.#save(chatId);
    this.#announce("Stopped.");
    this.refresh();
  }

  #ask(parent, text) {
    const paint = this.painting.enabled && tree.orderIn(text) !== undefined;
    const [chat, question] = tree.add(this.chat, parent, { role: "user", text, ...(paint ? { paint } : {}) });
    if (paint) this.#paint(chat, question);
    else this.#answer(chat, question);
  }

  /* A picture in place of an answer. The message knows the job until the pictures are there. */
  async #paint(chat, question) {
    const [next, id] = tree.add(chat, question, { role: "assistant", text: "", state: "done", paint: true, model: this.painting.model?.name ?? "Images" });
    this.#openId = next.id;
    this.library.put(next);
    this.#save(next.id);
    this.dispatchEvent(new Event("writing"));
    this.#changed();
    const paints = fields => { this.#update(next.id, current => tree.change(current, id, fields)); this.#save(next.id); };
    try {
      const job = await this.painting.paint({ prompt: tree.orderIn(tree.message(next, question).text), model: this.painting.model?.name });
      this.#painting.set(job.id, { chat: next.id, message: id });
      paints({ job: job.id });
    } catch (error) {
      if (!(error instanceof api.ChatError)) throw error;
      paints({ state: "failed", error: { kind: error.kind, message: error.message, retryAfter: error.retryAfter } });
    }
  }

  /* What was finished since belongs to its conversation for good. */
  #keepPainted() {
    for (const [jobId, { chat, message }] of this.#painting) {
      const job = this.painting.job(jobId);
      if (!job || job.state === "running" || job.state === "waiting") continue;
      this.#painting.delete(jobId);
      if (!job.done.length || !this.library.get(chat)) continue;
      this.#update(chat, current => tree.change(current, message, { pictures: job.done.map(({ id }) => id) }));
      this.#save(chat);
    }
  }

  #answer(chat, question) {
    const [next, id] = tree.add(chat, question, { role: "assistant", text: "", state: "writing", model: this.modelName });
    this.#write(next, id);
  }

  async #write(chat, id) {
    const abort = new AbortController(), before = tree.message(chat, id).text;
    this.#openId = chat.id;
    this.#writing.set(chat.id, { id, abort });
    this.library.put(chat);
    this.#save(chat.id);
    this.dispatchEvent(new Event("writing"));
    this.#announce("Writing.");
    this.#changed();
    let savedAt = performance.now();
    const progress = ({ text, facts }) => {
      this.#update(chat.id, current => tree.change(current, id, { text: before + text, facts }));
      if (performance.now() - savedAt > SAVE_EVERY) { this.#save(chat.id); savedAt = performance.now(); }
    };
    const clock = setInterval(() => this.#changed(), 1000);   // the margin counts seconds while the model is reading
    try {
      const request = { model: this.studio?.model?.id, messages: tree.prompt(chat, id), ...requestFields(chat.settings) };
      const { state, facts, error } = await generate(request, abort.signal, progress);
      this.#writing.delete(chat.id);
      this.#update(chat.id, current => tree.change(current, id, { state, facts, error }));
      this.#save(chat.id);
      this.#announce(state === "failed" ? "" : `Answer finished, ${facts.tokens} tokens.`);
      this.refresh();
    } catch (error) {
      if (error.name !== "AbortError") throw error;   // stop() has said all there is to say
    } finally {
      clearInterval(clock);
    }
  }

  // The tree

  choose(id) {
    this.#edit(chat => tree.choose(chat, id));
  }

  /** Takes out a message and what follows it. Returns the function that puts it back. */
  remove(id) {
    this.stop();
    const chatId = this.chat.id;
    let removed;
    this.#edit(chat => { [chat, removed] = tree.remove(chat, id); return chat; });
    return () => { this.#update(chatId, chat => tree.restore(chat, removed)); this.#save(chatId); };
  }

  set(settings) {
    this.#edit(chat => ({ ...chat, settings }));
  }

  startEditing(id) {
    this.editing = id;
    this.#changed();
  }

  // The list of chats

  rename(id, title) {
    this.#update(id, chat => ({ ...chat, title: title.trim() }));
    this.#save(id);
  }

  /** Returns the function that brings the chat back. */
  removeChat(id) {
    this.stop(id);
    const chat = this.library.get(id);
    this.library.remove(id);
    this.#changed();
    return () => this.keep(chat);
  }

  /** Adds a chat from outside; one whose id is taken gets a new one. Returns its id. */
  keep(chat) {
    const kept = this.library.get(chat.id) ? { ...chat, id: tree.create().id } : chat;
    this.library.put(kept);
    this.#save(kept.id);
    this.#changed();
    return kept.id;
  }

  /** Another tab changed the storage. What this tab is writing stays as it is here. */
  reload(key) {
    const busy = [...this.#writing.keys()].some(id => key?.endsWith(id));
    if (!busy && this.library.reload(key)) this.#changed();
  }

  /** The page goes, and with it every stream: what has been written so far is kept. */
  leave() {
    for (const id of [...this.#writing.keys()]) this.stop(id);
  }

  // The server

  async refresh() {
    try {
      this.studio = await api.studio();
      this.gone = this.locked = false;
    } catch (error) {
      if (!(error instanceof api.ChatError)) throw error;
      this.locked = error.kind === "locked";
      this.gone = !this.locked;
    }
    this.#changed();
  }

  #edit(edit) {
    const { id } = this.chat;
    if (!this.library.get(id)) {
      this.#fresh = edit(this.#fresh);
      this.#changed();
      return;
    }
    this.#update(id, edit);
    this.#save(id);
  }

  #update(id, edit) {
    const chat = this.library.get(id);
    if (!chat) return;   // deleted while its answer was being written
    this.library.put(edit(chat));
    this.#changed();
  }

  #save(id) {
    if (!this.library.get(id)) return;
    const saved = this.library.save(id);
    if (id === this.chat.id) this.unsaved = !saved;
  }

  #announce(text) {
    this.dispatchEvent(new CustomEvent("announce", { detail: text }));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
