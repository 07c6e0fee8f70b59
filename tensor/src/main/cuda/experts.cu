// Linear maps of which each row has its own expert, known on the device alone. Few rows: one by one (gemv.cuh). Many: rows are sorted by expert, then multiplied tile after
// tile (gemm.cuh). Must equal ReferenceKernels.expertLinear and ReferenceGradients.expertInput.
#include "port.cuh"

// Rows sorted by expert, each expert's in order: those of expert e are order[offsets[e]] to before order[offsets[e + 1]]. Grid: a warp for each expert, blocks of 256 threads.
// A warp reads all of experts twice: first to count the rows of lower experts, then to place its own.
KERNEL expert_order(int *order, int *offsets, const int *experts, int m, int count) {
  int lane = threadIdx.x & 31, expert = blockIdx.x * 8 + (threadIdx.x >> 5);
  if (expert >= count) return;
  int lower = 0, own = 0;
  for (int i = lane; i < m; i += 32) {
    int e = experts[i];
    lower += e >= 0 && e < expert;
    own += e == expert;
  }
  for (int mask = 16; mask > 0; mask >>= 1) {
    lower += shuffle_xor(lower, mask);
    own += shuffle_xor(own, mask);
  }
  if (lane == 0) {
    offsets[expert] = lower;
    if (expert == count - 1) offsets[count] = lower + own;
  }
  int to = lower;
  for (int from = 0; from < m && to < lower + own; from += 32) {
    bool mine = from + lane < m && experts[from + lane] == expert;
    u32 all = warp_ballot(mine), before = all & ((1u << lane) - 1);
    if (mine) order[to + count_bits(before)] = from + lane;
    to += count_bits(all);
  }
}
REGISTER(expert_order)

// Tiles of so many rows, each of one expert: tiles[2 i] is the expert, tiles[2 i + 1] the first of its rows; -1 where there is no tile. Grid: 1 block of 32 threads; number tiles have room.
KERNEL expert_tiles(int *tiles, const int *offsets, int count, int rows, int number) {
  int lane = threadIdx.x, at = 0;
  for (int first = 0; first < count; first += 32) {
    int expert = first + lane, begin = expert < count ? offsets[expert] : 0, mine = expert < count ? (offsets[expert + 1] - begin + rows - 1) / rows : 0, before = mine;
    for (int by = 1; by < 32; by <<= 1) {                                           // the sum of this and of lower lanes
      int other = shuffle(before, lane >= by ? lane - by : 0);
      if (lane >= by) before += other;
    }
    for (int i = 0; i < mine; i++) {
      tiles[2 * (at + before - mine + i)] = expert;
      tiles[2 * (at + before - mine + i) + 1] = begin + i * rows;
    }
    at += shuffle(before, 31);
  }
  for (int i = at + lane; i < number; i += 32) tiles[2 * i] = -1;
}
REGISTER(expert_tiles)

// dx[i] += parts[i used] + parts[i used + 1] + ..: what each of a row's experts gives. dx [n, in]. Grid: one number a thread, blocks of 256.
KERNEL expert_input_sums(float *dx, const float *parts, int used, int in, i64 count) {
  i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) return;
  i64 row = i / in;
  const float *part = parts + row * used * in + (i - row * in);
  float sum = 0.0f;
  for (int j = 0; j < used; j++) sum += part[(i64)j * in];
  dx[i] += sum;
}
REGISTER(expert_input_sums)
