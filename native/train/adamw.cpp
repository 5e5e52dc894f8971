#include "train/adamw.h"

#include <ATen/ops/_fused_adamw.h>

#include <charconv>
#include <cmath>

#include "base/error.h"
#include "io/file.h"
#include "io/safetensors/safetensors.h"
#include "weights/weight_source.h"

namespace brain3d::train {

namespace {

constexpr const char* kFormat = "brain3d-trainer-state-1";

std::int64_t read_steps(const io::SafetensorsFile& file) {
  const auto format = file.metadata().find("format"), steps = file.metadata().find("steps");
  std::int64_t value = -1;
  if (format != file.metadata().end() && format->second == kFormat && steps != file.metadata().end()) {
    const char* end = steps->second.data() + steps->second.size();
    if (std::from_chars(steps->second.data(), end, value).ptr != end) value = -1;
  }
  if (value < 0)
    throw Error(ErrorCode::Format,
                concat("expected a trainer's state (", kFormat, "), but ", file.name(), " holds something else"),
                {file.name(), "format", -1});
  return value;
}

}  // namespace

AdamW::AdamW(std::vector<Parameter> parameters, const AdamWOptions& options)
    : parameters_(std::move(parameters)), options_(options) {
  const at::NoGradGuard no_grad;
  for (const Parameter& parameter : parameters_)
    moments_.push_back({at::zeros_like(parameter.value), at::zeros_like(parameter.value)});
}

void AdamW::step(const LearningRates& learning_rates) {
  const at::NoGradGuard no_grad;
  // All that can be wrong is found before anything changes.
  for (const Parameter& parameter : parameters_) {
    const auto rate = learning_rates.find(parameter.group);
    B3D_CHECK(rate != learning_rates.end() && std::isfinite(rate->second), Usage, "expected a learning rate for ",
              group_name(parameter.group));
    B3D_CHECK(parameter.value.grad().defined(), Usage, "expected a gradient of ", parameter.name);
  }
  ++num_steps_;
  // One fused call for each learning rate and decay.
  struct Call {
    std::vector<at::Tensor> values, gradients, exp_avgs, exp_avg_sqs, steps;
  };
  std::map<std::pair<ParameterGroup, bool>, Call> calls;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    Call& call = calls[{parameter.group, parameter.decays}];
    call.values.push_back(parameter.value);
    call.gradients.push_back(parameter.value.grad());
    call.exp_avgs.push_back(moments_[i].exp_avg);
    call.exp_avg_sqs.push_back(moments_[i].exp_avg_sq);
    call.steps.push_back(at::full({}, static_cast<double>(num_steps_), parameter.value.options()));
  }
  for (auto& [key, call] : calls) {
    at::_fused_adamw_(call.values, call.gradients, call.exp_avgs, call.exp_avg_sqs, /*max_exp_avg_sqs=*/{}, call.steps,
                      learning_rates.at(key.first), options_.beta1, options_.beta2,
                      key.second ? options_.weight_decay : 0.0, options_.epsilon, /*amsgrad=*/false,
                      /*maximize=*/false);
  }
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::state() const {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string& name = parameters_[i].name;
    tensors.emplace_back("parameter." + name, parameters_[i].value);
    tensors.emplace_back("exp_avg." + name, moments_[i].exp_avg);
    tensors.emplace_back("exp_avg_sq." + name, moments_[i].exp_avg_sq);
  }
  return tensors;
}

void AdamW::save(const std::string& file) const {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> held;
  std::vector<io::TensorToWrite> records;
  for (const auto& [name, tensor] : state()) {
    held.push_back(tensor.to(at::kCPU).contiguous());
    records.push_back({name, io::DType::F32, held.back().sizes().vec(), held.back().const_data_ptr()});
  }
  io::write_safetensors(file, records, {{"format", kFormat}, {"steps", std::to_string(num_steps_)}});
}

void AdamW::load(const std::string& file) {
  const at::NoGradGuard no_grad;
  const std::int64_t steps = read_steps(io::SafetensorsFile(file));
  weights::ExpectedTensors expected;
  for (const auto& [name, tensor] : state()) expected[name] = tensor.sizes().vec();
  const auto same = [](const std::string& name) { return name; };
  weights::WeightSource source(
      io::SafetensorsSet::open_file(file), "trainer's state", expected, [](const std::string&) { return false; }, same);
  // Read as a whole before anything is replaced: a tensor further on may be of a type that is none of a state's.
  std::vector<at::Tensor> values;
  for (const auto& [name, tensor] : state()) {
    values.push_back(source.read(name, tensor.options()));
    weights::require_finite(values.back(), name, io::base_name(file));
  }
  std::size_t next = 0;
  for (const auto& [name, tensor] : state()) tensor.copy_(values[next++]);
  num_steps_ = steps;
}

}  // namespace brain3d::train
