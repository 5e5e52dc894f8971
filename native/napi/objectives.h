// Objectives across the seam, by the name that TypeScript gives them.
#pragma once

#include <memory>

#include "napi/promise_task.h"
#include "train/objective.h"

namespace brain3d::napi {

using ObjectivePtr = std::shared_ptr<const train::Objective>;

/// Arrays are viewed, not copied: `held` keeps them until the call settles. Throws TypeError for an unknown name.
ObjectivePtr to_objective(const Napi::Value& value, const train::TrainableModel& model, Held& held);

}  // namespace brain3d::napi
