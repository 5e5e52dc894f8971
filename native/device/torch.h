// Precompiled: the ATen surface the core uses. Nothing from torch/nn or torch/optim: modules here are plain structs.
#pragma once

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
