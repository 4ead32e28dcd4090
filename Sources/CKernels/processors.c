// Cores this process may be scheduled on. In C because sched_getaffinity is hidden from Swift (it needs _GNU_SOURCE).
#if defined(__linux__)
#define _GNU_SOURCE
#include <sched.h>
#endif
#include <unistd.h>

#include "CKernels.h"

int gs_schedulable_processors(void) {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}

int gs_list_processors(int32_t *ids, int capacity) {
  int count = 0;
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int id = 0; id < CPU_SETSIZE && count < capacity; id++) {
      if (CPU_ISSET(id, &set)) ids[count++] = id;
    }
    if (count > 0) return count;
  }
#endif
  int processors = gs_schedulable_processors();
  while (count < processors && count < capacity) {
    ids[count] = count;
    count++;
  }
  return count;
}
