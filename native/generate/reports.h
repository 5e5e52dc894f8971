// Volumes and a prompt to reports: encode each, decode all together.
#pragma once

#include "generate/decode_loop.h"

namespace brain3d::generate {

struct Reports {
  Generation generation;
  double encode_ms = 0;
  std::int64_t peak_device_bytes = 0;  // 0 on the CPU
};

/// `volumes` are preprocessed (D, H, W) float32 on the CPU. They are encoded one by one: a volume fills the device by
/// itself, and its activations need not be held for all. The report of a volume does not depend on its batch (exactly
/// so for greedy decoding in float32).
Reports generate_reports(const models::Brain3DModel& model, const std::vector<at::Tensor>& volumes,
                         const std::vector<std::int64_t>& prompt_ids, const SamplingOptions& options,
                         const StepPlan& plan, const CancelFlag& cancel, const TokenCallback& on_tokens);

/// (D, H, W) -> (1, 1, D, H, W) on the model's device.
at::Tensor volume_batch(const models::Brain3DModel& model, const at::Tensor& volume);

}  // namespace brain3d::generate
