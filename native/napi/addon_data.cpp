#include "napi/addon_data.h"

#include <system_error>
#include <utility>

namespace brain3d::napi {

void call_js_job(Napi::Env env, Napi::Function, void*, JsJob* job) {
  const std::unique_ptr<JsJob> owned(job);
  (*owned)(env);
}

AddonData::AddonData(Napi::Env env) : env_(env) {
  js_queue_ = JsQueue::New(env, "brain3d", /*maxQueueSize=*/0, /*initialThreadCount=*/1);
  js_queue_.Unref(env);
}

AddonData* AddonData::create(Napi::Env env) {
  try {
    return new AddonData(env);
  } catch (const std::system_error& error) {
    throw Napi::Error::New(env, std::string("the system starts no thread for it (") + error.what() +
                                    "); raise the limit of processes, or end some");
  }
}

void AddonData::attach(Napi::Env env) {
  // The environment owns it before anything else may fail. process.once is JavaScript, which worker.terminate()
  // interrupts: thrown out of the constructor, that would free what the hook is called with a moment later.
  auto* data = create(env);
  env.SetInstanceData(data);
  // Added after the queue's own hook, so it runs before it: no thread posts to a queue that is gone.
  env.AddCleanupHook([data] { data->shut_down(); });
  // process.exit and an uncaught exception run no such hook of the main thread, only this event. Right after it the C
  // library destroys what LibTorch computes with, under a thread that is still computing.
  const Napi::Object process = env.Global().Get("process").As<Napi::Object>();
  const auto at_exit = Napi::Function::New(env, [](const Napi::CallbackInfo& call) { of(call.Env()).shut_down(); });
  process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), at_exit});
}

void AddonData::post_to_js(JsJob job) {
  auto* queued = new JsJob(std::move(job));
  if (js_queue_.NonBlockingCall(queued) != napi_ok) delete queued;
}

void AddonData::begin_task(const CancelHandle& cancel) {
  if (active_.empty()) js_queue_.Ref(env_);
  active_.insert(cancel);
}

void AddonData::end_task(const CancelHandle& cancel) {
  active_.erase(cancel);
  if (active_.empty()) js_queue_.Unref(env_);
}

void AddonData::run_cancelled() {
  compute_->run_cancelled();
  files_->run_cancelled();
}

void AddonData::shut_down() {
  for (const CancelHandle& cancel : active_) cancel->cancel();
  compute_->stop();
  files_->stop();
}

}  // namespace brain3d::napi
