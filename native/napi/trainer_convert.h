// What training takes and gives across the seam; types and contracts are in lib/native/surface.ts.
#pragma once

#include <optional>
#include <vector>

#include "napi/promise_task.h"
#include "train/trainer.h"

namespace brain3d::napi {

/// Arrays are viewed, not copied: `held` keeps them until the call settles. `width` is the language model's.
train::GroundingBatch to_grounding_batch(const Napi::Value& value, std::int64_t width, Held& held);
train::GroundingOptions to_grounding_options(const Napi::Value& value);

/// As above; `width` is the encoder's.
std::vector<train::ReportSample> to_report_samples(const Napi::Value& value, std::int64_t width, Held& held);
train::ReportOptions to_report_options(const Napi::Value& value);

train::Update to_update(const Napi::Value& value);
/// None for null.
std::optional<weights::LoraSpec> to_lora_spec(const Napi::Value& value);

Napi::Object objective_object(Napi::Env env, const train::Objective& objective);
Napi::Value step_object(Napi::Env env, train::StepResult& result);

}  // namespace brain3d::napi
