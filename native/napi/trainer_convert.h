// The values of training across the seam; types and contracts are in lib/native/surface.ts.
#pragma once

#include <optional>
#include <vector>

#include "napi/promise_task.h"
#include "train/trainer.h"

namespace brain3d::napi {

train::Update to_update(const Napi::Value& value);
/// Nothing for null.
std::optional<weights::LoraSpec> to_lora_spec(const Napi::Value& value);

Napi::Object losses_object(Napi::Env env, const train::Losses& losses);
Napi::Value step_object(Napi::Env env, train::StepResult& result);

}  // namespace brain3d::napi
