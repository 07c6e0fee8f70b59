// The page's side of training: the jobs, the open job's curve, and one event stream for both, for as long as the page is looked at: browsers allow few
// connections to one server, and every tab needs one. Each change is announced by one "change" event. No DOM here.

import { ask, ChatError, follow, upload } from "./api.js";
import { Curve } from "./curve.js";

const AGAIN = 1500;   // milliseconds before a broken stream is asked for again

export class Training extends EventTarget {
  /** This server trains. */
  enabled = false;
  /** All jobs, the newest first; null until the first have come. */
  jobs = null;
  /** Models, samples of data, limits; null until they have come. */
  about = null;
  /** Ends when the server has answered with them, or not. */
  asked = Promise.resolve();
  /** The open job's points and samples; null where none is open. */
  curve = null;
  /** The open job is not here any more. */
  absent = false;
  #openId = "";
  #lastId = "";
  #abort = null;
  #spoken = new Map();   // job id -> quarter of it that was announced

  constructor() {
    super();
    document.addEventListener("visibilitychange", () => this.#connect());
  }

  enable(enabled) {
    if (enabled === this.enabled) return;
    this.enabled = enabled;
    if (enabled) this.asked = this.#refreshAbout();
    this.#connect();
  }

  /** Follows a job's events from the start; with "", no job's. */
  open(id) {
    if (id === this.#openId) return;
    this.#openId = id;
    this.#lastId = "";
    this.curve = id ? new Curve() : null;
    this.absent = false;
    this.#connect();
    this.#changed();
  }

  get job() {
    return this.jobs?.find(({ id }) => id === this.#openId);
  }

  /** The job that runs, where one does. */
  get running() {
    return this.jobs?.find(({ state }) => state === "running" || state === "stopping");
  }

  /** Whole per cent of a job that are done. */
  static percent({ progress: { step, steps } }) {
    return steps ? Math.floor(100 * step / steps) : 0;
  }

  // Asking

  async #refreshAbout() {
    try {
      this.about = await ask("GET", "/api/training");
      this.#changed();
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
    }
  }

  upload(file, onProgress) {
    return upload(`/api/training/files?name=${encodeURIComponent(file.name)}`, file, onProgress);
  }

  sample(id) {
    return ask("POST", `/api/training/samples/${id}`);
  }

  report(settings, signal) {
    return ask("POST", "/api/training/report", settings, signal);
  }

  plan(settings, signal) {
    return ask("POST", "/api/training/plan", settings, signal);
  }

  async create(settings) {
    const job = await ask("POST", "/api/jobs", settings);
    this.#put(job);
    this.#changed();
    return job;
  }

  /** "pause", "resume", "cancel", "finish", "undo", "load" or "unload". */
  async act(id, action) {
    this.#put(await ask("POST", `/api/jobs/${id}/${action}`));
    this.#changed();
  }

  async remove(id) {
    await ask("DELETE", `/api/jobs/${id}`);
    this.jobs = this.jobs?.filter(job => job.id !== id);
    this.#changed();
  }

  reportOf(id) {
    return ask("GET", `/api/jobs/${id}/report`);
  }

  async exports(id) {
    return (await ask("GET", `/api/jobs/${id}/exports`)).data;
  }

  /** Makes a file of the result; returns where the browser can download it. */
  export(id, kind) {
    return ask("POST", `/api/jobs/${id}/exports/${kind}`);
  }

  /** Answers by the model as it was and as it is: yields { side, text }. */
  async* compare(id, question, signal) {
    for await (const [piece] of follow(`/api/jobs/${id}/compare`, { body: question, signal })) yield piece;
  }

  // Listening

  async #connect() {
    this.#abort?.abort();
    if (!this.enabled || document.hidden) return;
    const abort = this.#abort = new AbortController(), { signal } = abort;
    while (!signal.aborted) {
      try {
        await this.#listen(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ChatError)) throw error;
        if (error.kind === "absent") {
          this.absent = true;
          this.#openId = "";
          this.#changed();
        }
      }
      await new Promise(resolve => setTimeout(resolve, AGAIN));
    }
  }

  async #listen(signal) {
    const curve = this.curve, known = new Map();
    let live = false;
    for await (const [event, id] of follow(this.#openId ? `/api/jobs/${this.#openId}/events` : "/api/jobs/events", { lastId: this.#lastId, signal })) {
      if (signal.aborted) return;
      if (event.type === "job") {
        if (live) this.#put(event); else known.set(event.id, event);
      } else if (event.type === "gone") {
        this.jobs = this.jobs?.filter(job => job.id !== event.id);
      } else if (event.type === "live") {
        live = true;
        this.jobs = [...known.values()];
        if (curve) curve.live = true;
      } else if (curve) {
        curve.take(event);
        this.#lastId = id;
      }
      if (live) this.#changed();
    }
  }

  /* The answer to a request may come after a newer message of the stream. */
  #put(job) {
    const jobs = this.jobs ?? [], before = jobs.find(({ id }) => id === job.id);
    if (before?.revision > job.revision) return;
    this.#speak(before, job);
    this.jobs = before ? jobs.map(each => each.id === job.id ? job : each) : [job, ...jobs].sort((a, b) => b.created - a.created);
  }

  /* Quarters and ends are said, steps are not. */
  #speak(before, job) {
    const quarter = Math.floor(Training.percent(job) / 25), { title } = job.settings;
    if (before && before.state !== job.state) {
      const words = { running: "has started", paused: "is paused", finished: "has finished", failed: "has failed", cancelled: "is cancelled" }[job.state];
      if (words) this.dispatchEvent(new CustomEvent("announce", { detail: `${title} ${words}.` }));
    } else if (job.state === "running" && quarter > (this.#spoken.get(job.id) ?? 0) && quarter < 4) {
      this.dispatchEvent(new CustomEvent("announce", { detail: `${title}: ${25 * quarter}% done.` }));
    }
    this.#spoken.set(job.id, quarter);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
