#include "napi/executor.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace brain3d::napi {

void Executor::post(CancelHandle cancel, std::function<void()> job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_) return;
    jobs_.push_back({std::move(cancel), std::move(job)});
  }
  wake_.notify_one();
}

void Executor::run_cancelled() {
  std::deque<Job> cancelled;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto first =
        std::stable_partition(jobs_.begin(), jobs_.end(), [](const Job& job) { return !job.cancel->cancelled(); });
    std::move(first, jobs_.end(), std::back_inserter(cancelled));
    jobs_.erase(first, jobs_.end());
  }
  for (const Job& job : cancelled) job.run();
}

void Executor::stop() {
  std::deque<Job> dropped;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    dropped.swap(jobs_);
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Executor::run() {
  for (;;) {
    Job job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job.run();
  }
}

}  // namespace brain3d::napi
