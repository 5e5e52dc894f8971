// The part of the addon that belongs to one JavaScript environment (main thread or worker). There is no process-wide
// state: two environments share nothing but LibTorch.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <unordered_set>

#include "base/cancel.h"
#include "napi/executor.h"

namespace brain3d::napi {

/// Runs on the JavaScript thread. The environment is null while it is being torn down: touch no JavaScript then.
using JsJob = std::function<void(Napi::Env)>;

void call_js_job(Napi::Env env, Napi::Function, void*, JsJob* job);
using JsQueue = Napi::TypedThreadSafeFunction<void, JsJob, call_js_job>;

class AddonData {
 public:
  /// [JS thread] Gives `env` its data, which is shut down before the environment ends.
  static void attach(Napi::Env env);

  static AddonData& of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }

  /// Everything that computes on tensors runs here, one call at a time, first come first served. Two threads at once
  /// would share the same cores or GPU, and each would have an OpenMP team of its own. On two cores, small operations
  /// took three to ten times as long on a second thread as on the first (scratch timings); that OpenMP lets teams sleep
  /// at their barriers once they outnumber the cores is the likely cause, not a proven one.
  Executor& compute() { return *compute_; }
  /// Reading and writing files, beside the computing.
  Executor& files() { return *files_; }

  /// [any thread] Queues `job` for the JavaScript thread.
  void post_to_js(JsJob job);

  /// [JS thread] A task keeps the process alive and is cancelled when the environment ends.
  void begin_task(const CancelHandle& cancel);
  void end_task(const CancelHandle& cancel);

  /// [JS thread] Settles what was cancelled while it waited for its turn.
  void run_cancelled();

 private:
  explicit AddonData(Napi::Env env);
  static AddonData* create(Napi::Env env);

  /// Cancels what runs and waits for it. Idempotent.
  void shut_down();

  Napi::Env env_;
  JsQueue js_queue_;
  std::unordered_set<CancelHandle> active_;
  std::unique_ptr<Executor> compute_ = std::make_unique<Executor>();
  std::unique_ptr<Executor> files_ = std::make_unique<Executor>();
};

}  // namespace brain3d::napi
