// What kernels know of the thread pool beyond CKernels.h: scratch memory it keeps from call to call. Fresh pages cost
// more than the arithmetic they serve when a layer asks for megabytes a few hundred times a second.
#ifndef GEMMASCOPE_POOL_H
#define GEMMASCOPE_POOL_H

#include "CKernels.h"

/// 64-byte aligned scratch for `count` floats, its contents undefined; NULL when there is no memory. Any thread may
/// borrow, as many buffers at once as it likes.
float *gs_pool_borrow(gs_pool *pool, int64_t count);
/// Takes a borrowed buffer back (NULL is allowed).
void gs_pool_return(gs_pool *pool, float *buffer);

#endif
