// Markdown that a model wrote -> DOM, one block at a time. Two fences: the renderer emits few tags and shows raw HTML as the text it is;
// DOMPurify then lets only those tags through. Nothing in an answer can load a picture, run a script or style the page.

import { Marked } from "marked";
import DOMPurify from "dompurify";
import { html, render } from "lit";
import { copy } from "./clipboard.js";
import { icon } from "./icon.js";

const TAGS = ["p", "br", "hr", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a", "h3", "h4", "h5", "h6",
  "table", "thead", "tbody", "tr", "th", "td", "sub", "sup", "kbd", "mark", "u"];
const ATTRIBUTES = ["href", "title", "start", "align", "lang"];
const HARMLESS = /^<\/?(br|sub|sup|kbd|mark|u)\s*\/?>$/i;   // tags that models use inside Markdown because it has no signs for them
const HIGHLIGHT_LIMIT = 20_000;                             // characters; above that colouring at each frame would make the stream stutter

const escape = text => text.replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);

const marked = new Marked({
  renderer: {
    // The page's title is h1 and each message's name h2: an answer's own title and chapters start below.
    heading({ tokens, depth }) { const level = Math.min(Math.max(depth, 2) + 1, 6); return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`; },
    html({ text }) { return HARMLESS.test(text) ? text : escape(text); },
    // A picture from elsewhere would tell its server what is read here: it becomes a link that someone can choose to follow.
    image({ href, text }) { return /^https?:/i.test(href) ? `<a href="${escape(href)}">${escape(text || href)}</a>` : escape(text); },
    checkbox({ checked }) { return checked ? "☑ " : "☐ "; },
    code({ text, lang }) { return `<pre><code lang="${escape(lang?.split(/\s/)[0] ?? "")}">${escape(text)}</code></pre>`; },
  },
});

const purifier = DOMPurify(window);
purifier.addHook("afterSanitizeAttributes", node => {
  if (node.nodeName === "A") {
    if (!/^(https?|mailto):/i.test(node.getAttribute("href"))) node.removeAttribute("href");   // on this page "/x" and "#x" mean ours, not the model's
    node.setAttribute("rel", "noopener noreferrer");
    node.setAttribute("target", "_blank");
  }
});

/** The top-level blocks of a text. Each has `raw`, the characters it was made of; blank space between blocks has type "space". */
export function blocksOf(text) {
  return marked.lexer(text);
}

/** One block as one element. */
export function elementOf(block) {
  const fragment = purifier.sanitize(marked.parser([block]), { ALLOWED_TAGS: TAGS, ALLOWED_ATTR: ATTRIBUTES, RETURN_DOM_FRAGMENT: true });
  for (const pre of fragment.querySelectorAll("pre")) pre.replaceWith(codeBlock(pre.querySelector("code")));
  for (const table of fragment.querySelectorAll("table")) scrollable(table);
  if (fragment.childNodes.length === 1 && fragment.firstElementChild) return fragment.firstElementChild;
  const wrapper = Object.assign(document.createElement("div"), { className: "para" });
  wrapper.append(fragment);
  return wrapper;
}

function codeBlock(code) {
  const text = code.textContent, name = code.getAttribute("lang"), language = hljs.getLanguage(name), label = language?.name ?? (name || "Text");
  code.removeAttribute("lang");   // a programming language is none that a screen reader could speak
  if (language && text.length < HIGHLIGHT_LIMIT) code.innerHTML = hljs.highlight(text, { language: name, ignoreIllegals: true }).value;   // escapes the text itself
  const box = Object.assign(document.createElement("div"), { className: "code" });
  const pressed = async event => {
    const button = event.currentTarget.querySelector("span");
    await copy(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
  render(html`<div class="code-head"><span>${label}</span>
    <button class="btn ghost" type="button" @click=${pressed}>${icon("copy")}<span role="status">Copy</span></button></div>
    <pre tabindex="0" role="group" aria-label="${label} code">${code}</pre>`, box);
  return box;
}

/* Wide tables scroll in a box of their own; a box that scrolls must be reachable by keyboard. */
function scrollable(table) {
  const box = Object.assign(document.createElement("div"), { className: "table", tabIndex: 0, role: "group", ariaLabel: "Table" });
  table.replaceWith(box);
  box.append(table);
}
