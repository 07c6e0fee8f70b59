// <ink-app>: the shell. Sidebar with the places and the list of the current one; Chat (transcript, composer, settings), Images or Train. On smaller windows the list opens as
// a drawer and the settings as a sheet. The address says the place: #images, #images/kept, #images/a picture's id; #train, #train/new, #train/a job's id; anything else is a
// chat's id.

import { html, nothing } from "lit";
import { setKey } from "./api.js";
import { titleOf } from "./conversation.js";
import { SessionElement } from "./element.js";
import { backend, bytes, gigabytes } from "./format.js";
import { icon } from "./icon.js";
import { Keys } from "./keys.js";
import { exportChat, Library } from "./library.js";
import { Session } from "./session.js";
import "./chats.js";
import "./compare.js";
import "./composer.js";
import "./images.js";
import { Painting } from "./painting.js";
import "./panel.js";
import "./toast.js";
import "./train.js";
import { Training } from "./training.js";
import "./transcript.js";

const LOOK_EVERY = 15_000;                         // milliseconds between looks at the server while the page is visible
const withSidebar = matchMedia("(width >= 60rem)");
const withPanel = matchMedia("(width >= 72rem)");

class App extends SessionElement {
  static properties = { problem: { state: true } };

  #progress = "";

  /* The parts of an address before an id. */
  static #PLACES = ["images", "train"];

  constructor() {
    super();
    this.problem = "";
    this.painting = new Painting();
    this.session = new Session(new Library(), this.painting);
    this.training = new Training();
    this.#opened();
    for (const query of [withSidebar, withPanel]) query.addEventListener("change", () => this.requestUpdate());
    for (const each of [this.session, this.training, this.painting]) each.addEventListener("announce", event => this.#say(event.detail));
    for (const each of [this.training, this.painting]) each.addEventListener("change", () => this.#progressed());
    this.session.addEventListener("writing", () => history.replaceState(null, "", `#${this.session.chat.id}`));
    addEventListener("hashchange", () => this.#opened());
    addEventListener("storage", event => this.session.reload(event.key));
    // A reload breaks streams before "pagehide"; phones know only "pagehide".
    for (const event of ["beforeunload", "pagehide"]) addEventListener(event, () => this.session.leave());
    this.addEventListener("new-chat", () => this.newChat());
    this.addEventListener("model-changed", () => this.session.refresh());
    this.addEventListener("toast", event => this.querySelector("ink-toast").show(event.detail));
    this.addEventListener("problem", event => { this.problem = event.detail; });
    document.querySelector(".skip").addEventListener("click", event => { event.preventDefault(); this.querySelector("main").focus(); });   // the # is a chat's
    this.session.refresh();
    setInterval(() => { if (!document.hidden) this.session.refresh(); }, LOOK_EVERY);
    new Keys(this);
  }

  firstUpdated() {
    if (withSidebar.matches) this.querySelector("ink-composer")?.focus();   // on a phone the keyboard would cover the page
  }

  // What keys and events do; each returns true where it did something.

  newChat() {
    if (this.#embeds) return false;
    history.pushState(null, "", location.pathname);
    this.#opened();
    this.updateComplete.then(() => this.querySelector("ink-composer").focus());
    return true;
  }

  /** A new chat, picture or job, as the place has it. */
  fresh() {
    if (this.#place === "train") location.hash = "train/new";
    else if (this.#place === "images") this.querySelector("ink-images").form();
    else return this.newChat();
    return true;
  }

  goTo(place) {
    if ((place === "train" && !this.training.enabled) || (place === "images" && !this.painting.enabled)) return false;
    location.hash = place === "chat" ? this.session.chat.id : place;
    return true;
  }

  /** Stops what is being written or painted; else leaves the field. Open dialogs and menus close by themselves. */
  escape(field) {
    if (document.querySelector("dialog:modal, :popover-open")) return false;
    const { running } = this.painting;
    if (this.session.writing) this.session.stop();
    else if (this.#place === "images" && running && !field) this.painting.cancel(running.id);
    else field?.blur();
    return true;
  }

  undo() {
    return this.querySelector("ink-toast").undo();
  }

  step(by) {
    if (this.#embeds || this.#place !== "chat") return false;
    this.querySelector("ink-transcript").step(by);
    return true;
  }

  showKeys() {
    this.querySelector("ink-keys").show();
    return true;
  }

  #say(text) {
    const place = this.querySelector("[data-announce]");
    if (place) place.textContent = text;
  }

  #opened() {
    this.problem = "";
    for (const dialog of this.querySelectorAll("dialog[open]")) dialog.close();
    if (App.#PLACES.includes(this.#at.split("/")[0])) this.requestUpdate();
    else this.session.open(this.#at);
  }

  get #at() {
    return location.hash.slice(1);
  }

  /* A server that does not train or paint has no such place; until it has said so, what the address says is believed. */
  get #place() {
    const place = this.#at.split("/")[0], { training, painting } = this, there = { train: training, images: painting }[place];
    return there && (there.enabled || !this.session.studio) ? place : "chat";
  }

  /* Beside Images and Train on every page stands how far the running job is; nothing else of the shell depends on it. */
  #progressed() {
    const now = [[this.training, Training], [this.painting, Painting]].map(([{ running }, { percent }]) => running ? `${running.id} ${percent(running)}` : "").join();
    if (now === this.#progress && this.#place === "chat") return;
    this.#progress = now;
    this.requestUpdate();
  }

  /* The model makes vectors of texts only. */
  get #embeds() {
    return this.session.studio?.model?.kind === "embedding";
  }

  willUpdate() {
    this.training.enable(this.session.studio?.training === true);
    this.painting.enable(this.session.studio?.painting === true);
  }

  render() {
    if (this.#place === "train") return this.#train();
    if (this.#place === "images") return this.#images();
    if (this.#embeds) return this.#withoutChats();
    const { session } = this, title = titleOf(session.chat);
    document.title = `${title} · Inkstone`;
    return html`
      <header class="side">
        ${this.#brand()}
        ${this.#places("chat")}
        ${withSidebar.matches ? html`<nav class="side-list" aria-label="Conversations"><ink-chats .session=${session}></ink-chats></nav>` : nothing}
        ${this.#machine()}
      </header>
      <main class="main" id="main" tabindex="-1">
        <div class="chat">
          <div class="col">
            <header class="bar"><h1>${title}</h1><div class="end">${this.#model()}
              ${withPanel.matches || !withSidebar.matches ? nothing : this.#opener("sheet", "settings", "Settings for this chat")}
              <span class="phone-only">${this.#theme()}</span></div></header>
            <ink-transcript .session=${session}></ink-transcript>
            <div class="sr" role="status" data-announce></div>
            <div class="dock"><div>${this.#notes()}<ink-composer .session=${session}></ink-composer>
              <p class="fine">Answers can be wrong. <button class="plain" type="button" @click=${() => this.showKeys()}>Keys</button> <kbd>?</kbd></p></div></div>
          </div>
          ${withPanel.matches ? html`<aside class="panel" aria-label="Settings for this chat">
            <h2>This chat</h2><ink-panel .session=${session}></ink-panel></aside>` : nothing}
        </div>
      </main>
      ${withSidebar.matches ? nothing : this.#bottom()}
      ${withSidebar.matches ? nothing : html`<dialog class="drawer" id="drawer" aria-label="Conversations" closedby="any">
        <div class="window-head"><h2>Chats</h2>${this.#closer()}</div><ink-chats .session=${session}></ink-chats>${this.#machine()}</dialog>`}
      ${withPanel.matches ? nothing : html`<dialog class="sheet" id="sheet" aria-label="Settings for this chat" closedby="any">
        <div class="window-head"><h2>This chat</h2>${this.#closer()}</div><ink-panel .session=${session}></ink-panel></dialog>`}
      <ink-keys></ink-keys>
      <ink-toast></ink-toast>`;
  }

  #withoutChats() {
    const { session } = this;
    document.title = "Compare texts · Inkstone";
    return html`
      <header class="side">
        ${this.#brand()}
        ${this.training.enabled || this.painting.enabled ? this.#places("chat") : nothing}
        ${this.#machine()}
      </header>
      <main class="main" id="main" tabindex="-1">
        <div class="col alone">
          <header class="bar"><h1>Compare texts</h1><div class="end">${this.#model()}<span class="phone-only">${this.#theme()}</span></div></header>
          <ink-compare .session=${session}></ink-compare>
          <div class="sr" role="status" data-announce></div>
          <div class="dock"><div>${this.#notes()}</div></div>
        </div>
      </main>
      <ink-keys></ink-keys>
      <ink-toast></ink-toast>`;
  }

  #train() {
    const at = this.#at.slice("train/".length), { training } = this;
    document.title = "Train · Inkstone";
    return html`
      <header class="side">
        ${this.#brand()}
        ${this.#places("train")}
        ${withSidebar.matches ? html`<nav class="side-list" aria-label="Jobs">${training.jobs?.length ? html`<h2 class="side-head">Jobs</h2><ink-jobs .training=${training} .at=${at || (training.running ?? training.jobs[0]).id}></ink-jobs>`
          : nothing}</nav>` : nothing}
        ${this.#machine()}
      </header>
      <main class="main" id="main" tabindex="-1">
        ${training.enabled ? html`<ink-train .training=${training} .at=${at}></ink-train>` : nothing}
        <div class="sr" role="status" data-announce></div>
        <div class="dock notes"><div>${this.#notes()}</div></div>
      </main>
      ${this.#mainBar("train")}
      <ink-keys></ink-keys>
      <ink-toast></ink-toast>`;
  }

  #images() {
    const at = this.#at.slice("images/".length), { painting } = this, link = (to, name, here) => html`<li><div class="conv" ?data-open=${here}><a href="#${to}" aria-current=${here ? "page" : nothing}><span>${name}</span></a></div></li>`;
    document.title = "Images · Inkstone";
    return html`
      <header class="side">
        ${this.#brand()}
        ${this.#places("images")}
        ${withSidebar.matches ? html`<nav class="side-list" aria-label="Collections"><h2 class="side-head">Collections</h2><ul>${link("images", "All pictures", at === "")}${link("images/kept", "Kept", at === "kept")}</ul></nav>` : nothing}
        ${this.#machine()}
      </header>
      <main class="main" id="main" tabindex="-1">
        ${painting.enabled ? html`<ink-images .painting=${painting} .at=${at} .wide=${withSidebar.matches}></ink-images>` : nothing}
        <div class="sr" role="status" data-announce></div>
        <div class="dock notes"><div>${this.#notes()}</div></div>
      </main>
      ${this.#mainBar("images")}
      <ink-keys></ink-keys>
      <ink-toast></ink-toast>`;
  }

  #mainBar(current) {
    return withSidebar.matches ? nothing : html`<nav class="bottom" aria-label="Main">${this.#toChat()}${this.painting.enabled ? this.#toImages(current === "images") : nothing}${this.training.enabled ? this.#toTrain(current === "train") : nothing}</nav>`;
  }

  #places(current) {
    const place = (name, inside) => html`<li>${inside(name === current)}</li>`;
    return html`<nav class="nav" aria-label="Main"><ul>
      ${place("chat", here => this.#toChat(here))}
      ${this.painting.enabled ? place("images", here => this.#toImages(here)) : nothing}
      ${this.training.enabled ? place("train", here => this.#toTrain(here)) : nothing}</ul></nav>`;
  }

  #toChat(here) {
    return html`<a href="#${this.session.chat.id}" aria-current=${here ? "page" : nothing}><span class="seal">${icon("chat")}</span>Chat</a>`;
  }

  #toImages(here) {
    return this.#to("images", "Images", here, this.painting.running && Painting.percent(this.painting.running), "of a painting job");
  }

  #toTrain(here) {
    return this.#to("train", "Train", here, this.training.running && Training.percent(this.training.running), "of a training job");
  }

  #to(place, name, here, percent, what) {
    return html`<a href="#${place}" aria-current=${here ? "page" : nothing}><span class="seal">${icon(place)}</span>${name}${percent === undefined ? nothing
      : html`<span class="live"><span class="drop"></span><span>${percent}%</span><span class="sr"> ${what} done</span></span>`}</a>`;
  }

  #brand() {
    return html`<div class="side-top"><a class="brand" href="/"><svg viewBox="0 0 28 28" aria-hidden="true"><use href="#mark"></use></svg>Inkstone</a>${this.#theme()}</div>`;
  }

  #theme() {
    return html`<button class="btn ghost icon-only" type="button" data-theme-toggle aria-label="Switch between light and dark">${icon("theme")}</button>`;
  }

  #opener(id, symbol, label) {
    return html`<button class="btn ghost icon-only" type="button" aria-label=${label} aria-haspopup="dialog" @click=${() => this.#show(id)}>${icon(symbol)}</button>`;
  }

  #closer() {
    return html`<button class="btn" type="button" @click=${event => event.currentTarget.closest("dialog").close()}>Close</button>`;
  }

  #show(id) {
    this.querySelector(`#${id}`).showModal();
  }

  /* On the phone the thumb reaches the bottom: the list, a new chat, the other place, the settings. */
  #bottom() {
    return html`<nav class="bottom" aria-label="Chat">
      <button type="button" aria-haspopup="dialog" @click=${() => this.#show("drawer")}><span class="seal">${icon("chat")}</span>Chats</button>
      <button type="button" @click=${() => this.newChat()}>${icon("plus")}New chat</button>
      ${this.painting.enabled ? this.#toImages(false) : nothing}
      ${this.training.enabled ? this.#toTrain(false) : nothing}
      <button type="button" aria-haspopup="dialog" @click=${() => this.#show("sheet")}>${icon("settings")}Settings</button>
    </nav>`;
  }

  #model() {
    const model = this.session.studio?.model;
    return model ? html`<div class="model"><span>${model.id}</span><span class="chip">${model.format}, ${bytes(model.bytes)}</span></div>` : nothing;
  }

  #machine() {
    const { machine } = this.session.studio ?? {};
    if (!machine) return nothing;
    const used = `${gigabytes(machine.memoryUsed)} of ${gigabytes(machine.memoryTotal)} GB`;
    return html`<div class="machine"><div><strong>This machine</strong><span>${used}</span></div>
      <meter min="0" max=${machine.memoryTotal} high=${0.9 * machine.memoryTotal} optimum="0" value=${machine.memoryUsed} aria-label="Memory in use: ${used}"></meter>
      <div><span>${machine.backend.startsWith("cuda") ? machine.device : `${backend(machine.backend)}, ${machine.threads} ${machine.threads === 1 ? "thread" : "threads"}`}</span>
        <span>${this.session.gone ? "not answering" : "offline"}</span></div></div>`;
  }

  /* What stands in the way of the next question. */
  #notes() {
    const { session } = this;
    const note = (kind, text, action, run) => html`<div class="note ${kind}" role="alert">${icon("warn")}<p>${text}</p>
      <div class="btns"><button class="btn" type="button" @click=${run}>${action}</button></div></div>`;
    if (session.locked) return this.#lock();
    if (session.gone) return note("bad", "The server on this machine does not answer.", "Try again", () => session.refresh());
    if (session.unsaved) {
      return note("warn", "This browser has no room left, so this chat is kept only while the page is open.", "Export this chat", () => exportChat(session.chat));
    }
    if (this.problem) return note("bad", this.problem, "Dismiss", () => { this.problem = ""; });
    return nothing;
  }

  #lock() {
    const unlock = event => {
      event.preventDefault();
      setKey(event.target.elements.key.value.trim());
      this.session.refresh();
    };
    return html`<form class="note" @submit=${unlock}>${icon("lock")}
      <p><label for="server-key">This server opens with the key that it was started with.</label></p>
      <div class="btns"><input class="input" id="server-key" name="key" type="password" autocomplete="off">
        <button class="btn primary" type="submit">Open</button></div></form>`;
  }
}

customElements.define("ink-app", App);
