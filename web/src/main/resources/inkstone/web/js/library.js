// All conversations on this machine, kept in the browser's localStorage: one entry each, so that a growing answer rewrites only its own chat.

import { accept, titleOf } from "./conversation.js";

const PREFIX = "inkstone.chat.";

export class Library {
  #chats = new Map();

  /** Reads every chat. Entries that cannot be read (a newer version, damage) are left alone in the storage and not shown. */
  constructor(storage = localStorage) {
    this.storage = storage;
    for (const key of Object.keys(storage)) if (key.startsWith(PREFIX)) this.#read(key);
  }

  /** Newest first. */
  list() {
    return [...this.#chats.values()].sort((a, b) => b.updated - a.updated);
  }

  get(id) {
    return this.#chats.get(id);
  }

  /** Holds a chat in memory; `save` writes it. A streaming answer calls this at each frame. */
  put(conversation) {
    this.#chats.set(conversation.id, conversation);
  }

  /** Returns false when the browser's storage is full: the chat then lives only as long as the page. */
  save(id) {
    try {
      this.storage.setItem(PREFIX + id, JSON.stringify(this.#chats.get(id)));
      return true;
    } catch (error) {
      if (error.name !== "QuotaExceededError" && error.name !== "NS_ERROR_DOM_QUOTA_REACHED") throw error;
      return false;
    }
  }

  remove(id) {
    this.#chats.delete(id);
    this.storage.removeItem(PREFIX + id);
  }

  /** Another tab wrote or deleted an entry. Returns whether it was a chat. */
  reload(key) {
    if (!key?.startsWith(PREFIX)) return false;
    this.#chats.delete(key.slice(PREFIX.length));
    if (this.storage.getItem(key) !== null) this.#read(key);
    return true;
  }

  #read(key) {
    try {
      const chat = accept(JSON.parse(this.storage.getItem(key)));
      this.#chats.set(chat.id, chat);
    } catch (error) {
      console.info(`inkstone: ${key} was not opened: ${error.message}`);
    }
  }
}

/** Hands one chat to the browser as a download. */
export function exportChat(conversation) {
  const url = URL.createObjectURL(new Blob([JSON.stringify(conversation, null, 2)], { type: "application/json" }));
  const name = titleOf(conversation).replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || "chat";
  Object.assign(document.createElement("a"), { href: url, download: `${name}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);   // the download reads the blob after click() returns
}

/** Reads a file that exportChat wrote. Throws an Error that says why it cannot be opened. */
export async function importChat(file) {
  let value;
  try {
    value = JSON.parse(await file.text());
  } catch {
    throw new Error("it is not JSON");
  }
  return accept(value);
}
