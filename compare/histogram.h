// Latencies, counted in slots: linear below 256 ns, then STEPS slots for each doubling, so steps are below 1 %.
#include <stdio.h>

enum { STEPS = 128 };

typedef struct {
  long count, slots[64 * STEPS];
} Histogram;

static void record(Histogram *all, double seconds) {
  long ns = seconds * 1e9, shift = 63 - __builtin_clzl(ns | STEPS) - 7;
  all->slots[shift * STEPS + (ns >> shift)]++;
  all->count++;
}

// As JSON, in ms. Null where no latency is beyond it: a percentile needs samples to stand on.
static void print_percentile(const Histogram *all, const char *name, double share) {
  long slot = 0, within = all->slots[0];
  if (all->count * (1 - share) < 1) {
    printf("\"%s\":null", name);
    return;
  }
  while (within < all->count * share) within += all->slots[++slot];
  long shift = slot < 2 * STEPS ? 0 : slot / STEPS - 1;
  long ns = (slot - shift * STEPS) * (1L << shift) + (1L << shift) / 2;
  printf("\"%s\":%.6f", name, ns * 1e-6);
}
