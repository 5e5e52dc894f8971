// The one way an asynchronous call runs: a lambda computes on an executor's thread, a lambda converts its result on the
// JavaScript thread, references are held in between, and every failure becomes a rejection.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "device/device.h"
#include "napi/addon_data.h"
#include "napi/errors.h"

namespace brain3d::napi {

/// JavaScript values a task must keep from the garbage collector. Owned and released on the JavaScript thread; at
/// teardown the environment frees them itself.
class Held {
 public:
  /// Returns the value's index for `get`.
  std::size_t add(const Napi::Value& value) {
    references_.push_back(Napi::Reference<Napi::Value>::New(value, 1));
    return references_.size() - 1;
  }
  Napi::Value get(std::size_t index) const { return references_[index].Value(); }
  /// The value that a callback of the caller's threw; the task then rejects with it.
  std::optional<Napi::Error> thrown;
  void abandon() {
    for (auto& reference : references_) reference.SuppressDestruct();
    if (thrown) thrown->SuppressDestruct();
  }

 private:
  std::vector<Napi::Reference<Napi::Value>> references_;
};

namespace detail {

template <typename T>
struct Task {
  explicit Task(Napi::Env env) : deferred(Napi::Promise::Deferred::New(env)) {}

  std::function<T()> work;
  std::function<Napi::Value(Napi::Env, T&)> convert;
  Napi::Promise::Deferred deferred;
  CancelHandle cancel;
  std::shared_ptr<Held> held;
  std::optional<T> result;
  std::exception_ptr failure;

  /// [executor thread; the JS thread if cancelled before its turn]
  void run() noexcept {
    try {
      cancel->check();
      with_torch_errors([this] { result.emplace(work()); });
    } catch (...) {
      failure = std::current_exception();
    }
    work = nullptr;  // lets go of models and volumes here, not on the JavaScript thread
  }

  /// [JS thread]
  void settle(Napi::Env env) {
    if (held->thrown) {
      deferred.Reject(held->thrown->Value());
      return;
    }
    try {
      if (!failure) {
        deferred.Resolve(convert(env, *result));
        return;
      }
    } catch (...) {
      failure = std::current_exception();
    }
    deferred.Reject(to_js_error(env, failure));
  }
};

}  // namespace detail

/// [JS thread] Queues `work` on `executor`. `T` must be movable; std::monostate stands for nothing.
template <typename T>
Napi::Promise run_async(Napi::Env env, Executor& executor, CancelHandle cancel, std::shared_ptr<Held> held,
                        std::function<T()> work, std::function<Napi::Value(Napi::Env, T&)> convert) {
  AddonData& addon = AddonData::of(env);
  auto task = std::make_shared<detail::Task<T>>(env);
  task->work = std::move(work);
  task->convert = std::move(convert);
  task->cancel = std::move(cancel);
  task->held = std::move(held);
  const Napi::Promise promise = task->deferred.Promise();
  addon.begin_task(task->cancel);
  executor.post(task->cancel, [&addon, task]() mutable {
    task->run();
    addon.post_to_js([&addon, task = std::move(task)](Napi::Env js) {
      if (js == nullptr) {
        task->held->abandon();
        return;
      }
      const Napi::HandleScope scope(js);
      addon.end_task(task->cancel);
      task->settle(js);
    });
  });
  return promise;
}

}  // namespace brain3d::napi
