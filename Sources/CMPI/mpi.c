#include "CMPI.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gs_mpi {
  int is_open_mpi;
  int rank, size;
  // Handles: addresses for Open MPI, numbers for MPICH.
  intptr_t world, byte, errors_return;
  // Wide enough for either kind of request and, below, for any library's MPI_Status (24 bytes at most).
  intptr_t request;
  int64_t status[16];
  int *counts;  // 4 × size: MPI reads counts and offsets until the operation is done
  char version[256];

  void *init_thread, *initialized, *finalize, *abort, *comm_rank, *comm_size, *set_errhandler;
  void *all_to_all, *all_gather, *broadcast, *barrier, *test, *error_string, *library_version;
};

#define HANDLE void *
#define FAMILY(name) openmpi_##name
#include "calls.h"
#undef HANDLE
#undef FAMILY
// MPICH's handles are 32-bit; the table keeps them in pointer-sized fields.
typedef int mpich_handle;
#define HANDLE mpich_handle
#define FAMILY(name) mpich_##name
#include "calls.h"
#undef HANDLE
#undef FAMILY

#define CALL(m, name, ...) ((m)->is_open_mpi ? openmpi_##name(__VA_ARGS__) : mpich_##name(__VA_ARGS__))

// Values of the MPICH ABI (mpi.h of MPICH 3.1 and later, and of the libraries that follow it).
enum { MPICH_COMM_WORLD = 0x44000000, MPICH_BYTE = 0x4c00010d, MPICH_ERRORS_RETURN = 0x54000001 };
// MPI_THREAD_SERIALIZED is 2 in both.
enum { THREAD_SERIALIZED = 2 };

static const char *const symbol_names[] = {
    "MPI_Init_thread", "MPI_Initialized",     "MPI_Finalize",  "MPI_Abort",    "MPI_Comm_rank",
    "MPI_Comm_size",   "MPI_Comm_set_errhandler", "MPI_Ialltoallv", "MPI_Iallgatherv", "MPI_Ibcast",
    "MPI_Ibarrier",    "MPI_Test",            "MPI_Error_string", "MPI_Get_library_version",
};

static void **const *slots(gs_mpi *m, void **storage[14]) {
  void **all[14] = {
      &m->init_thread, &m->initialized, &m->finalize,  &m->abort,   &m->comm_rank, &m->comm_size,    &m->set_errhandler,
      &m->all_to_all,  &m->all_gather,  &m->broadcast, &m->barrier, &m->test,      &m->error_string, &m->library_version,
  };
  memcpy(storage, all, sizeof all);
  return storage;
}

static void read_version(gs_mpi *m) {
  // MPI_MAX_LIBRARY_VERSION_STRING is 256 in Open MPI and 8192 in MPICH.
  char text[8192 + 1] = {0};
  int length = 0;
  ((int (*)(char *, int *))m->library_version)(text, &length);
  text[sizeof text - 1] = 0;
  // MPICH writes `MPICH Version:\t4.0.2\nMPICH Release date…`.
  size_t n = 0;
  for (const char *c = text; *c != 0 && *c != '\n' && n + 1 < sizeof m->version; c++) {
    if (*c == '\t' || *c == ' ') {
      if (n > 0 && m->version[n - 1] != ' ') m->version[n++] = ' ';
    } else {
      m->version[n++] = *c;
    }
  }
  m->version[n] = 0;
}

int gs_mpi_open(const char *library, gs_mpi **out, char *message, size_t capacity) {
  *out = NULL;
  // Global: Open MPI's plug-ins look their symbols up among those already loaded.
  void *handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
  if (handle == NULL) {
    const char *reason = dlerror();
    snprintf(message, capacity, "%s", reason != NULL ? reason : "cannot be opened");
    return GS_MPI_NO_LIBRARY;
  }
  gs_mpi *m = calloc(1, sizeof *m);
  if (m == NULL) {
    snprintf(message, capacity, "out of memory");
    return GS_MPI_NO_LIBRARY;
  }
  void **storage[14];
  void **const *places = slots(m, storage);
  for (size_t i = 0; i < sizeof symbol_names / sizeof *symbol_names; i++) {
    *places[i] = dlsym(handle, symbol_names[i]);
    if (*places[i] == NULL) {
      // A library without even the first call is not MPI at all.
      snprintf(message, capacity, "has no %s", symbol_names[i]);
      const int status = i == 0 ? GS_MPI_NOT_MPI : GS_MPI_MISSING_SYMBOL;
      free(m);
      return status;
    }
  }
  void *world = dlsym(handle, "ompi_mpi_comm_world");
  void *byte = dlsym(handle, "ompi_mpi_byte");
  void *errors_return = dlsym(handle, "ompi_mpi_errors_return");
  m->is_open_mpi = world != NULL && byte != NULL && errors_return != NULL;
  if (m->is_open_mpi) {
    m->world = (intptr_t)world;
    m->byte = (intptr_t)byte;
    m->errors_return = (intptr_t)errors_return;
  } else {
    m->world = MPICH_COMM_WORLD;
    m->byte = MPICH_BYTE;
    m->errors_return = MPICH_ERRORS_RETURN;
  }
  read_version(m);
  static const char *const relatives[] = {"MPICH", "Intel", "MVAPICH", "CRAY", "Cray", "ParaStation"};
  int is_known = m->is_open_mpi;
  for (size_t i = 0; i < sizeof relatives / sizeof *relatives; i++) {
    is_known = is_known || strstr(m->version, relatives[i]) != NULL;
  }
  if (!is_known) {
    // Handles of an unknown layout must not be guessed at.
    snprintf(message, capacity, "is '%s', neither Open MPI nor of the MPICH family", m->version);
    free(m);
    return GS_MPI_NOT_MPI;
  }
  *out = m;
  return GS_MPI_OK;
}

void gs_mpi_forget(gs_mpi *m) { free(m); }

int gs_mpi_start(gs_mpi *m, char *message, size_t capacity) {
  int already = 0;
  ((int (*)(int *))m->initialized)(&already);
  if (already) {
    snprintf(message, capacity, "MPI has been started before in this process");
    return GS_MPI_NO_START;
  }
  int provided = 0;
  int code = ((int (*)(int *, char ***, int, int *))m->init_thread)(NULL, NULL, THREAD_SERIALIZED, &provided);
  if (code != 0) {
    snprintf(message, capacity, "MPI_Init_thread failed with code %d", code);
    return GS_MPI_NO_START;
  }
  code = CALL(m, set_errors, m);
  if (code == 0) code = CALL(m, rank_and_size, m);
  if (code != 0) {
    gs_mpi_error_text(m, code, message, capacity);
    return GS_MPI_NO_START;
  }
  m->counts = calloc((size_t)m->size, 4 * sizeof *m->counts);
  if (m->counts == NULL) {
    snprintf(message, capacity, "out of memory");
    return GS_MPI_NO_START;
  }
  return GS_MPI_OK;
}

int gs_mpi_rank(const gs_mpi *m) { return m->rank; }
int gs_mpi_size(const gs_mpi *m) { return m->size; }
const char *gs_mpi_version(const gs_mpi *m) { return m->version; }

/// A copy of `values` that stays until the next operation.
static const int *kept(gs_mpi *m, int place, const int *values) {
  return memcpy(m->counts + (size_t)place * m->size, values, (size_t)m->size * sizeof *values);
}

int gs_mpi_begin_all_to_all(
    gs_mpi *m, const void *send, const int *send_counts, const int *send_offsets, void *receive,
    const int *receive_counts, const int *receive_offsets) {
  const int *a = kept(m, 0, send_counts), *b = kept(m, 1, send_offsets);
  const int *c = kept(m, 2, receive_counts), *d = kept(m, 3, receive_offsets);
  return CALL(m, all_to_all, m, send, a, b, receive, c, d);
}

int gs_mpi_begin_all_gather(
    gs_mpi *m, const void *send, int send_count, void *receive, const int *counts, const int *offsets) {
  return CALL(m, all_gather, m, send, send_count, receive, kept(m, 0, counts), kept(m, 1, offsets));
}

int gs_mpi_begin_broadcast(gs_mpi *m, void *buffer, int count, int root) {
  return CALL(m, broadcast, m, buffer, count, root);
}

int gs_mpi_begin_barrier(gs_mpi *m) { return CALL(m, barrier, m); }
int gs_mpi_test(gs_mpi *m, int *done) { return CALL(m, test, m, done); }

void gs_mpi_error_text(gs_mpi *m, int code, char *text, size_t capacity) {
  // MPI_MAX_ERROR_STRING is 256 in Open MPI and 512 (1024 before 4.0) in MPICH.
  char words[2048] = {0};
  int length = 0;
  const int failed = ((int (*)(int, char *, int *))m->error_string)(code, words, &length);
  words[sizeof words - 1] = 0;
  for (char *c = words; *c != 0; c++) {
    if (*c == '\n') *c = ' ';
  }
  if (failed) {
    snprintf(text, capacity, "MPI error %d", code);
  } else {
    snprintf(text, capacity, "%s", words);
  }
}

void gs_mpi_abort(gs_mpi *m, int status) { CALL(m, abort, m, status); }
int gs_mpi_finish(gs_mpi *m) { return ((int (*)(void))m->finalize)(); }
