// Instructions that Swift cannot spell.
#ifndef NEEDLETAIL_PROCESSOR_H
#define NEEDLETAIL_PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
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

/// Asks for the tile registers of AMX, for all threads of the process.
static inline bool processor_requests_tiles(void) {
#if defined(__x86_64__) && defined(__linux__) && defined(SYS_arch_prctl)
  // ARCH_REQ_XCOMP_PERM of the state XTILEDATA.
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
  return false;
#endif
}

#endif
