// <ink-prose>: an answer, also while it grows. New text re-renders only the blocks that it changes, as a rule the last one, and each new word
// arrives in cinnabar and dries to ink.

import { blocksOf, elementOf } from "./markdown.js";

const DRY = 900;    // milliseconds, --dry in the style sheet
const OPEN = 2;     // a block is final once this many have begun after it: what follows can still turn a paragraph into part of a list
const calm = matchMedia("(prefers-reduced-motion: reduce)");

class Prose extends HTMLElement {
  #text = "";
  #live = false;
  #blocks = [];     // { raw, element, length, arrivals } for each block on the page
  #final = 0;       // how many of them are final,
  #offset = 0;      // and how many characters of the text these hold
  #nib = Object.assign(document.createElement("span"), { className: "nib", ariaHidden: "true" });

  /** { text, state } of the message to show. */
  set message({ text, state }) {
    const live = state === "writing", clean = text.replace(/\r\n?/g, "\n");
    if (clean === this.#text && live === this.#live) return;
    if (!live || !clean.startsWith(this.#text)) this.#final = this.#offset = 0;   // the whole text once more: links may be defined at its end
    this.#text = clean;
    this.#live = live;
    this.classList.add("prose");
    if (live) this.ariaBusy = "true"; else this.removeAttribute("aria-busy");
    this.#draw();
  }

  #draw() {
    const tokens = blocksOf(this.#text.slice(this.#offset));
    const again = !this.#live && Object.keys(tokens.links).length > 0;
    let at = this.#final, end = this.#offset;
    const ends = [];   // where each open block ends in the text
    for (const token of tokens) {
      end += token.raw.length;
      if (token.type === "space" || token.type === "def") continue;
      ends.push(end);
      this.#place(at++, token, again);
    }
    for (const { element } of this.#blocks.splice(at)) element.remove();
    if (this.#live && ends.length > OPEN) {
      this.#final += ends.length - OPEN;
      this.#offset = ends.at(-1 - OPEN);
    }
    this.#nib.remove();
    if (this.#live) this.#dip();
  }

  #place(at, token, again) {
    const old = this.#blocks[at];
    if (old?.raw === token.raw && !again) return;
    const block = { raw: token.raw, element: elementOf(token), length: 0, arrivals: [] };
    if (old) old.element.replaceWith(block.element); else this.append(block.element);
    this.#blocks[at] = block;
    if (this.#live && !calm.matches) wet(block, old);
  }

  /* The nib stands behind the last word, wherever in the last block that is. */
  #dip() {
    const last = this.#blocks.at(-1)?.element;
    if (!last) return this.append(this.#nib);
    const words = textNodes(last).findLast(node => node.data.trim() && !node.parentElement.closest(".code-head"));
    if (words) words.after(this.#nib); else last.append(this.#nib);
  }
}

/* Marks what arrived within the last 900 ms. Places are counted in characters of the rendered text, so they survive that the block is rendered anew. */
function wet(block, old) {
  const now = performance.now(), nodes = textNodes(block.element).filter(node => !node.parentElement.closest(".code"));
  block.length = nodes.reduce((sum, node) => sum + node.length, 0);
  block.arrivals = (old?.arrivals ?? []).filter(a => now - a.time < DRY && a.from < block.length);
  const from = old?.length ?? 0;
  if (block.length > from) block.arrivals.push({ from, time: now });
  let start = 0;
  for (const node of nodes) {
    const length = node.length;
    for (const { from, time } of block.arrivals.toReversed()) {           // from the end, so that each cut leaves the places before it alone
      if (from >= start + length || !node.data.trim()) continue;          // a span round the space between rows would be a cell
      const cut = Math.max(0, from - start);
      if (cut >= node.length) continue;
      const span = Object.assign(document.createElement("span"), { className: "wet" }), part = cut ? node.splitText(cut) : node;
      span.style.animationDelay = `${time - now}ms`;
      part.replaceWith(span);
      span.append(part);
      if (!cut) break;
    }
    start += length;
  }
}

function textNodes(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  return nodes;
}

customElements.define("ink-prose", Prose);
