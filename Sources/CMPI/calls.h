// The calls of one family of MPI libraries. Included twice by mpi.c with
//   HANDLE      the type of communicators, data types, requests, error handlers: void * (Open MPI) or int (MPICH)
//   FAMILY(n)   puts the family's name before n
// so that every call has exactly the prototype that the library was compiled with.

static int FAMILY(set_errors)(gs_mpi *m) {
  int (*call)(HANDLE, HANDLE) = (int (*)(HANDLE, HANDLE))m->set_errhandler;
  return call((HANDLE)m->world, (HANDLE)m->errors_return);
}

static int FAMILY(rank_and_size)(gs_mpi *m) {
  int (*rank)(HANDLE, int *) = (int (*)(HANDLE, int *))m->comm_rank;
  int (*size)(HANDLE, int *) = (int (*)(HANDLE, int *))m->comm_size;
  const int code = rank((HANDLE)m->world, &m->rank);
  return code != 0 ? code : size((HANDLE)m->world, &m->size);
}

static int FAMILY(all_to_all)(
    gs_mpi *m, const void *send, const int *send_counts, const int *send_offsets, void *receive,
    const int *receive_counts, const int *receive_offsets) {
  typedef int (*function)(
      const void *, const int *, const int *, HANDLE, void *, const int *, const int *, HANDLE, HANDLE, HANDLE *);
  return ((function)m->all_to_all)(
      send, send_counts, send_offsets, (HANDLE)m->byte, receive, receive_counts, receive_offsets, (HANDLE)m->byte,
      (HANDLE)m->world, (HANDLE *)&m->request);
}

static int FAMILY(all_gather)(
    gs_mpi *m, const void *send, int send_count, void *receive, const int *counts, const int *offsets) {
  typedef int (*function)(
      const void *, int, HANDLE, void *, const int *, const int *, HANDLE, HANDLE, HANDLE *);
  return ((function)m->all_gather)(
      send, send_count, (HANDLE)m->byte, receive, counts, offsets, (HANDLE)m->byte, (HANDLE)m->world,
      (HANDLE *)&m->request);
}

static int FAMILY(broadcast)(gs_mpi *m, void *buffer, int count, int root) {
  typedef int (*function)(void *, int, HANDLE, int, HANDLE, HANDLE *);
  return ((function)m->broadcast)(buffer, count, (HANDLE)m->byte, root, (HANDLE)m->world, (HANDLE *)&m->request);
}

static int FAMILY(barrier)(gs_mpi *m) {
  typedef int (*function)(HANDLE, HANDLE *);
  return ((function)m->barrier)((HANDLE)m->world, (HANDLE *)&m->request);
}

static int FAMILY(test)(gs_mpi *m, int *done) {
  typedef int (*function)(HANDLE *, int *, void *);
  return ((function)m->test)((HANDLE *)&m->request, done, m->status);
}

static void FAMILY(abort)(gs_mpi *m, int status) {
  typedef int (*function)(HANDLE, int);
  ((function)m->abort)((HANDLE)m->world, status);
}
