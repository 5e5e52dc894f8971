#include "train/trainer.h"

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "device/device.h"
#include "volume/cached_volume.h"

namespace brain3d::train {

namespace {

constexpr double kClipEpsilon = 1e-6;  // as torch.nn.utils.clip_grad_norm_

std::optional<NonFinite> non_finite_loss(const Losses& losses) {
  NonFinite found{"loss", {}};
  for (std::size_t i = 0; i < losses.sample_losses.size(); ++i)
    if (!std::isfinite(losses.sample_losses[i])) found.samples.push_back(i);
  if (found.samples.empty() && std::isfinite(losses.loss)) return {};
  return found;
}

NonFinite non_finite_gradient(const std::vector<Parameter>& parameters, std::size_t num_samples) {
  NonFinite found{"gradient norm", std::vector<std::size_t>(num_samples)};
  std::iota(found.samples.begin(), found.samples.end(), std::size_t{0});
  for (const Parameter& parameter : parameters)
    if (!parameter.value.grad().isfinite().all().item<bool>()) {
      found.tensor = parameter.name;
      break;
    }
  return found;
}

/// Gradients of every parameter; where nothing reached one, zeros, as for the projector's weights behind a closed gate.
std::vector<at::Tensor> gradients(const std::vector<Parameter>& parameters) {
  std::vector<at::Tensor> out;
  for (const Parameter& parameter : parameters) {
    at::Tensor& gradient = parameter.value.mutable_grad();
    if (!gradient.defined()) gradient = at::zeros_like(parameter.value);
    out.push_back(gradient);
  }
  return out;
}

/// No step leaves a gradient behind, or finds one, however it ends.
class GradientsOfStep {
 public:
  explicit GradientsOfStep(const std::vector<Parameter>& parameters) : parameters_(parameters) { clear(); }
  ~GradientsOfStep() { clear(); }
  GradientsOfStep(const GradientsOfStep&) = delete;

 private:
  void clear() const {
    for (const Parameter& parameter : parameters_) parameter.value.mutable_grad().reset();
  }

  const std::vector<Parameter>& parameters_;
};

}  // namespace

Trainer::Trainer(TrainableModel model, const AdamWOptions& options, double lora_dropout,
                 std::shared_ptr<const World> world)
    : model_(std::move(model)),
      optimizer_(model_.parameters(), options),
      lora_dropout_(lora_dropout),
      world_(std::move(world)) {}

StepResult Trainer::step(const Objective& objective, const Update& update, const CancelFlag& cancel) {
  reset_peak_bytes(model_.device());
  const GradientsOfStep gradients_of_step(model_.parameters());
  StepResult result;
  result.losses = objective.compute(model_, Pass::Gradients, {{lora_dropout_, update.seed}, *world_, cancel});
  result.non_finite = non_finite_loss(result.losses);
  if (!result.non_finite) {
    const at::NoGradGuard no_grad;
    const std::vector<at::Tensor> all = gradients(model_.parameters());
    world_->all_reduce(all);
    result.grad_norm = at::stack(at::_foreach_norm(all, 2)).norm().item<double>();
    if (!std::isfinite(result.grad_norm)) {
      result.non_finite = non_finite_gradient(model_.parameters(), result.losses.sample_losses.size());
    } else {
      const double factor = update.max_grad_norm / (result.grad_norm + kClipEpsilon);
      if (update.max_grad_norm > 0 && factor < 1) at::_foreach_mul_(all, factor);
      optimizer_.step(update.learning_rates);
    }
  }
  result.vis_scale = model_.vis_scale();
  result.peak_device_bytes = peak_bytes(model_.device());
  return result;
}

Losses Trainer::loss(const Objective& objective, const CancelFlag& cancel) const {
  return objective.compute(model_, Pass::Loss, {{}, *world_, cancel});
}

at::Tensor Trainer::encode_pooled(const std::string& volume_file, const CancelFlag& cancel) const {
  const at::NoGradGuard no_grad;
  const at::Tensor voxels = volume::read_cached_voxels(volume_file);
  const at::Tensor volume = voxels.unsqueeze(0).unsqueeze(0).to(model_.device());
  const models::VisualPath path = model_.visual_path();
  const auto blocks = models::all_blocks(model_.encoder(), &cancel);
  const at::Tensor tokens = models::encode_patches(path, model_.encoder(), volume, blocks);
  return models::pool_tokens(path, tokens)[0].to(at::kCPU, at::kFloat).contiguous();
}

}  // namespace brain3d::train
