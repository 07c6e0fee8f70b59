import { LitElement } from "lit";

/** A component in the light DOM, so that one style sheet and one accessibility tree hold everything. */
export class InkElement extends LitElement {
  createRenderRoot() {
    return this;
  }

  /** Tells the shell about something that only it can do: show a toast, open a new chat. */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }));
  }
}

/** A component that shows something of the session and is drawn anew when that changes. */
export class SessionElement extends InkElement {
  static properties = { session: { attribute: false } };
  #changed = () => this.requestUpdate();

  connectedCallback() {
    super.connectedCallback();
    this.session.addEventListener("change", this.#changed);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.session.removeEventListener("change", this.#changed);
  }
}

/* A component that shows something of what its property `name` holds and is drawn anew when that changes, at most once a frame however much a run tells. */
const showing = name => class extends InkElement {
  static properties = { [name]: { attribute: false } };
  #frame = 0;
  #changed = () => { this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.requestUpdate(); }); };

  connectedCallback() {
    super.connectedCallback();
    this[name].addEventListener("change", this.#changed);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this[name].removeEventListener("change", this.#changed);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }
};

export const TrainingElement = showing("training");
export const PaintingElement = showing("painting");
