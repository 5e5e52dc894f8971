// A thread that runs queued jobs in order. The addon's own: libuv's four stay free for the host's files and names.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "base/cancel.h"

namespace brain3d::napi {

class Executor {
 public:
  Executor() : thread_([this] { run(); }) {}
  ~Executor() { stop(); }
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// Jobs must not throw. After `stop` a job is dropped. Once `cancel` is set the job must end without computing.
  void post(CancelHandle cancel, std::function<void()> job);

  /// Runs the cancelled jobs that have not begun on this thread, so that they settle without waiting for their turn.
  void run_cancelled();

  /// Drops the jobs that have not begun and waits for the one that has. Idempotent.
  void stop();

 private:
  struct Job {
    CancelHandle cancel;
    std::function<void()> run;
  };

  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread thread_;  // last: it starts when everything above exists
};

}  // namespace brain3d::napi
