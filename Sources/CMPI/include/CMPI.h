// MPI without its headers: the library is opened at run time (dlopen), and its calls go through prototypes written here.
//
// Open MPI's handles are pointers to exported objects (`ompi_mpi_comm_world`), those of MPICH and its relatives (Intel MPI,
// MVAPICH, Cray MPICH) are integers (0x44000000, the MPICH ABI). Both are supported; which one a library is, its symbols
// tell. Everything is moved as bytes, and only non-blocking calls are used, so that a caller can watch for signals and lost
// ranks while it waits. One thread at a time; one operation in flight.
#ifndef GEMMASCOPE_CMPI_H
#define GEMMASCOPE_CMPI_H

#include <stddef.h>

typedef struct gs_mpi gs_mpi;

enum {
  GS_MPI_OK = 0,
  GS_MPI_NO_LIBRARY = 1,      ///< the dynamic linker cannot open it
  GS_MPI_NOT_MPI = 2,         ///< it opens, but is neither Open MPI nor of the MPICH family
  GS_MPI_MISSING_SYMBOL = 3,  ///< it is older than MPI 3
  GS_MPI_NO_START = 4,        ///< MPI_Init_thread failed
};

/// Opens a library by name or path. On failure `*mpi` is NULL and `message` says why.
int gs_mpi_open(const char *library, gs_mpi **mpi, char *message, size_t capacity);
/// Forgets a library that was not started. (It stays loaded: MPI libraries do not survive unloading.)
void gs_mpi_forget(gs_mpi *mpi);
/// MPI_Init_thread, error handling by return codes, rank and size. Once per process.
int gs_mpi_start(gs_mpi *mpi, char *message, size_t capacity);
int gs_mpi_rank(const gs_mpi *mpi);
int gs_mpi_size(const gs_mpi *mpi);
/// The library's own description, its first line: `Open MPI v4.1.4, package: …`.
const char *gs_mpi_version(const gs_mpi *mpi);

// Each starts one operation on the world communicator and returns MPI's error code (0: none). Counts and displacements are
// in bytes. Buffers (not counts, which are copied) must stay until gs_mpi_test
// says that the operation is done.
int gs_mpi_begin_all_to_all(
    gs_mpi *mpi, const void *send, const int *send_counts, const int *send_offsets, void *receive,
    const int *receive_counts, const int *receive_offsets);
int gs_mpi_begin_all_gather(
    gs_mpi *mpi, const void *send, int send_count, void *receive, const int *counts, const int *offsets);
int gs_mpi_begin_broadcast(gs_mpi *mpi, void *buffer, int count, int root);
int gs_mpi_begin_barrier(gs_mpi *mpi);
/// Makes progress; `*done` becomes 1 when the operation has ended.
int gs_mpi_test(gs_mpi *mpi, int *done);

/// MPI's words for an error code.
void gs_mpi_error_text(gs_mpi *mpi, int code, char *text, size_t capacity);
/// MPI_Abort: ends all ranks. Returns only where MPI could not.
void gs_mpi_abort(gs_mpi *mpi, int status);
/// MPI_Finalize.
int gs_mpi_finish(gs_mpi *mpi);

#endif
