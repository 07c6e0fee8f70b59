// Numbers with their units, rounded to what matters.

const oneDigit = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const count = n => n.toLocaleString("en");
export const tokens = n => `${count(n)} ${n === 1 ? "token" : "tokens"}`;

/** Below ten a digit more matters: 4.2 tok/s, 41 tok/s. */
export const speed = perSecond => perSecond < 10 ? oneDigit.format(perSecond) : count(Math.round(perSecond));
export const rate = perSecond => `${perSecond < 1000 ? oneDigit.format(perSecond) : speed(perSecond)} tok/s`;
export const seconds = ms => ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.round(ms / 1000)} s`;
export const clock = time => new Date(time).toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hour12: false });

/** Decimal units, as disks and downloads are sold: 2.5 GB, 310 MB. */
export function bytes(n) {
  const [value, unit] = n >= 1e9 ? [n / 1e9, "GB"] : n >= 1e6 ? [n / 1e6, "MB"] : [n / 1e3, "kB"];
  return `${value < 10 ? oneDigit.format(value) : Math.round(value)} ${unit}`;
}

export const gigabytes = n => n < 10e9 ? oneDigit.format(n / 1e9) : String(Math.round(n / 1e9));

/** Parameter counts as model cards write them: 0.3 M, 135 M, 4.0 B. */
export function parameters(n) {
  return n >= 1e9 ? `${oneDigit.format(n / 1e9)} B` : n >= 1e7 ? `${Math.round(n / 1e6)} M` : `${oneDigit.format(n / 1e6)} M`;
}

/** Heading of the conversation list that a day belongs under. */
export function period(time, now = Date.now()) {
  const midnight = new Date(now).setHours(0, 0, 0, 0), day = 86_400_000;
  return time >= midnight ? "Today" : time >= midnight - day ? "Yesterday" : time >= midnight - 7 * day ? "Last seven days" : "Earlier";
}

/** "cpu" and "cuda" are abbreviations; other backends have names. */
export const backend = name => /^(cpu|cuda)$/.test(name) ? name.toUpperCase() : name;

/** A loss as it is compared: four figures that matter. */
export const loss = value => value === null || value === undefined ? "–" : value >= 100 ? String(Math.round(value)) : value.toFixed(value < 1 ? 3 : 2);

/** A learning rate as papers write it: 2e-4, 1.85e-5. */
export function learningRate(value) {
  if (!value) return value === 0 ? "0" : "–";
  const power = Math.floor(Math.log10(value) + 1e-9);
  return `${Number((value / 10 ** power).toFixed(2))}e${power}`;
}

/** How surprised a model is, on average, in equally likely choices: exp(loss). */
export const perplexity = value => value === null || value === undefined ? "–" : value > 20 ? "over 10⁸" : speed(Math.exp(value));

/** Time left, rounded to what matters: 40 s left, 6 min left, 2 h 10 min left. */
export function left(seconds) {
  if (seconds < 55) return `${Math.max(1, Math.round(seconds / 5) * 5)} s left`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min left`;
  return minutes < 600 ? `${Math.floor(minutes / 60)} h ${minutes % 60 ? `${minutes % 60} min ` : ""}left` : `${Math.round(minutes / 60)} h left`;
}

export function ago(time, now = Date.now()) {
  const minutes = Math.round((now - time) / 60_000);
  return minutes < 1 ? "just now" : minutes < 60 ? `${minutes} min ago` : minutes < 1440 ? `${Math.round(minutes / 60)} h ago` : new Date(time).toLocaleDateString("en", { day: "numeric", month: "short" });
}

/** Large counts, short: 402 k, 4.6 M. */
export const short = n => n < 10_000 ? count(n) : n < 1e6 ? `${Math.round(n / 1e3)} k` : parameters(n);
