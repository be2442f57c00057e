// SPDX-License-Identifier: MIT
// That the thread sanitizer sees what GLib and GStreamer synchronise, and still sees what they do
// not.
#include <gst/gst.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

namespace lockstep {
namespace {

constexpr int kRounds = 1000;

// Runs the same in two threads; none of both happens before the other.
void in_two_threads(const std::function<void()>& act) {
  std::thread other(act);
  act();
  other.join();
}

struct Mutex {
  Mutex() { g_mutex_init(&mutex); }
  ~Mutex() { g_mutex_clear(&mutex); }
  GMutex mutex;
};

TEST(ThreadSanitizer, SeesAMutex) {
  Mutex guard;
  int count = 0;
  in_two_threads([&] {
    for (int i = 0; i < kRounds; ++i) {
      g_mutex_lock(&guard.mutex);
      ++count;
      g_mutex_unlock(&guard.mutex);
    }
  });
  EXPECT_EQ(count, 2 * kRounds);
}

TEST(ThreadSanitizer, SeesAMutexThatIsTried) {
  Mutex guard;
  int count = 0;
  in_two_threads([&] {
    for (int i = 0; i < kRounds; ++i) {
      while (!g_mutex_trylock(&guard.mutex)) std::this_thread::yield();
      ++count;
      g_mutex_unlock(&guard.mutex);
    }
  });
  EXPECT_EQ(count, 2 * kRounds);
}

TEST(ThreadSanitizer, SeesARecursiveMutex) {
  GRecMutex mutex;
  g_rec_mutex_init(&mutex);
  int count = 0;
  in_two_threads([&] {
    for (int i = 0; i < kRounds; ++i) {
      g_rec_mutex_lock(&mutex);
      ++count;
      g_rec_mutex_unlock(&mutex);
    }
  });
  g_rec_mutex_clear(&mutex);
  EXPECT_EQ(count, 2 * kRounds);
}

TEST(ThreadSanitizer, SeesAReadWriteLock) {
  GRWLock lock;
  g_rw_lock_init(&lock);
  int count = 0;
  in_two_threads([&] {
    for (int i = 0; i < kRounds; ++i) {
      g_rw_lock_writer_lock(&lock);
      ++count;
      g_rw_lock_writer_unlock(&lock);
    }
  });
  g_rw_lock_clear(&lock);
  EXPECT_EQ(count, 2 * kRounds);
}

// Takes turns: each waits until it is its own, with and without a time-out.
TEST(ThreadSanitizer, SeesWhatAConditionWaitedFor) {
  Mutex guard;
  GCond changed;
  g_cond_init(&changed);
  int turn = 0;
  const auto take_turns = [&](int own, const std::function<void()>& wait) {
    g_mutex_lock(&guard.mutex);
    for (int i = 0; i < kRounds; ++i) {
      while (turn % 2 != own) wait();
      ++turn;
      g_cond_broadcast(&changed);
    }
    g_mutex_unlock(&guard.mutex);
  };
  std::thread other([&] { take_turns(1, [&] { g_cond_wait(&changed, &guard.mutex); }); });
  take_turns(0, [&] {
    g_cond_wait_until(&changed, &guard.mutex, g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND);
  });
  other.join();
  g_cond_clear(&changed);
  EXPECT_EQ(turn, 2 * kRounds);
}

TEST(ThreadSanitizer, SeesWhatIsMadeOnce) {
  static gsize made = 0;
  static int thing = 0;
  in_two_threads([] {
    if (g_once_init_enter(&made)) {
      thing = 7;
      g_once_init_leave(&made, 1);
    }
    EXPECT_EQ(thing, 7);
  });
}

TEST(ThreadSanitizer, SeesAQueue) {
  GAsyncQueue* queue = g_async_queue_new();
  int thing = 0;
  std::thread other([&] {
    thing = 7;
    g_async_queue_push(queue, &thing);
  });
  EXPECT_EQ(*static_cast<int*>(g_async_queue_pop(queue)), 7);
  other.join();
  g_async_queue_unref(queue);
}

// Whoever lets go last frees it, after all that the other did with it.
TEST(ThreadSanitizer, SeesTheLastHolderOfABuffer) {
  for (int i = 0; i < kRounds; ++i) {
    int uses[2] = {};
    GstBuffer* buffer = gst_buffer_new();
    gst_mini_object_set_qdata(GST_MINI_OBJECT(buffer), g_quark_from_static_string("uses"), uses,
                              [](gpointer data) {
                                auto* used = static_cast<int*>(data);
                                EXPECT_EQ(used[0] + used[1], 2);
                                used[0] = used[1] = -1;
                              });
    gst_buffer_ref(buffer);
    std::thread other([&] {
      uses[0] = 1;
      gst_buffer_unref(buffer);
    });
    uses[1] = 1;
    gst_buffer_unref(buffer);
    other.join();
    EXPECT_EQ(uses[0] + uses[1], -2);
  }
}

TEST(ThreadSanitizer, SeesTheLastHolderOfAnObject) {
  for (int i = 0; i < kRounds; ++i) {
    int uses[2] = {};
    auto* object = static_cast<GObject*>(g_object_new(G_TYPE_OBJECT, nullptr));
    g_object_set_data_full(object, "uses", uses, [](gpointer data) {
      auto* used = static_cast<int*>(data);
      EXPECT_EQ(used[0] + used[1], 2);
      used[0] = used[1] = -1;
    });
    g_object_ref(object);
    std::thread other([&] {
      uses[0] = 1;
      g_object_unref(object);
    });
    uses[1] = 1;
    g_object_unref(object);
    other.join();
    EXPECT_EQ(uses[0] + uses[1], -2);
  }
}

constexpr int kRaceFound = 66;  // exit status of the sanitizer

TEST(ThreadSanitizerDeathTest, SeesARace) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        int count = 0;
        in_two_threads([&] {
          for (int i = 0; i < kRounds; ++i) ++count;
        });
      },
      testing::ExitedWithCode(kRaceFound), "data race");
}

TEST(ThreadSanitizerDeathTest, SeesARaceUnderTwoMutexes) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        int count = 0;
        thread_local Mutex own;
        in_two_threads([&] {
          for (int i = 0; i < kRounds; ++i) {
            g_mutex_lock(&own.mutex);
            ++count;
            g_mutex_unlock(&own.mutex);
          }
        });
      },
      testing::ExitedWithCode(kRaceFound), "data race");
}

}  // namespace
}  // namespace lockstep
