// Thread pool: tasks are taken from one atomic counter, so an uneven cut balances itself. A worker that runs dry spins
// for a moment before it sleeps, because a decode step is some two hundred short regions one right after another, and
// waking a sleeping thread costs more than most of them.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "CKernels.h"
#include "impl/pool.h"

enum { GS_SPIN_NANOSECONDS = 80000, GS_CACHE_LINE = 64, GS_BUFFERS = 8 };

/// Floats above which a returned buffer goes back to the system (64 MiB).
static const int64_t gs_kept_floats = 1 << 24;

typedef struct gs_worker {
  gs_pool *pool;
  int index;
  pthread_t thread;
} gs_worker;

typedef struct gs_buffer {
  float *memory;
  int64_t capacity;
  int borrowed;
} gs_buffer;

struct gs_pool {
  /// Tasks nobody has taken yet. Taking one is a decrement from r to r - 1 and yields task count - r; the job's fields
  /// are read only after that, when the job cannot end before this task has.
  _Alignas(GS_CACHE_LINE) _Atomic int64_t remaining;
  /// Tasks that have ended.
  _Alignas(GS_CACHE_LINE) _Atomic int64_t finished;
  _Alignas(GS_CACHE_LINE) int64_t count;
  gs_task task;
  void *context;

  _Atomic int sleepers, caller_sleeps, stop;
  pthread_mutex_t turn;  ///< held by the thread whose job runs
  pthread_mutex_t sleep_lock;
  pthread_cond_t work, done;

  pthread_mutex_t buffer_lock;
  gs_buffer buffers[GS_BUFFERS];

  int threads;
  gs_worker *workers;  ///< threads - 1
};

static inline void gs_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb" ::: "memory");
#endif
}

static int64_t gs_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/// Runs tasks until none is left to take; returns how many it ran.
static int64_t gs_drain(gs_pool *pool, int worker) {
  int64_t ran = 0;
  int64_t left = atomic_load_explicit(&pool->remaining, memory_order_acquire);
  while (left > 0) {
    if (!atomic_compare_exchange_weak_explicit(&pool->remaining, &left, left - 1, memory_order_acq_rel,
                                               memory_order_acquire))
      continue;
    pool->task(pool->context, pool->count - left, worker);
    ran++;
    left = atomic_load_explicit(&pool->remaining, memory_order_acquire);
  }
  return ran;
}

/// Waits until there is work or the pool closes: first awake, then asleep.
static void gs_await_work(gs_pool *pool) {
  const int64_t start = gs_nanoseconds();
  do {
    for (int i = 0; i < 64; i++) {
      if (atomic_load_explicit(&pool->remaining, memory_order_relaxed) > 0 ||
          atomic_load_explicit(&pool->stop, memory_order_relaxed))
        return;
      gs_pause();
    }
  } while (gs_nanoseconds() - start < GS_SPIN_NANOSECONDS);
  pthread_mutex_lock(&pool->sleep_lock);
  // Sequentially consistent on both sides: either this thread sees the new work, or the caller sees the sleeper.
  atomic_fetch_add(&pool->sleepers, 1);
  while (atomic_load(&pool->remaining) <= 0 && !atomic_load(&pool->stop))
    pthread_cond_wait(&pool->work, &pool->sleep_lock);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->sleep_lock);
}

static void *gs_worker_main(void *argument) {
  const gs_worker *self = argument;
  gs_pool *pool = self->pool;
  while (!atomic_load_explicit(&pool->stop, memory_order_acquire)) {
    const int64_t ran = gs_drain(pool, self->index);
    if (ran > 0) {
      // count cannot change before this addition: the job is still short of these tasks.
      const int64_t count = pool->count;
      if (atomic_fetch_add(&pool->finished, ran) + ran == count && atomic_load(&pool->caller_sleeps)) {
        pthread_mutex_lock(&pool->sleep_lock);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->sleep_lock);
      }
    }
    gs_await_work(pool);
  }
  return NULL;
}

static void gs_await_finish(gs_pool *pool, int64_t count) {
  const int64_t start = gs_nanoseconds();
  do {
    for (int i = 0; i < 64; i++) {
      if (atomic_load_explicit(&pool->finished, memory_order_acquire) == count) return;
      gs_pause();
    }
  } while (gs_nanoseconds() - start < GS_SPIN_NANOSECONDS);
  pthread_mutex_lock(&pool->sleep_lock);
  atomic_store(&pool->caller_sleeps, 1);
  while (atomic_load(&pool->finished) != count) pthread_cond_wait(&pool->done, &pool->sleep_lock);
  atomic_store(&pool->caller_sleeps, 0);
  pthread_mutex_unlock(&pool->sleep_lock);
}

void gs_pool_run(gs_pool *pool, int64_t count, gs_task task, void *context) {
  if (count <= 0) return;
  pthread_mutex_lock(&pool->turn);
  if (pool->threads == 1 || count == 1) {
    for (int64_t i = 0; i < count; i++) task(context, i, 0);
    pthread_mutex_unlock(&pool->turn);
    return;
  }
  pool->count = count;
  pool->task = task;
  pool->context = context;
  atomic_store_explicit(&pool->finished, 0, memory_order_relaxed);
  atomic_store(&pool->remaining, count);
  if (atomic_load(&pool->sleepers) > 0) {
    pthread_mutex_lock(&pool->sleep_lock);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->sleep_lock);
  }
  const int64_t ran = gs_drain(pool, 0);
  atomic_fetch_add(&pool->finished, ran);
  gs_await_finish(pool, count);
  pthread_mutex_unlock(&pool->turn);
}

int gs_pool_threads(const gs_pool *pool) { return pool->threads; }

gs_pool *gs_pool_create(int threads) {
  if (threads < 1) threads = 1;
  void *memory = NULL;
  if (posix_memalign(&memory, GS_CACHE_LINE, sizeof(gs_pool)) != 0) return NULL;
  gs_pool *pool = memory;
  *pool = (gs_pool){.threads = 1};
  pool->workers = calloc((size_t)threads, sizeof *pool->workers);
  if (pool->workers == NULL) {
    free(pool);
    return NULL;
  }
  pthread_mutex_init(&pool->turn, NULL);
  pthread_mutex_init(&pool->sleep_lock, NULL);
  pthread_mutex_init(&pool->buffer_lock, NULL);
  pthread_cond_init(&pool->work, NULL);
  pthread_cond_init(&pool->done, NULL);
  for (int i = 1; i < threads; i++) {
    gs_worker *worker = &pool->workers[i - 1];
    worker->pool = pool;
    worker->index = i;
    if (pthread_create(&worker->thread, NULL, gs_worker_main, worker) != 0) {
      gs_pool_destroy(pool);
      return NULL;
    }
    pool->threads = i + 1;
  }
  return pool;
}

void gs_pool_destroy(gs_pool *pool) {
  if (pool == NULL) return;
  pthread_mutex_lock(&pool->sleep_lock);
  atomic_store(&pool->stop, 1);
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->sleep_lock);
  for (int i = 1; i < pool->threads; i++) pthread_join(pool->workers[i - 1].thread, NULL);
  pthread_cond_destroy(&pool->work);
  pthread_cond_destroy(&pool->done);
  pthread_mutex_destroy(&pool->turn);
  pthread_mutex_destroy(&pool->sleep_lock);
  pthread_mutex_destroy(&pool->buffer_lock);
  for (int i = 0; i < GS_BUFFERS; i++) free(pool->buffers[i].memory);
  free(pool->workers);
  free(pool);
}

float *gs_pool_borrow(gs_pool *pool, int64_t count) {
  if (count < 0 || (uint64_t)count > SIZE_MAX / sizeof(float) / 2) return NULL;
  // Whole pages, so that requests of nearly the same size find the same buffer.
  const int64_t wanted = (count + 4096) / 4096 * 4096;
  pthread_mutex_lock(&pool->buffer_lock);
  gs_buffer *fit = NULL, *spare = NULL;
  for (int i = 0; i < GS_BUFFERS; i++) {
    gs_buffer *buffer = &pool->buffers[i];
    if (buffer->borrowed) continue;
    if (buffer->capacity >= wanted) {
      if (fit == NULL || buffer->capacity < fit->capacity) fit = buffer;
    } else if (spare == NULL || buffer->capacity < spare->capacity) {
      spare = buffer;
    }
  }
  float *memory = NULL;
  if (fit != NULL) {
    fit->borrowed = 1;
    memory = fit->memory;
  } else {
    void *fresh = NULL;
    if (posix_memalign(&fresh, GS_CACHE_LINE, (size_t)wanted * sizeof(float)) == 0) memory = fresh;
    if (memory != NULL && spare != NULL) {
      free(spare->memory);
      *spare = (gs_buffer){.memory = memory, .capacity = wanted, .borrowed = 1};
    }
  }
  pthread_mutex_unlock(&pool->buffer_lock);
  return memory;
}

void gs_pool_return(gs_pool *pool, float *memory) {
  if (memory == NULL) return;
  pthread_mutex_lock(&pool->buffer_lock);
  int known = 0;
  for (int i = 0; i < GS_BUFFERS && !known; i++) {
    gs_buffer *buffer = &pool->buffers[i];
    if (buffer->memory != memory) continue;
    buffer->borrowed = 0;
    // One outsized call must not hold its memory for the life of the pool.
    known = buffer->capacity <= gs_kept_floats;
    if (!known) *buffer = (gs_buffer){0};
    break;
  }
  pthread_mutex_unlock(&pool->buffer_lock);
  if (!known) free(memory);
}
