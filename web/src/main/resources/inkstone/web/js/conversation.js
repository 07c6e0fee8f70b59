// A conversation is a tree: every message knows the one it follows, and editing a question or asking again adds a sibling, so nothing is overwritten.
// All functions are pure: they return a new conversation and leave the old one as it was. That is what makes Undo and cheap re-rendering possible.
//
// conversation = { version, id, title, created, updated, settings, chosen, messages }
//   messages: [{ id, parent, role, text, time, state, ... }] in the order of their ids; parent 0 is the root
//   chosen:   { parent: child } where the reader went to another branch than the newest
//   paint:    the message is an order for a picture ("/paint ...") or what came of it: job is who paints it, pictures are the finished ones' ids
//   state:    "writing" | "done" | "stopped" | "length" | "failed" for answers

export const VERSION = 1;

const TITLE_LENGTH = 60;

export function create(now = Date.now()) {
  return { version: VERSION, id: crypto.getRandomValues(new Uint32Array(2)).join("-"), title: "", created: now, updated: now, settings: {}, chosen: {}, messages: [] };
}

export function message(conversation, id) {
  return conversation.messages.find(m => m.id === id);
}

/** The messages that follow `parent`, oldest first. */
export function children(conversation, parent) {
  return conversation.messages.filter(m => m.parent === parent);
}

/** The branch being read: from the first message along the chosen (else the newest) child to the end. */
export function path(conversation) {
  const byParent = Map.groupBy(conversation.messages, m => m.parent);
  const messages = [];
  for (let parent = 0, next; (next = byParent.get(parent)); parent = messages.at(-1).id) {
    messages.push(next.find(m => m.id === conversation.chosen[parent]) ?? next.at(-1));
  }
  return messages;
}

/** Where a message stands among its versions: { versions: ids, at: index }. */
export function versions(conversation, id) {
  const ids = children(conversation, message(conversation, id).parent).map(m => m.id);
  return { ids, at: ids.indexOf(id) };
}

/** Adds a message after `parent` and makes it the one being read. Returns [conversation, id]. */
export function add(conversation, parent, fields, now = Date.now()) {
  const id = (conversation.messages.at(-1)?.id ?? 0) + 1;
  const next = { ...conversation, updated: now, messages: [...conversation.messages, { id, parent, time: now, ...fields }] };
  return [choose(next, id), id];
}

/** Goes to the branch that starts with message `id`. */
export function choose(conversation, id) {
  return { ...conversation, chosen: { ...conversation.chosen, [message(conversation, id).parent]: id } };
}

export function change(conversation, id, fields) {
  return { ...conversation, messages: conversation.messages.map(m => m.id === id ? { ...m, ...fields } : m) };
}

/** Takes out a message and all that follows it. Returns [conversation, removed messages], the second for `restore`. */
export function remove(conversation, id) {
  const gone = new Set([id]);
  for (const m of conversation.messages) if (gone.has(m.parent)) gone.add(m.id);   // parents come before children
  const [kept, removed] = [[], []];
  for (const m of conversation.messages) (gone.has(m.id) ? removed : kept).push(m);
  return [{ ...conversation, messages: kept }, removed];
}

/** Puts removed messages back where they were, unless what they followed has gone since. */
export function restore(conversation, removed) {
  const [root] = removed;
  if (message(conversation, root.id) || (root.parent && !message(conversation, root.parent))) return conversation;
  return choose({ ...conversation, messages: [...conversation.messages, ...removed].sort((a, b) => a.id - b.id) }, root.id);
}

export function hasBranches(conversation) {
  return new Set(conversation.messages.map(m => m.parent)).size < conversation.messages.length;
}

/** The title someone gave, else the first line of the first question, cut at a word. */
export function titleOf(conversation) {
  if (conversation.title) return conversation.title;
  const line = conversation.messages.find(m => m.role === "user")?.text.trim().split("\n")[0] ?? "";
  if (line.length <= TITLE_LENGTH) return line || "New chat";
  const cut = line.slice(0, TITLE_LENGTH), space = cut.lastIndexOf(" ");
  return (space > TITLE_LENGTH / 2 ? cut.slice(0, space) : cut) + "…";
}

/** What a text orders to be painted; undefined where it is a question. */
export function orderIn(text) {
  return /^\/paint\s+(\S[^]*)$/.exec(text.trim())?.[1];
}

/**
 * What the model is given to write message `answer`: instructions, then the branch before it, then what it has written so far. An answer without words is
 * left out and the questions around it become one, because chat templates want question and answer in turn.
 */
export function prompt(conversation, answer) {
  const messages = [];
  for (let m = message(conversation, answer); m; m = message(conversation, m.parent)) {
    if (!m.text || m.paint) continue;   // pictures are between others
    if (messages[0]?.role === m.role) messages[0].content = `${m.text}\n\n${messages[0].content}`;
    else messages.unshift({ role: m.role, content: m.text });
  }
  const instructions = conversation.settings.system?.trim();
  return instructions ? [{ role: "system", content: instructions }, ...messages] : messages;
}

/** A conversation read from outside (storage, a file) in today's shape, or a reason in words why it cannot be opened. */
export function accept(value) {
  if (value?.version > VERSION) throw new Error("it was written by a newer Inkstone");
  const whole = value?.version === VERSION && typeof value.id === "string" && typeof value.title === "string"
    && Number.isFinite(value.created) && Number.isFinite(value.updated) && isPlain(value.chosen)
    && isPlain(value.settings) && typeof (value.settings.system ?? "") === "string"
    && Array.isArray(value.messages) && value.messages.every(isMessage);
  if (!whole) throw new Error("it is not a chat exported from Inkstone");
  // A page that was closed in mid-answer never wrote the end of it.
  return { ...value, messages: value.messages.map(m => m.state === "writing" ? { ...m, state: "stopped" } : m) };
}

function isMessage(m, index, all) {
  return Number.isInteger(m?.id) && m.id > (all[index - 1]?.id ?? 0) && typeof m.text === "string" && Number.isFinite(m.time)
    && (m.role === "user" || m.role === "assistant") && (m.parent === 0 || all.slice(0, index).some(other => other.id === m.parent))
    && Object.values(m.facts ?? {}).every(Number.isFinite) && typeof (m.error?.message ?? "") === "string" && typeof (m.model ?? "") === "string"
    && typeof (m.job ?? "") === "string" && Array.isArray(m.pictures ?? []) && (m.pictures ?? []).every(id => /^[0-9a-f]{16}$/.test(id));
}

function isPlain(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
