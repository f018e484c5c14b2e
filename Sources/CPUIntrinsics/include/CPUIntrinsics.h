#ifndef NEEDLETAIL_CPU_INTRINSICS_H
#define NEEDLETAIL_CPU_INTRINSICS_H

// Instructions that Swift cannot spell, and that the compiler's own intrinsics do not offer to it as functions.

/// Asks for the cache line at `address`, which will be read; never faults.
static inline void prefetchForReading(const void *address) { __builtin_prefetch(address, 0, 3); }

#endif
