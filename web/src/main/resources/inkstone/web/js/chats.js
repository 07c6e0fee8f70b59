// <ink-chats>: the list of conversations. Arrow keys move in it, Enter opens, F2 renames, Delete deletes; the same stands in each row's menu.

import { html, nothing } from "lit";
import { hasBranches, titleOf } from "./conversation.js";
import { SessionElement } from "./element.js";
import { period } from "./format.js";
import { icon } from "./icon.js";
import { exportChat, importChat } from "./library.js";

class Chats extends SessionElement {
  static properties = { renaming: { state: true }, active: { state: true } };

  #menuFor = "";

  constructor() {
    super();
    this.renaming = "";   // id of the chat whose title is being written
    this.active = "";     // id of the row that Tab reaches; arrow keys move it
  }

  render() {
    const chats = this.session.library.list(), groups = Map.groupBy(chats, chat => period(chat.updated));
    const reachable = [this.active, this.session.chat.id, chats[0]?.id].find(id => this.session.library.get(id));
    return html`
      <button class="btn new-chat" type="button" @click=${() => this.emit("new-chat")}>${icon("plus")}New chat <kbd class="desk-only">Alt N</kbd></button>
      ${[...groups].map(([name, group]) => html`<h2 class="side-head">${name}</h2>
        <ul @keydown=${this.#key}>${group.map(chat => html`<li>${chat.id === this.renaming ? this.#renamer(chat) : this.#row(chat, chat.id === reachable)}</li>`)}</ul>`)}
      <label class="btn ghost import">${icon("open")}Import a chat<input class="sr" type="file" accept="application/json,.json" @change=${this.#import}></label>
      <div class="menu" popover role="menu" aria-label="Chat" @keydown=${this.#menuKey}>
        <button role="menuitem" type="button" @click=${this.#choice(id => this.#rename(id))}>${icon("edit")}Rename <kbd class="desk-only">F2</kbd></button>
        <button role="menuitem" type="button" @click=${this.#choice(id => exportChat(this.session.library.get(id)))}>${icon("down")}Export</button>
        <button role="menuitem" type="button" @click=${this.#choice(id => this.#delete(id))}>${icon("bin")}Delete <kbd class="desk-only">Del</kbd></button>
      </div>`;
  }

  #row(chat, reachable) {
    const { session } = this, title = titleOf(chat), open = chat.id === session.chat.id;
    return html`<div class="conv" ?data-open=${open}>
      <a href="#${chat.id}" data-id=${chat.id} tabindex=${reachable ? 0 : -1} aria-current=${open ? "page" : nothing} @focus=${() => { this.active = chat.id; }}>
        <span>${title}</span>
        ${session.isWriting(chat.id) ? html`<span class="drop"></span><span class="sr">is being written</span>` : nothing}
        ${hasBranches(chat) ? html`${icon("branch")}<span class="sr">has branches</span>` : nothing}
      </a>
      <button class="btn ghost icon-only" type="button" tabindex=${reachable ? 0 : -1} aria-label="Actions for ${title}" aria-haspopup="menu"
        @click=${event => this.#menu(event.currentTarget, chat.id)}>${icon("more")}</button>
    </div>`;
  }

  #renamer(chat) {
    const done = event => {
      if (this.renaming !== chat.id) return;
      this.renaming = "";
      this.session.rename(chat.id, event.target.value);
      this.#focusRow(chat.id);
    };
    const key = event => {
      event.stopPropagation();
      if (event.key === "Enter" && !event.isComposing) done(event);
      if (event.key === "Escape") { event.preventDefault(); this.renaming = ""; this.#focusRow(chat.id); }
    };
    return html`<input class="input small" aria-label="Title" maxlength="200" .value=${titleOf(chat)} @keydown=${key} @blur=${done}>`;
  }

  #key(event) {
    const row = event.target.closest("[data-id]");
    if (!row) return;
    const rows = [...this.querySelectorAll("[data-id]")], { id } = row.dataset;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) rows[rows.indexOf(row) + step]?.focus();
    else if (event.key === "Home") rows[0].focus();
    else if (event.key === "End") rows.at(-1).focus();
    else if (event.key === "F2") this.#rename(id);
    else if (event.key === "Delete") this.#delete(id);
    else return;
    event.preventDefault();
  }

  /* The menu stands in the top layer, so it needs a place of its own: under the button, inside the window. */
  #menu(button, id) {
    const menu = this.querySelector("[popover]"), at = button.getBoundingClientRect();
    this.#menuFor = id;
    menu.showPopover({ source: button });
    menu.style.insetInlineStart = `${Math.min(at.left, innerWidth - menu.offsetWidth - 8)}px`;
    menu.style.insetBlockStart = `${Math.min(at.bottom + 4, innerHeight - menu.offsetHeight - 8)}px`;
    menu.querySelector("button").focus();
  }

  #menuKey(event) {
    const items = [...event.currentTarget.children], step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
  }

  #choice(action) {
    return () => { this.querySelector("[popover]").hidePopover(); action(this.#menuFor); };
  }

  async #rename(id) {
    this.renaming = id;
    await this.updateComplete;
    const field = this.querySelector("li input");
    field.focus();
    field.select();
  }

  #delete(id) {
    const rows = [...this.querySelectorAll("[data-id]")], at = rows.findIndex(row => row.dataset.id === id), next = (rows[at + 1] ?? rows[at - 1])?.dataset.id;
    const open = this.session.chat.id === id, undo = this.session.removeChat(id);
    if (open) this.emit("new-chat");
    this.emit("toast", { text: "Chat deleted", undo: () => { const back = undo(); if (open) location.hash = back; } });
    if (next) this.#focusRow(next); else this.querySelector(".new-chat").focus();
  }

  async #focusRow(id) {
    await this.updateComplete;
    this.querySelector(`[data-id="${id}"]`)?.focus();
  }

  async #import(event) {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file) return;
    try {
      location.hash = this.session.keep(await importChat(file));
    } catch (error) {
      this.emit("problem", `${file.name} was not opened: ${error.message}.`);
    }
  }
}

customElements.define("ink-chats", Chats);
