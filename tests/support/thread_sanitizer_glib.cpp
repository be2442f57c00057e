// SPDX-License-Identifier: MIT
// Tells the thread sanitizer of what GLib and GStreamer synchronise without its knowledge: they are
// not built for it, and what they call of the C library is left out (threads.txt), since it concerns
// memory that they guard in ways of their own.
//
// Linked into a program, these functions come before those of the shared libraries, for all but the
// calls that a library makes within itself.
#include <dlfcn.h>
#include <gst/gst.h>
#include <sanitizer/tsan_interface.h>

// Exported by the sanitizer's library, in no header of it.
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);

namespace {

// The library's own function of that name.
template <typename Function>
Function* next(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// While it lives, reads are not watched. For the sanitizer an act on a lock reads the lock too, which
// would race with the end of an object whose holders GStreamer counts within itself.
class Unwatched {
 public:
  Unwatched() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~Unwatched() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
};

// `kind` is made of the sanitizer's flags.
void acquire(void* lock, unsigned kind = 0) {
  Unwatched reads;
  __tsan_mutex_pre_lock(lock, kind);
}
void acquired(void* lock, unsigned kind = 0) {
  Unwatched reads;
  __tsan_mutex_post_lock(lock, kind, 0);
}
void tried(void* lock, gboolean locked, unsigned kind) {
  acquired(lock, kind | (locked ? 0 : __tsan_mutex_try_lock_failed));
}
void release(void* lock, unsigned kind = 0) {
  Unwatched reads;
  __tsan_mutex_pre_unlock(lock, kind);
}
void released(void* lock, unsigned kind = 0) {
  Unwatched reads;
  __tsan_mutex_post_unlock(lock, kind);
}

// What the thread that pushed did, happened before what the one does that got it.
gpointer popped(GAsyncQueue* queue, gpointer data) {
  if (data) __tsan_acquire(queue);
  return data;
}

// Lets go of an object, as its library would, where the sanitizer sees it; false if this is its last
// holder, in which case the library is to free it, after all that any holder did. Nobody here uses
// toggle references, which are told of the last holder but one.
template <typename Count>
bool let_go(Count* num_holders) {
  Count held = __atomic_load_n(num_holders, __ATOMIC_ACQUIRE);
  while (held > 1)
    if (__atomic_compare_exchange_n(num_holders, &held, held - 1, false, __ATOMIC_RELEASE,
                                    __ATOMIC_ACQUIRE))
      return true;
  return false;
}

}  // namespace

// The library's own function, as NAME_next.
#define LOCKSTEP_NEXT(function) \
  static auto* const function##_next = next(static_cast<decltype(&(function))>(nullptr), #function)

// Functions that GLib also has as macros.
#undef g_once_init_enter
#undef g_once_init_leave
#undef g_once_init_enter_pointer
#undef g_once_init_leave_pointer

extern "C" {

void g_mutex_lock(GMutex* mutex) {
  LOCKSTEP_NEXT(g_mutex_lock);
  acquire(mutex);
  g_mutex_lock_next(mutex);
  acquired(mutex);
}

gboolean g_mutex_trylock(GMutex* mutex) {
  LOCKSTEP_NEXT(g_mutex_trylock);
  acquire(mutex, __tsan_mutex_try_lock);
  const gboolean locked = g_mutex_trylock_next(mutex);
  tried(mutex, locked, __tsan_mutex_try_lock);
  return locked;
}

void g_mutex_unlock(GMutex* mutex) {
  LOCKSTEP_NEXT(g_mutex_unlock);
  release(mutex);
  g_mutex_unlock_next(mutex);
  released(mutex);
}

// Unlocks and locks within GLib, past the functions above.
void g_cond_wait(GCond* cond, GMutex* mutex) {
  LOCKSTEP_NEXT(g_cond_wait);
  release(mutex);
  released(mutex);
  g_cond_wait_next(cond, mutex);
  acquire(mutex);
  acquired(mutex);
}

gboolean g_cond_wait_until(GCond* cond, GMutex* mutex, gint64 end_time) {
  LOCKSTEP_NEXT(g_cond_wait_until);
  release(mutex);
  released(mutex);
  const gboolean woken = g_cond_wait_until_next(cond, mutex, end_time);
  acquire(mutex);
  acquired(mutex);
  return woken;
}

void g_rec_mutex_lock(GRecMutex* mutex) {
  LOCKSTEP_NEXT(g_rec_mutex_lock);
  acquire(mutex, __tsan_mutex_write_reentrant);
  g_rec_mutex_lock_next(mutex);
  acquired(mutex, __tsan_mutex_write_reentrant);
}

gboolean g_rec_mutex_trylock(GRecMutex* mutex) {
  LOCKSTEP_NEXT(g_rec_mutex_trylock);
  constexpr unsigned kTry = __tsan_mutex_write_reentrant | __tsan_mutex_try_lock;
  acquire(mutex, kTry);
  const gboolean locked = g_rec_mutex_trylock_next(mutex);
  tried(mutex, locked, kTry);
  return locked;
}

void g_rec_mutex_unlock(GRecMutex* mutex) {
  LOCKSTEP_NEXT(g_rec_mutex_unlock);
  release(mutex, __tsan_mutex_write_reentrant);
  g_rec_mutex_unlock_next(mutex);
  released(mutex, __tsan_mutex_write_reentrant);
}

void g_rw_lock_writer_lock(GRWLock* lock) {
  LOCKSTEP_NEXT(g_rw_lock_writer_lock);
  acquire(lock);
  g_rw_lock_writer_lock_next(lock);
  acquired(lock);
}

void g_rw_lock_writer_unlock(GRWLock* lock) {
  LOCKSTEP_NEXT(g_rw_lock_writer_unlock);
  release(lock);
  g_rw_lock_writer_unlock_next(lock);
  released(lock);
}

void g_rw_lock_reader_lock(GRWLock* lock) {
  LOCKSTEP_NEXT(g_rw_lock_reader_lock);
  acquire(lock, __tsan_mutex_read_lock);
  g_rw_lock_reader_lock_next(lock);
  acquired(lock, __tsan_mutex_read_lock);
}

void g_rw_lock_reader_unlock(GRWLock* lock) {
  LOCKSTEP_NEXT(g_rw_lock_reader_unlock);
  release(lock, __tsan_mutex_read_lock);
  g_rw_lock_reader_unlock_next(lock);
  released(lock, __tsan_mutex_read_lock);
}

gboolean g_once_init_enter(volatile void* location) {
  LOCKSTEP_NEXT(g_once_init_enter);
  const gboolean first = g_once_init_enter_next(location);
  if (!first) __tsan_acquire(const_cast<void*>(location));
  return first;
}

void g_once_init_leave(volatile void* location, gsize result) {
  LOCKSTEP_NEXT(g_once_init_leave);
  __tsan_release(const_cast<void*>(location));
  g_once_init_leave_next(location, result);
}

#if GLIB_CHECK_VERSION(2, 80, 0)
gboolean g_once_init_enter_pointer(void* location) {
  LOCKSTEP_NEXT(g_once_init_enter_pointer);
  const gboolean first = g_once_init_enter_pointer_next(location);
  if (!first) __tsan_acquire(location);
  return first;
}

void g_once_init_leave_pointer(void* location, gpointer result) {
  LOCKSTEP_NEXT(g_once_init_leave_pointer);
  __tsan_release(location);
  g_once_init_leave_pointer_next(location, result);
}
#endif

void g_async_queue_push(GAsyncQueue* queue, gpointer data) {
  LOCKSTEP_NEXT(g_async_queue_push);
  __tsan_release(queue);
  g_async_queue_push_next(queue, data);
}

gpointer g_async_queue_pop(GAsyncQueue* queue) {
  LOCKSTEP_NEXT(g_async_queue_pop);
  return popped(queue, g_async_queue_pop_next(queue));
}

gpointer g_async_queue_try_pop(GAsyncQueue* queue) {
  LOCKSTEP_NEXT(g_async_queue_try_pop);
  return popped(queue, g_async_queue_try_pop_next(queue));
}

gpointer g_async_queue_try_pop_unlocked(GAsyncQueue* queue) {
  LOCKSTEP_NEXT(g_async_queue_try_pop_unlocked);
  return popped(queue, g_async_queue_try_pop_unlocked_next(queue));
}

gpointer g_async_queue_timeout_pop(GAsyncQueue* queue, guint64 timeout) {
  LOCKSTEP_NEXT(g_async_queue_timeout_pop);
  return popped(queue, g_async_queue_timeout_pop_next(queue, timeout));
}

void gst_mini_object_unref(GstMiniObject* object) {
  LOCKSTEP_NEXT(gst_mini_object_unref);
  if (!let_go(&object->refcount)) gst_mini_object_unref_next(object);
}

// Lets go of the object within the library if others hold it too.
GstMiniObject* gst_mini_object_make_writable(GstMiniObject* object) {
  LOCKSTEP_NEXT(gst_mini_object_make_writable);
  __tsan_release(&object->refcount);
  return gst_mini_object_make_writable_next(object);
}

void g_object_unref(gpointer object) {
  LOCKSTEP_NEXT(g_object_unref);
  if (!let_go(&static_cast<GObject*>(object)->ref_count)) g_object_unref_next(object);
}

}  // extern "C"
