// Counts the calls to malloc and its kin that the calling thread makes.
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

/// Calls on this thread so far; -1 where the C library does not let them be counted.
long allocation_count(void);

#endif
