// A thread that runs queued jobs in order. The addon's own: libuv's four stay free for the host's files and names.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace brain3d::napi {

class Executor {
 public:
  Executor() : thread_([this] { run(); }) {}
  ~Executor() { stop(); }
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Jobs must not throw. After `stop` a job is dropped.
  void post(std::function<void()> job);

  /// Drops the jobs that have not begun and waits for the one that has. Idempotent.
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;  // last: it starts when everything above exists
};

}  // namespace brain3d::napi
