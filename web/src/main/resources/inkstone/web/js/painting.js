// The page's side of painting: what is to be painted next, the jobs, the steps of the picture being painted, and the gallery. One event stream, for as long as the page is
// looked at. Each change is announced by one "change" event. No DOM here but a canvas that cuts film strips.

import { ask, ChatError, follow, hasKey, keyed, upload } from "./api.js";

const AGAIN = 1500;        // milliseconds before a broken stream is asked for again
const KEPT = "inkstone.paint";
const PAGE = 60;           // pictures of the gallery that come at once

/** Fields of an order that a person chooses; what is absent is the model's own. */
export const FIELDS = ["prompt", "negative", "width", "height", "steps", "guidance", "rescale", "sampler", "schedule", "eta", "noise", "seed", "strength"];

export class Painting extends EventTarget {
  /** This server paints. */
  enabled = false;
  /** Models and limits; null until they have come. */
  about = null;
  /** All jobs that the server knows, the newest first; null until the first have come. */
  jobs = null;
  /** The gallery as far as it is loaded: { words, favourites, pictures, all, next }; pictures is null until the first have come. */
  gallery = { words: "", favourites: false, pictures: null, all: 0, next: 0 };
  /** What the form holds: fields that were chosen, and model, count, lock (keep the seed), from, mask, grid. */
  draft = { prompt: "", count: 1, lock: false, ...read() };
  /** The pictures to begin with and to change by: { id, url, width, height }, null where there is none. They live as long as the page. */
  from = null;
  mask = null;
  #frames = new Map();   // job id -> [[{ step, steps, sigma, predicted, noisy }], ...] for each of its pictures
  #films = new Map();    // picture id -> promise of such frames
  #blobs = new Map();    // address -> that of the same as a blob, "" while it is on its way
  #abort = null;
  #spoken = "";
  #asked = 0;

  constructor() {
    super();
    document.addEventListener("visibilitychange", () => this.#connect());
  }

  enable(enabled) {
    if (enabled === this.enabled) return;
    this.enabled = enabled;
    if (enabled) {
      this.#refreshAbout();
      this.search(this.gallery.words, this.gallery.favourites);
    }
    this.#connect();
  }

  // What is to be painted

  get model() {
    const models = this.about?.models ?? [];
    return models.find(({ name }) => name === this.draft.model) ?? models[0];
  }

  /** The value in force: what was chosen, else the model's. */
  value(field) {
    return this.draft[field] ?? this.model?.defaults[field];
  }

  set(field, value) {
    const { [field]: _, ...rest } = this.draft;
    const usual = FIELDS.includes(field) && field !== "prompt" && field !== "seed" && value === this.model?.defaults[field];
    this.draft = value === undefined || usual ? rest : { ...rest, [field]: value };
    if (field === "model") this.#fit();
    write(this.draft);
    this.#changed();
  }

  begin(from, mask = null) {
    this.from = from;
    this.mask = mask;
    this.#changed();
  }

  /** Takes over the settings of a picture: of the gallery, or read from a file. Names that the model does not have are left to it. */
  use(settings) {
    const { count, lock } = this.draft, model = this.about?.models.find(({ name }) => plain(name) === plain(settings.model ?? ""))?.name ?? this.draft.model;
    this.draft = { prompt: "", count, lock, model };
    const { samplers = [], schedules = [], noises = [], defaults } = this.model ?? {}, named = { sampler: samplers, schedule: schedules, noise: noises };
    for (const field of FIELDS) {
      const value = settings[field];
      if (value === undefined || value === null || (field === "strength" && !settings.changed)) continue;
      const fitting = named[field] ? named[field].find(name => plain(name) === plain(value)) : value;
      if (fitting !== undefined && (fitting !== defaults?.[field] || field === "prompt" || field === "seed")) this.draft[field] = fitting;
    }
    this.draft.lock = settings.seed !== undefined && settings.seed !== null;
    this.#fit();
    write(this.draft);
    this.#changed();
  }

  /* What another model does not have is left to it. */
  #fit() {
    const { model } = this;
    if (!model) return;
    const sides = side => side >= model.smallest && side <= model.largest && side % model.multiple === 0;
    const fits = { width: sides, height: sides, sampler: name => model.samplers.includes(name), schedule: name => model.schedules.includes(name), noise: name => model.noises.includes(name) };
    for (const [field, fit] of Object.entries(fits)) if (field in this.draft && !fit(this.draft[field])) delete this.draft[field];
  }

  /** What the form asks for, with other values where `changes` has some. */
  order(changes = {}) {
    const { model, lock, count, seed, ...fields } = this.draft, { from, mask } = this;
    return { model, count, ...fields, ...(lock && seed !== undefined ? { seed } : {}), ...(from ? { from: from.id, ...(mask ? { mask: mask.id } : {}) } : {}), ...changes };
  }

  // Asking

  async paint(order) {
    const job = await ask("POST", "/api/images/jobs", order);
    this.#put(job);
    this.#changed();
    return job;
  }

  async cancel(id) {
    this.#put(await ask("POST", `/api/images/jobs/${id}/cancel`));
    this.#changed();
  }

  async enlarge(id) {
    const job = await ask("POST", `/api/images/${id}/enlarge`);
    this.#put(job);
    this.#changed();
    return job;
  }

  /** Hands in a picture; returns { id, width, height, settings }. */
  receive(blob) {
    return upload("/api/images/guests", blob, () => {});
  }

  job(id) {
    return this.jobs?.find(job => job.id === id);
  }

  /** The job that is being painted, or will be next. */
  get running() {
    return this.jobs?.find(({ state }) => state === "running") ?? this.jobs?.findLast(({ state }) => state === "waiting");
  }

  /** Whole per cent of a job that are done. */
  static percent({ pictures, done, step, steps, state }) {
    return state === "finished" ? 100 : Math.floor(100 * (done.length + (steps && state === "running" ? step / steps : 0)) / pictures);
  }

  /** Steps of a job's picture as far as they have come. */
  frames(jobId, picture) {
    return this.#frames.get(jobId)?.[picture] ?? [];
  }

  async #refreshAbout() {
    await this.#quietly(async () => { this.about = await ask("GET", "/api/images/about"); this.#fit(); });
  }

  // The gallery

  /** Begins the gallery anew with what is found. */
  async search(words, favourites) {
    const asked = ++this.#asked;
    this.gallery = { ...this.gallery, words, favourites };
    await this.#quietly(async () => {
      const { data, all, next } = await this.#page(0);
      if (asked === this.#asked) this.gallery = { words, favourites, pictures: data, all, next };
    });
  }

  /** The next page. */
  async more() {
    const { gallery } = this, asked = this.#asked;
    if (!gallery.next) return;
    await this.#quietly(async () => {
      const { data, all, next } = await this.#page(gallery.next);
      if (asked === this.#asked) this.gallery = { ...this.gallery, pictures: [...this.gallery.pictures, ...data], all, next };
    });
  }

  #page(before) {
    const { words, favourites } = this.gallery;
    return ask("GET", `/api/images?${new URLSearchParams({ words, favourites, before, most: PAGE })}`);
  }

  /** A picture of the gallery, asked for where it is not loaded. */
  async picture(id) {
    return this.known(id) ?? ask("GET", `/api/images/${id}`);
  }

  known(id) {
    return this.gallery.pictures?.find(picture => picture.id === id) ?? this.jobs?.flatMap(({ done }) => done).find(picture => picture.id === id);
  }

  async keep(id, favourite) {
    const picture = await ask("POST", `/api/images/${id}/favourite`, { favourite });
    this.#replace(picture);
    return picture;
  }

  async remove(id) {
    await ask("DELETE", `/api/images/${id}`);
    const { pictures, all } = this.gallery;
    this.gallery = { ...this.gallery, pictures: pictures?.filter(picture => picture.id !== id) ?? null, all: all - 1 };
    this.#changed();
  }

  async undo(id) {
    const picture = await ask("POST", `/api/images/${id}/undo`), { pictures, all } = this.gallery;
    this.gallery = { ...this.gallery, pictures: [picture, ...pictures ?? []].sort((a, b) => b.number - a.number), all: all + 1 };
    this.#changed();
  }

  #replace(picture) {
    const swap = list => list?.map(each => each.id === picture.id ? picture : each) ?? list;
    this.gallery = { ...this.gallery, pictures: swap(this.gallery.pictures) };
    this.jobs = this.jobs?.map(job => ({ ...job, done: swap(job.done) })) ?? null;
    this.#changed();
  }

  /** Where an <img> finds what is at an address of this server; undefined while a picture that needs the key is on its way. */
  src(url) {
    if (!hasKey()) return url;
    if (!this.#blobs.has(url)) {
      this.#blobs.set(url, "");
      this.#quietly(async () => this.#blobs.set(url, await keyed(url)));
    }
    return this.#blobs.get(url) || undefined;
  }

  /** The steps of a finished picture, cut from its film strip; rejects where none was kept. */
  film(picture) {
    const { id, sigmas } = picture;
    if (!this.#films.has(id)) this.#films.set(id, this.#cut(id, sigmas));
    return this.#films.get(id);
  }

  async #cut(id, sigmas) {
    const strip = new Image();
    strip.src = await keyed(`/api/images/${id}/steps.png`);
    await strip.decode();
    const width = strip.naturalWidth / sigmas.length, height = strip.naturalHeight / 2, canvas = Object.assign(document.createElement("canvas"), { width, height }), pen = canvas.getContext("2d");
    const cut = (column, row) => {
      pen.drawImage(strip, -column * width, -row * height);
      return canvas.toDataURL();
    };
    return sigmas.map((sigma, i) => ({ step: i + 1, steps: sigmas.length, sigma, predicted: cut(i, 0), noisy: cut(i, 1) }));
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
      }
      await new Promise(resolve => setTimeout(resolve, AGAIN));
    }
  }

  async #listen(signal) {
    const known = new Map();
    let live = false;
    for await (const [event] of follow("/api/images/events", { signal })) {
      if (signal.aborted) return;
      if (event.type === "job") {
        if (live) this.#put(event); else known.set(event.id, event);
      } else if (event.type === "step") {
        this.#take(event);
      } else if (event.type === "live") {
        live = true;
        const missed = this.jobs !== null && [...known.values()].some(job => job.done.length > (this.job(job.id)?.done.length ?? 0));
        this.jobs = [...known.values()].sort((a, b) => b.created - a.created);
        if (missed) this.search(this.gallery.words, this.gallery.favourites);   // pictures were finished while nobody listened
      }
      if (live) this.#changed();
    }
  }

  #take({ job: id, picture, step, steps, sigma, predicted, noisy, secondsLeft }) {
    const film = this.#frames.get(id) ?? [], frames = film[picture] ??= [];
    frames[step - 1] = { step, steps, sigma, predicted, noisy };
    this.#frames.set(id, film);
    const job = this.job(id);
    if (job) this.jobs = this.jobs.map(each => each === job ? { ...job, step, steps, secondsLeft } : each);
  }

  /* The answer to a request may come after a newer message of the stream. */
  #put(job) {
    const jobs = this.jobs ?? [], before = this.job(job.id);
    if (before?.revision > job.revision) return;
    this.jobs = before ? jobs.map(each => each.id === job.id ? job : each) : [job, ...jobs].sort((a, b) => b.created - a.created);
    const fresh = job.done.slice(before?.done.length ?? 0), { gallery } = this;
    if (fresh.length && gallery.pictures && !gallery.words && !gallery.favourites) {
      const known = new Set(gallery.pictures.map(({ id }) => id)), added = fresh.filter(({ id }) => !known.has(id)).toReversed();
      this.gallery = { ...gallery, pictures: [...added, ...gallery.pictures], all: gallery.all + added.length };
    }
    if (job.state !== "running" && job.state !== "waiting" && this.#frames.size > 8) for (const old of [...this.#frames.keys()].slice(0, -8)) this.#frames.delete(old);   // their strips are on disk
    this.#speak(before, job);
  }

  /* Quarters and ends are said, steps are not. */
  #speak(before, job) {
    const now = `${job.id} ${job.state} ${job.done.length}`;
    if (!before || now === this.#spoken) return;
    this.#spoken = now;
    const detail = job.state === "finished" ? `${job.pictures === 1 ? "The picture is" : `All ${job.pictures} pictures are`} finished.` : job.state === "failed" ? `Painting failed: ${job.problem}.`
      : job.state === "cancelled" ? "Painting stopped." : job.done.length > before.done.length ? `Picture ${job.done.length} of ${job.pictures} is finished.` : before.state === "waiting" ? "Painting." : "";
    if (detail) this.dispatchEvent(new CustomEvent("announce", { detail }));
  }

  /* What the page can do without: nothing is said where it does not come. */
  async #quietly(work) {
    try {
      await work();
      this.#changed();
    } catch (error) {
      if (!(error instanceof ChatError)) throw error;
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** "DPM++ 2M", "dpmpp_2m" and "dpm++2m" are one name. */
export const plain = name => name.toLowerCase().replaceAll("++", "pp").replaceAll("ancestral", "a").replaceAll(/[ _-]/g, "");

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT));
    return kept !== null && typeof kept === "object" && typeof (kept.prompt ?? "") === "string" ? kept : {};
  } catch {
    return {};
  }
}

function write(draft) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(draft));
  } catch (error) {
    if (error.name !== "QuotaExceededError" && error.name !== "NS_ERROR_DOM_QUOTA_REACHED") throw error;   // the form then lives as long as the page
  }
}
