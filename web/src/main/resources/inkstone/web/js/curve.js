// What a training job has told so far: the points of its chart, its samples. No DOM here.

const MOST = 4000;   // steps held at once; the server keeps fewer

export class Curve {
  /** Steps in order: { step, loss, learningRate, tokensPerSecond }. A loss that is no number is null. */
  steps = [];
  /** Evaluations in order: { step, loss }. */
  evaluations = [];
  samples = [];
  /** Whether the history has been read and what comes is new. */
  live = false;

  take(event) {
    switch (event.type) {
      case "started":
        for (const list of ["steps", "evaluations", "samples"]) this[list] = this[list].filter(({ step }) => step <= event.fromStep);
        break;
      case "step":
        if (event.step <= (this.steps.at(-1)?.step ?? 0)) break;
        this.steps.push(event);
        if (this.steps.length > MOST) this.steps = this.steps.filter((_, i) => i % 2 || i > MOST - 200);
        break;
      case "evaluation":
        this.evaluations = [...this.evaluations.filter(({ step }) => step < event.step), event];
        break;
      case "sample":
        this.samples.push(event);
        break;
    }
  }

  /** The training loss as a line that can be read: means over a short stretch, which grows with the run. */
  smoothed() {
    const points = this.steps.filter(({ loss }) => loss !== null), width = Math.max(1, Math.ceil(points.length / 120));
    let sum = 0;
    return points.map(({ step, loss }, i) => {
      sum += loss - (i >= width ? points[i - width].loss : 0);
      return { step, loss: sum / Math.min(i + 1, width) };
    });
  }

  /** The evaluation with the lowest loss. */
  get best() {
    return this.evaluations.filter(({ loss }) => loss !== null).reduce((best, each) => !best || each.loss < best.loss ? each : best, undefined);
  }

  /** For the table: each evaluation with the means of the steps since the one before. */
  rows() {
    let at = 0;
    return this.evaluations.map(({ step, loss }) => {
      const since = [];
      while (at < this.steps.length && this.steps[at].step <= step) since.push(this.steps[at++]);
      const losses = since.map(each => each.loss).filter(each => each !== null);
      return { step, heldOut: loss, training: losses.length ? losses.reduce((a, b) => a + b) / losses.length : null,
        learningRate: since.at(-1)?.learningRate ?? null, tokensPerSecond: since.at(-1)?.tokensPerSecond ?? null };
    });
  }
}

/** Numbers for an axis from about `low` to about `high`: round ones, four to seven of them. */
export function ticks(low, high) {
  const raw = (high - low) / 5 || 1, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].find(by => by * power >= raw) * power;
  const marks = [];
  for (let mark = Math.ceil(low / step - 1e-9) * step; mark <= high + 1e-9 * step; mark += step) marks.push(Number(mark.toPrecision(12)));
  return marks;
}

/** The same for a logarithmic axis: 1, 2 and 5 in each power of ten, or where so few of them fit that they say nothing, round ones as above. */
export function logTicks(low, high) {
  const marks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const by of [1, 2, 5]) marks.push(Number((by * 10 ** power).toPrecision(6)));
  }
  const shown = marks.filter(mark => mark >= low && mark <= high);
  return shown.length < 3 ? ticks(low, high).filter(mark => mark > 0) : shown;
}
