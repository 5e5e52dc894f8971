#include "generate/reports.h"

#include "base/error.h"
#include "base/stopwatch.h"
#include "device/device.h"

namespace brain3d::generate {

at::Tensor volume_batch(const models::Brain3DModel& model, const at::Tensor& volume) {
  return volume.unsqueeze(0).unsqueeze(0).to(model.device());
}

Reports generate_reports(const models::Brain3DModel& model, const std::vector<at::Tensor>& volumes,
                         const std::vector<std::int64_t>& prompt_ids, const SamplingOptions& options,
                         const StepPlan& plan, const CancelFlag& cancel, const TokenCallback& on_tokens) {
  B3D_CHECK(!volumes.empty(), Usage, "expected at least one volume, got none");
  Reports reports;
  reset_peak_bytes(model.device());
  const Stopwatch encode;
  std::vector<at::Tensor> visual_tokens;
  for (const at::Tensor& volume : volumes)
    visual_tokens.push_back(model.encode(volume_batch(model, volume), &cancel).visual_tokens);
  const at::Tensor inputs = model.soft_prompt(at::cat(visual_tokens), prompt_ids);
  visual_tokens.clear();
  synchronize(model.device());
  reports.encode_ms = encode.elapsed_ms();
  reports.generation = generate(model.language(), inputs, options, plan, cancel, on_tokens);
  reports.peak_device_bytes = peak_bytes(model.device());
  return reports;
}

}  // namespace brain3d::generate
