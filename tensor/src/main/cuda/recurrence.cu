// Layers that hand a state from row to row. Must equal the methods of the same names of ReferenceKernels.
//
// Which rows belong together is known on the device only: rows of one sequence are neighbours with the same slot. A state is read by whoever works on the first row of its sequence
// and written by the same threads after the last, so that no two blocks touch it.
//
// shift and causal_conv look back at other rows, not at results: blocks of 256 threads, one for each row and 256 features (grid: rows · tiles), all at once.
//
// The four scans depend on the row before. A line is the part of a state that makes one feature of y: lanes threads (a power of two, neighbours in a warp) own it, each 4 · PARTS of its
// elements in registers from the first row to the last, so that a state is read and written once, whatever the number of rows. A block owns lines of one head; grid: x tiles of lines,
// y shares of the rows, of which a block walks the sequences that begin there. What all lines of a head need is made once for up to 32 rows ahead, in dynamic shared memory, a warp for
// each row: vectors of 4 · PARTS · lanes floats (zeros behind the end), scalars, and the features of the block's own lines. Elements of a thread are 4 neighbours, 4 · lanes apart from
// the next 4: 16-byte loads of neighbouring threads touch all banks once, and whole lines of 128 bytes in memory.
// Of 256 rows of a sequence, 32 heads of 128 x 128 (Qwen 3 Next): 128 blocks of 8 warps; a row is 48 multiplications a thread and one reduction over 8 lanes that the next row waits for.
#include "port.cuh"

#define DECAY -0.60653066f                                                          // -exp(-1/2)

DEVICE float softplus(float x) { return x > 20.0f ? x : log1pf(expf(x)); }

DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

DEVICE bool begins(const int *slots, int row) { return row == 0 || slots[row] != slots[row - 1]; }

// How many rows of the slot follow from row on, at most 32. Asked by whole warps.
DEVICE int rows_of_slot(const int *slots, int n, int row, int slot) {
  int at = row + (threadIdx.x & 31);
  return trailing_ones(warp_ballot(at < n && slots[at] == slot));
}

DEVICE int sequence_end(const int *slots, int n, int first) {
  int end = first + 1, slot = slots[first];
  for (int more = 32; more == 32; end += more) more = rows_of_slot(slots, n, end, slot);
  return end;
}

// y[i] = x[i - 1], or the state for the first row of a sequence. Grid: rows · tiles blocks of 256 threads, one feature each.
KERNEL shift(float *__restrict__ y, const float *__restrict__ x, float *__restrict__ state, const int *__restrict__ slots, const int *__restrict__ positions, int n, int d, int tiles) {
  int row = blockIdx.x / tiles, feature = blockIdx.x % tiles * blockDim.x + threadIdx.x;
  i64 at = (i64)row * d + feature;
  if (!begins(slots, row)) {
    if (feature < d) y[at] = x[at - d];
    return;
  }
  int end = sequence_end(slots, n, row);
  if (feature >= d) return;
  float *own = state + (i64)slots[row] * d + feature;
  y[at] = positions[row] == 0 ? 0.0f : *own;
  *own = x[(i64)(end - 1) * d + feature];
}
REGISTER(shift)

// y[i] = bias + sum over j of weight[j] · x[i - k + 1 + j]. Grid as above. The first row's threads also make the k - 2 rows after it, which need what the state held before.
KERNEL causal_conv(float *__restrict__ y, const float *__restrict__ x, const float *__restrict__ weight, const float *__restrict__ bias, float *__restrict__ state,
                   const int *__restrict__ slots, const int *__restrict__ positions, int n, int d, int k, int tiles) {
  int row = blockIdx.x / tiles, feature = blockIdx.x % tiles * blockDim.x + threadIdx.x, slot = slots[row];
  bool first = begins(slots, row);
  int end = row + 1, before = 0;
  if (first) {
    end = sequence_end(slots, n, row);
  } else {
    while (before < k - 1 && row - before > 0 && slots[row - before - 1] == slot) before++;
    if (before < k - 1) return;
  }
  if (feature >= d) return;
  float *own = state + (i64)slot * (k - 1) * d + feature;
  const float *w = weight + (i64)feature * k;
  bool empty = positions[row] == 0;                                                 // asked where the row is a sequence's first: others that come so far see rows only
  float shift = bias ? bias[feature] : 0.0f;
  for (int at = row; at < end && (at == row || at < row + k - 1); at++) {
    int inside = first ? at - row : before;
    float sum = shift;
    for (int j = 0; j < k; j++) {
      int back = k - 1 - j;
      float earlier = back <= inside ? x[(i64)(at - back) * d + feature] : empty ? 0.0f : own[(i64)(j + inside) * d];
      sum += earlier * w[j];
    }
    y[(i64)at * d + feature] = sum;
  }
  if (!first) return;
  int rows = end - row;
  for (int j = 0; j < k - 1; j++) {                                                 // oldest first: what is read lies behind what is written
    int back = k - 2 - j;
    own[(i64)j * d] = back < rows ? x[(i64)(end - 1 - back) * d + feature] : empty ? 0.0f : own[(i64)(j + rows) * d];
  }
}
REGISTER(causal_conv)

// ---- scans ----------------------------------------------------------------------------------------------------------------------------------------------

struct Batch {
  float *state;
  const int *slots, *positions;
  int n, width, chunk;
};

// Which lines of a state are this block's and this thread's. lines: of the head.
struct Place {
  int head, lines, length, lanes, first, lane, own, count;
  __device__ __forceinline__ Place(int lines, int length, int lanes, int tiles) : lines(lines), length(length), lanes(lanes) {
    head = blockIdx.x / tiles;
    count = blockDim.x / lanes;
    first = blockIdx.x % tiles * count;
    lane = threadIdx.x & (lanes - 1);
    own = threadIdx.x / lanes;
  }
  __device__ __forceinline__ bool owned() const { return first + own < lines; }
  // This thread's line among all of the state's, which is also its feature.
  __device__ __forceinline__ i64 line() const { return (i64)head * lines + first + own; }
};

DEVICE float4 zeros() { return float4{0.0f, 0.0f, 0.0f, 0.0f}; }

DEVICE float4 load4(const float *p, int left, bool aligned) {
  if (aligned) return left > 0 ? *(const float4 *)p : zeros();
  return float4{left > 0 ? p[0] : 0.0f, left > 1 ? p[1] : 0.0f, left > 2 ? p[2] : 0.0f, left > 3 ? p[3] : 0.0f};
}

DEVICE void store4(float *p, float4 v, int left, bool aligned) {
  if (aligned) {
    if (left > 0) *(float4 *)p = v;
    return;
  }
  if (left > 0) p[0] = v.x;
  if (left > 1) p[1] = v.y;
  if (left > 2) p[2] = v.z;
  if (left > 3) p[3] = v.w;
}

DEVICE float group_sum(float v, int lanes) {
  for (int mask = lanes >> 1; mask > 0; mask >>= 1) v += shuffle_xor(v, mask);
  return v;
}

// sum += a b, element by element: four chains of additions.
DEVICE void multiply_add(float4 &sum, float4 a, float4 b) {
  sum.x += a.x * b.x;
  sum.y += a.y * b.y;
  sum.z += a.z * b.z;
  sum.w += a.w * b.w;
}

DEVICE float total(float4 v) { return (v.x + v.y) + (v.z + v.w); }

// What of a vector in shared memory meets a thread's elements.
DEVICE float4 part(const float *vector, Place at, int p) { return *(const float4 *)(vector + 4 * (p * at.lanes + at.lane)); }

// Zeros behind the end, for a warp.
template <int PARTS> DEVICE void copy_vector(float *shared, const float *__restrict__ from, Place at) {
  for (int j = threadIdx.x & 31; j < 4 * PARTS * at.lanes; j += 32) shared[j] = j < at.length ? from[j] : 0.0f;
}

// The features of a row that belong to the block's lines, for a warp. row: of all features.
DEVICE void copy_features(float *shared, const float *__restrict__ row, Place at) {
  for (int j = threadIdx.x & 31; j < at.count; j += 32) shared[j] = at.first + j < at.lines ? row[(i64)at.head * at.lines + at.first + j] : 0.0f;
}

// Carries the block's lines through the sequences that begin in its share of the rows. A rule says what a row needs in shared memory: stage(row, t) by one warp for the row that is t-th
// there; and what a row does to a thread's part of a line: step(h, row, t).
template <class Rule> DEVICE void scan(Rule rule, Batch batch, Place at) {
  constexpr int PARTS = Rule::PARTS;
  bool aligned = (at.length & 3) == 0, owned = at.owned();
  int warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  float4 h[PARTS];
  int to = (int)((i64)batch.n * (blockIdx.y + 1) / gridDim.y);
  for (int first = (int)((i64)batch.n * blockIdx.y / gridDim.y); first < to; first++) {
    if (!begins(batch.slots, first)) continue;
    int slot = batch.slots[first];
    float *line = batch.state + (i64)slot * batch.width + at.line() * at.length;
    bool empty = batch.positions[first] == 0 || !owned;
    #pragma unroll
    for (int p = 0; p < PARTS; p++) {
      int column = 4 * (p * at.lanes + at.lane);
      h[p] = empty ? zeros() : load4(line + column, at.length - column, aligned);
    }
    for (int row = first, count; (count = min(batch.chunk, rows_of_slot(batch.slots, batch.n, row, slot))) > 0; row += count) {
      __syncthreads();                                                              // whoever still reads the rows before
      for (int t = warp; t < count; t += warps) rule.stage(row + t, t);
      __syncthreads();
      #pragma unroll 2
      for (int t = 0; t < count; t++) rule.step(h, row + t, t);
    }
    #pragma unroll
    for (int p = 0; p < PARTS; p++) {
      int column = 4 * (p * at.lanes + at.lane);
      if (owned) store4(line + column, h[p], at.length - column, aligned);
    }
  }
}

// h[s] = exp(t a[s]) h[s] + t b[s] x; y = sum of c[s] h[s] + skip x. One head of d lines. Shared: vectors b, c; t and x of each feature.
struct SelectiveScan {
  static constexpr int PARTS = 1;
  float *y;
  const float *x, *dt, *b, *c;
  Place at;
  float *in, *out, *steps, *inputs;
  float skip;
  float4 decay[PARTS];

  __device__ __forceinline__ SelectiveScan(float *y, const float *x, const float *dt, const float *b, const float *c, const float *a, const float *skips, Place at, int chunk, float *shared)
      : y(y), x(x), dt(dt), b(b), c(c), at(at) {
    int length = 4 * PARTS * at.lanes;
    in = shared;
    out = in + chunk * length;
    steps = out + chunk * length;
    inputs = steps + chunk * at.count;
    skip = at.owned() ? skips[at.line()] : 0.0f;
    #pragma unroll
    for (int p = 0; p < PARTS; p++) {
      int column = 4 * (p * at.lanes + at.lane);
      decay[p] = at.owned() ? load4(a + at.line() * at.length + column, at.length - column, (at.length & 3) == 0) : zeros();
    }
  }

  __device__ __forceinline__ void stage(int row, int t) {
    int length = 4 * PARTS * at.lanes;
    copy_vector<PARTS>(in + t * length, b + (i64)row * at.length, at);
    copy_vector<PARTS>(out + t * length, c + (i64)row * at.length, at);
    copy_features(inputs + t * at.count, x + (i64)row * at.lines, at);
    for (int j = threadIdx.x & 31; j < at.count; j += 32) steps[t * at.count + j] = at.first + j < at.lines ? softplus(dt[(i64)row * at.lines + at.first + j]) : 0.0f;
  }

  __device__ __forceinline__ void step(float4 *h, int row, int t) {
    int length = 4 * PARTS * at.lanes;
    float input = inputs[t * at.count + at.own], step = steps[t * at.count + at.own], scaled = step * input;
    float4 sum = zeros();
    #pragma unroll
    for (int p = 0; p < PARTS; p++) {
      float4 added = part(in + t * length, at, p);
      h[p].x = expf(step * decay[p].x) * h[p].x + scaled * added.x;
      h[p].y = expf(step * decay[p].y) * h[p].y + scaled * added.y;
      h[p].z = expf(step * decay[p].z) * h[p].z + scaled * added.z;
      h[p].w = expf(step * decay[p].w) * h[p].w + scaled * added.w;
      multiply_add(sum, h[p], part(out + t * length, at, p));
    }
    float made = group_sum(total(sum), at.lanes);
    if (at.lane == 0 && at.owned()) y[(i64)row * at.lines + at.line()] = made + skip * input;
  }
};

// h = kept h + added b.
template <int PARTS> DEVICE void decay_and_add(float4 *h, float kept, float added, const float *b, Place at) {
  #pragma unroll
  for (int p = 0; p < PARTS; p++) {
    float4 v = part(b, at, p);
    h[p].x = kept * h[p].x + added * v.x;
    h[p].y = kept * h[p].y + added * v.y;
    h[p].z = kept * h[p].z + added * v.z;
    h[p].w = kept * h[p].w + added * v.w;
  }
}

// h[s] = exp(t a) h[s] + t b[s] x; y = sum of c[s] h[s] + skip x. Shared: vectors b, c; exp(t a), t; x of each feature.
struct SsdScan {
  static constexpr int PARTS = 4;
  float *y;
  const float *x, *dt, *b, *c;
  Place at;
  int heads, groups;
  float *in, *out, *kept, *steps, *inputs;
  float decay, skip;

  __device__ __forceinline__ SsdScan(float *y, const float *x, const float *dt, const float *b, const float *c, const float *a, const float *skips, int heads, int groups, Place at, int chunk,
                                     float *shared) : y(y), x(x), dt(dt), b(b), c(c), at(at), heads(heads), groups(groups) {
    int length = 4 * PARTS * at.lanes;
    in = shared;
    out = in + chunk * length;
    kept = out + chunk * length;
    steps = kept + chunk;
    inputs = steps + chunk;
    decay = a[at.head];
    skip = skips[at.head];
  }

  __device__ __forceinline__ void stage(int row, int t) {
    int length = 4 * PARTS * at.lanes;
    i64 from = ((i64)row * groups + at.head / (heads / groups)) * at.length;
    copy_vector<PARTS>(in + t * length, b + from, at);
    copy_vector<PARTS>(out + t * length, c + from, at);
    copy_features(inputs + t * at.count, x + (i64)row * heads * at.lines, at);
    if ((threadIdx.x & 31) == 0) {
      float step = softplus(dt[(i64)row * heads + at.head]);
      steps[t] = step;
      kept[t] = expf(step * decay);
    }
  }

  __device__ __forceinline__ void step(float4 *h, int row, int t) {
    int length = 4 * PARTS * at.lanes;
    float input = inputs[t * at.count + at.own];
    decay_and_add<PARTS>(h, kept[t], steps[t] * input, in + t * length, at);
    float4 sum = zeros();
    #pragma unroll
    for (int p = 0; p < PARTS; p++) multiply_add(sum, h[p], part(out + t * length, at, p));
    float made = group_sum(total(sum), at.lanes);
    if (at.lane == 0 && at.owned()) y[(i64)row * heads * at.lines + at.line()] = made + skip * input;
  }
};

// s = exp(a t) s, then s += rate (v - s · k) k and y = s · q. With s the line before, y = kept (s · q) + added (k · q): both products of s are summed up at once, and k · q is the head's.
// Shared: vectors k and q of their lengths; kept, rate, k · q; v of each feature.
struct GatedDelta {
  static constexpr int PARTS = 4;
  float *y;
  const float *q, *k, *v, *dt, *rate;
  Place at;
  int heads, keyHeads, keyHead;
  float eps, decay, bias;
  float *keys, *queries, *kept, *learnt, *agreement, *values;

  __device__ __forceinline__ GatedDelta(float *y, const float *q, const float *k, const float *v, const float *dt, const float *rate, const float *a, const float *biases, int tiled, float eps,
                                        int heads, int keyHeads, Place at, int chunk, float *shared)
      : y(y), q(q), k(k), v(v), dt(dt), rate(rate), at(at), heads(heads), keyHeads(keyHeads), eps(eps) {
    int length = 4 * PARTS * at.lanes;
    keyHead = tiled ? at.head % keyHeads : at.head / (heads / keyHeads);
    decay = a[at.head];
    bias = biases[at.head];
    keys = shared;
    queries = keys + chunk * length;
    kept = queries + chunk * length;
    learnt = kept + chunk;
    agreement = learnt + chunk;
    values = agreement + chunk;
  }

  __device__ __forceinline__ void stage(int row, int t) {
    int length = 4 * PARTS * at.lanes, lane = threadIdx.x & 31;
    float *key = keys + t * length, *query = queries + t * length;
    i64 from = ((i64)row * keyHeads + keyHead) * at.length;
    copy_vector<PARTS>(key, k + from, at);
    copy_vector<PARTS>(query, q + from, at);
    copy_features(values + t * at.count, v + (i64)row * heads * at.lines, at);
    float keySquares = 0.0f, querySquares = 0.0f, product = 0.0f;
    for (int j = lane; j < length; j += 32) {                                       // a lane reads what it wrote
      keySquares += key[j] * key[j];
      querySquares += query[j] * query[j];
      product += key[j] * query[j];
    }
    float keyFactor = 1.0f / fmaxf(sqrtf(warp_sum(keySquares)), eps), queryFactor = 1.0f / fmaxf(sqrtf(warp_sum(querySquares)), eps) / sqrtf((float)at.length);
    product = warp_sum(product);
    for (int j = lane; j < length; j += 32) {
      key[j] *= keyFactor;
      query[j] *= queryFactor;
    }
    if (lane == 0) {
      i64 scalar = (i64)row * heads + at.head;
      kept[t] = expf(decay * softplus(dt[scalar] + bias));
      learnt[t] = sigmoid(rate[scalar]);
      agreement[t] = product * keyFactor * queryFactor;
    }
  }

  __device__ __forceinline__ void step(float4 *h, int row, int t) {
    int length = 4 * PARTS * at.lanes;
    const float *key = keys + t * length, *query = queries + t * length;
    float4 known = zeros(), asked = zeros();
    #pragma unroll
    for (int p = 0; p < PARTS; p++) {
      multiply_add(known, h[p], part(key, at, p));
      multiply_add(asked, h[p], part(query, at, p));
    }
    float kept = this->kept[t], knownSum = group_sum(total(known), at.lanes), askedSum = group_sum(total(asked), at.lanes);
    float added = (values[t * at.count + at.own] - kept * knownSum) * learnt[t];
    decay_and_add<PARTS>(h, kept, added, key, at);
    if (at.lane == 0 && at.owned()) y[(i64)row * heads * at.lines + at.line()] = kept * askedSum + added * agreement[t];
  }
};

// S = S diag(w) - (S q) (q · rate)ᵀ + v k'ᵀ, y = S r. With s a line before, y = s · (w r) - (s · q) (q rate · r) + v (k' · r), as above.
// Shared: vectors w, q, q · rate, k', w r; (q rate · r), (k' · r), (r · k' · weight); v of each feature.
struct Wkv7 {
  static constexpr int PARTS = 2;
  float *y, *bonus;
  const float *r, *decay, *k, *v, *rate, *removal, *replacement, *weight;
  Place at;
  int d;
  float *kept, *removed, *replaced, *written, *asked, *removedShare, *writtenShare, *agreement, *values;

  __device__ __forceinline__ Wkv7(float *y, float *bonus, const float *r, const float *decay, const float *k, const float *v, const float *rate, const float *removal,
                                  const float *replacement, const float *weight, int d, Place at, int chunk, float *shared)
      : y(y), bonus(bonus), r(r), decay(decay), k(k), v(v), rate(rate), removal(removal), replacement(replacement), weight(weight), at(at), d(d) {
    int size = chunk * 4 * PARTS * at.lanes;
    kept = shared;
    removed = kept + size;
    replaced = removed + size;
    written = replaced + size;
    asked = written + size;
    removedShare = asked + size;
    writtenShare = removedShare + chunk;
    agreement = writtenShare + chunk;
    values = agreement + chunk;
  }

  __device__ __forceinline__ void stage(int row, int t) {
    int length = 4 * PARTS * at.lanes, from = t * length, lane = threadIdx.x & 31;
    i64 base = (i64)row * d + (i64)at.head * at.length;
    float squares = 0.0f, removedSum = 0.0f, writtenSum = 0.0f, agreementSum = 0.0f;
    for (int j = lane; j < length; j += 32) {
      float w = 0.0f, q = 0.0f, taken = 0.0f, given = 0.0f, read = 0.0f;
      if (j < at.length) {
        int column = at.head * at.length + j;
        float key = k[base + j], a = rate[base + j];
        read = r[base + j];
        w = expf(DECAY * sigmoid(decay[base + j]));
        q = key * removal[column];
        taken = q * a;
        given = key * (1.0f + (a - 1.0f) * replacement[column]);
        squares += q * q;
        removedSum += read * taken;
        writtenSum += read * given;
        agreementSum += read * given * weight[column];
      }
      kept[from + j] = w;
      removed[from + j] = q;
      replaced[from + j] = taken;
      written[from + j] = given;
      asked[from + j] = w * read;
    }
    float inverse = 1.0f / fmaxf(sqrtf(warp_sum(squares)), 1e-12f);
    removedSum = warp_sum(removedSum);
    writtenSum = warp_sum(writtenSum);
    agreementSum = warp_sum(agreementSum);
    for (int j = lane; j < length; j += 32) {
      removed[from + j] *= inverse;
      replaced[from + j] *= inverse;
    }
    copy_features(values + t * at.count, v + (i64)row * d, at);
    if (lane == 0) {
      removedShare[t] = removedSum * inverse;
      writtenShare[t] = writtenSum;
      agreement[t] = agreementSum;
    }
  }

  __device__ __forceinline__ void step(float4 *h, int row, int t) {
    int from = t * 4 * PARTS * at.lanes;
    float4 found = zeros(), answer = zeros();
    #pragma unroll
    for (int p = 0; p < PARTS; p++) {
      multiply_add(found, h[p], part(removed + from, at, p));
      multiply_add(answer, h[p], part(asked + from, at, p));
    }
    float foundSum = group_sum(total(found), at.lanes), answerSum = group_sum(total(answer), at.lanes), value = values[t * at.count + at.own];
    #pragma unroll
    for (int p = 0; p < PARTS; p++) {
      float4 w = part(kept + from, at, p), taken = part(replaced + from, at, p), given = part(written + from, at, p);
      h[p].x = h[p].x * w.x - foundSum * taken.x + value * given.x;
      h[p].y = h[p].y * w.y - foundSum * taken.y + value * given.y;
      h[p].z = h[p].z * w.z - foundSum * taken.z + value * given.z;
      h[p].w = h[p].w * w.w - foundSum * taken.w + value * given.w;
    }
    if (at.lane == 0 && at.owned()) {
      y[(i64)row * d + at.line()] = answerSum - foundSum * removedShare[t] + value * writtenShare[t];
      bonus[(i64)row * d + at.line()] = value * agreement[t];
    }
  }
};

// lines: of a head, of length elements each; lanes: threads of a line; tiles: of a head's lines; chunk: rows that shared memory holds.
#define BATCH float *__restrict__ state, const int *__restrict__ slots, const int *__restrict__ positions, int n, int width, int chunk, int lines, int length, int lanes, int tiles
#define SCAN(Rule, ...) \
  DYNAMIC_SHARED(float, shared); \
  Place at(lines, length, lanes, tiles); \
  scan(Rule(__VA_ARGS__, at, chunk, shared), Batch{state, slots, positions, n, width, chunk}, at)

KERNEL selective_scan(BATCH, float *__restrict__ y, const float *__restrict__ x, const float *__restrict__ dt, const float *__restrict__ b, const float *__restrict__ c,
                      const float *__restrict__ a, const float *__restrict__ skip) {
  SCAN(SelectiveScan, y, x, dt, b, c, a, skip);
}
REGISTER(selective_scan)

KERNEL ssd_scan(BATCH, float *__restrict__ y, const float *__restrict__ x, const float *__restrict__ dt, const float *__restrict__ b, const float *__restrict__ c,
                const float *__restrict__ a, const float *__restrict__ skip, int heads, int groups) {
  SCAN(SsdScan, y, x, dt, b, c, a, skip, heads, groups);
}
REGISTER(ssd_scan)

KERNEL gated_delta(BATCH, float *__restrict__ y, const float *__restrict__ q, const float *__restrict__ k, const float *__restrict__ v, const float *__restrict__ dt,
                   const float *__restrict__ rate, const float *__restrict__ a, const float *__restrict__ bias, int tiled, float eps, int heads, int keyHeads) {
  SCAN(GatedDelta, y, q, k, v, dt, rate, a, bias, tiled, eps, heads, keyHeads);
}
REGISTER(gated_delta)

KERNEL wkv7(BATCH, float *__restrict__ y, float *__restrict__ bonus, const float *__restrict__ r, const float *__restrict__ decay, const float *__restrict__ k,
            const float *__restrict__ v, const float *__restrict__ rate, const float *__restrict__ removal, const float *__restrict__ replacement, const float *__restrict__ weight, int d) {
  SCAN(Wkv7, y, bonus, r, decay, k, v, rate, removal, replacement, weight, d);
}
REGISTER(wkv7)
