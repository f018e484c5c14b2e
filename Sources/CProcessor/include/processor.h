// Instructions that Swift cannot spell.
#ifndef NEEDLETAIL_PROCESSOR_H
#define NEEDLETAIL_PROCESSOR_H

#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/// What CPUID answers, as eax, ebx, ecx, edx; zeros where there is no such leaf.
typedef struct {
  uint32_t eax, ebx, ecx, edx;
} processor_identification;

static inline processor_identification processor_identify(uint32_t leaf, uint32_t subleaf) {
  processor_identification result = {0, 0, 0, 0};
#if defined(__x86_64__)
  __get_cpuid_count(leaf, subleaf, &result.eax, &result.ebx, &result.ecx, &result.edx);
#else
  (void)leaf;
  (void)subleaf;
#endif
  return result;
}

/// The register states that the operating system saves (XCR0).
static inline uint64_t processor_saved_states(void) {
#if defined(__x86_64__)
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
#else
  return 0;
#endif
}

#endif
