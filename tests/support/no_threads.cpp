// SPDX-License-Identifier: MIT
// Takes the place of pthread_create() in programs of tests. Where LOCKSTEP_TEST_NO_THREADS is set in the environment the
// program dies of a thread that is to start.
#include <dlfcn.h>
#include <pthread.h>

#include <cstdio>
#include <cstdlib>

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*run)(void*), void* argument) noexcept {
  if (std::getenv("LOCKSTEP_TEST_NO_THREADS") != nullptr) {
    std::fputs("a test that is listed as starting no thread starts one\n", stderr);
    std::abort();
  }
  static const auto create =
      reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  return create(thread, attributes, run, argument);
}
