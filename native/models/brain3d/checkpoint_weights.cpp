#include "models/brain3d/checkpoint_weights.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "io/torch_zip/torch_file.h"
#include "models/brain3d/inflate.h"
#include "models/vision/siglip.h"
#include "weights/weight_source.h"

namespace brain3d::models {

namespace {

constexpr double kProjectorGain = 0.5;  // as the authors initialise it

weights::ExpectedTensors expected_tensors(const CheckpointSizes& sizes) {
  const auto width = sizes.vision_width, language = sizes.language_width, patch = sizes.patch_size;
  weights::ExpectedTensors expected{{kPatchWeight, {width, 1, sizes.depth_kernel, patch, patch}},
                                    {kPatchBias, {width}},
                                    {"projector.fc1.weight", {language, width}},
                                    {"projector.fc1.bias", {language}},
                                    {"projector.fc2.weight", {language, language}},
                                    {"projector.fc2.bias", {language}},
                                    {kVisScale, {}}};
  if (sizes.depth_positions > 0) expected[kDepthPositions] = {sizes.depth_positions, width};
  return expected;
}

/// U(-bound, bound), float32.
at::Tensor uniform(at::IntArrayRef shape, double bound, SplitMix64& rng) {
  at::Tensor weight = at::empty(shape, at::kFloat);
  auto* values = weight.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < weight.numel(); ++i) values[i] = static_cast<float>((2.0 * rng.uniform() - 1.0) * bound);
  return weight;
}

/// U(-a, a) with a = gain * sqrt(6 / (fan_in + fan_out)).
at::Tensor xavier_uniform(std::int64_t out, std::int64_t in, SplitMix64& rng) {
  return uniform({out, in}, kProjectorGain * std::sqrt(6.0 / static_cast<double>(in + out)), rng);
}

/// The parts every new checkpoint has: inflated patch embedding and zero depth positions.
CheckpointWeights from_backbone(const std::string& vision_dir, const SiglipConfig& vision, const CheckpointSizes& sizes,
                                const Recipe& recipe) {
  const auto float32 = at::TensorOptions().dtype(at::kFloat);
  weights::WeightSource source = open_vision_backbone(vision_dir, vision);
  const SiglipEmbeddings embeddings = SiglipEmbeddings::load(source, float32);
  CheckpointWeights weights;
  weights.patch_weight = inflate_patch_embedding(embeddings.patch_weight, recipe.channel_collapse, recipe.depth_kernel);
  weights.patch_bias = embeddings.patch_bias;
  if (sizes.depth_positions > 0)
    weights.depth_positions = at::zeros({sizes.depth_positions, sizes.vision_width}, float32);
  return weights;
}

at::Tensor stored_tensor(const io::PeerProjector& peer, const std::string& key, at::IntArrayRef shape,
                         const std::string& file) {
  const auto found = peer.state.find(key);
  B3D_CHECK(found != peer.state.end(), Weights, "the authors' projector lacks '", key,
            "'; expected 0.weight, 0.bias, 2.weight and 2.bias");
  const io::StoredTensor& stored = found->second;
  B3D_CHECK(at::IntArrayRef(stored.shape) == shape, Weights, "the authors' projector has '", key, "' of shape ",
            at::IntArrayRef(stored.shape), ", but the backbones ask for ", shape);
  at::ScalarType type = at::kFloat;
  if (stored.dtype == io::DType::BF16)
    type = at::kBFloat16;
  else if (stored.dtype == io::DType::F16)
    type = at::kHalf;
  else
    B3D_CHECK(stored.dtype == io::DType::F32, Weights, "the authors' projector holds '", key, "' as ",
              io::dtype_name(stored.dtype), "; expected float32, bfloat16 or float16");
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(type));
  std::memcpy(tensor.mutable_data_ptr(), stored.bytes.data(), stored.bytes.size());
  tensor = tensor.to(at::kFloat);
  weights::require_finite(tensor, key, io::base_name(file));
  return tensor;
}

}  // namespace

CheckpointSizes checkpoint_sizes(const SiglipConfig& vision, std::int64_t language_width, const Recipe& recipe) {
  const auto grid = recipe.patch_grid(vision.patch_size);
  const bool learned = recipe.position == PositionScheme::LearnedDepthPretrainedSpatial;
  return {vision.hidden_size, language_width, vision.patch_size, recipe.depth_kernel, learned ? grid[0] : 0};
}

CheckpointWeights CheckpointWeights::read(const std::string& file, const CheckpointSizes& sizes,
                                          at::TensorOptions options) {
  weights::WeightSource source(io::SafetensorsSet::open_file(file), "checkpoint", expected_tensors(sizes),
                               [](const std::string&) { return false; });
  const auto float32 = options.dtype(at::kFloat);
  const std::string name = io::base_name(file);
  const auto read = [&](const std::string& tensor, at::TensorOptions as) {
    at::Tensor values = source.read(tensor, as);
    weights::require_finite(values, tensor, name);
    return values;
  };
  CheckpointWeights weights;
  weights.patch_weight = read(kPatchWeight, options);
  weights.patch_bias = read(kPatchBias, options);
  if (sizes.depth_positions > 0) weights.depth_positions = read(kDepthPositions, float32);
  weights.projector.fc1 = {read("projector.fc1.weight", options), read("projector.fc1.bias", options), {}};
  weights.projector.fc2 = {read("projector.fc2.weight", options), read("projector.fc2.bias", options), {}};
  weights.projector.vis_scale = read(kVisScale, float32);
  return weights;
}

CheckpointWeights CheckpointWeights::initialise(const std::string& vision_dir, const SiglipConfig& vision,
                                                const CheckpointSizes& sizes, const Recipe& recipe,
                                                PatchEmbeddingStart start, std::uint64_t seed) {
  CheckpointWeights weights = from_backbone(vision_dir, vision, sizes, recipe);
  SplitMix64 rng(seed);
  const auto width = sizes.language_width;
  weights.projector.fc1 = {xavier_uniform(width, sizes.vision_width, rng), at::zeros({width}), {}};
  weights.projector.fc2 = {xavier_uniform(width, width, rng), at::zeros({width}), {}};
  weights.projector.vis_scale = at::ones({});
  if (start == PatchEmbeddingStart::Random) {
    const at::Tensor& inflated = weights.patch_weight;
    const double bound = 1.0 / std::sqrt(static_cast<double>(inflated[0].numel()));
    weights.patch_weight = uniform(inflated.sizes(), bound, rng);
    weights.patch_bias = uniform(weights.patch_bias.sizes(), bound, rng);
  }
  return weights;
}

CheckpointWeights CheckpointWeights::import_peer(const std::string& file, const std::string& vision_dir,
                                                 const SiglipConfig& vision, const CheckpointSizes& sizes,
                                                 const Recipe& recipe) {
  const io::PeerProjector peer = io::read_peer_projector(file);
  const auto width = sizes.language_width;
  for (const auto& [key, tensor] : peer.state)
    B3D_CHECK(key == "0.weight" || key == "0.bias" || key == "2.weight" || key == "2.bias", Weights,
              "the authors' projector holds an unexpected tensor '", key, "'");
  CheckpointWeights weights = from_backbone(vision_dir, vision, sizes, recipe);
  const auto stored = [&](const std::string& key, at::IntArrayRef shape) {
    return stored_tensor(peer, key, shape, file);
  };
  weights.projector.fc1 = {stored("0.weight", {width, sizes.vision_width}), stored("0.bias", {width}), {}};
  weights.projector.fc2 = {stored("2.weight", {width, width}), stored("2.bias", {width}), {}};
  weights.projector.vis_scale = at::scalar_tensor(peer.vis_scale.value_or(1.0), at::kFloat);
  weights::require_finite(weights.projector.vis_scale, kVisScale, io::base_name(file));  // a double may exceed float32
  return weights;
}

std::vector<std::pair<std::string, at::Tensor>> CheckpointWeights::named_tensors() const {
  std::vector<std::pair<std::string, at::Tensor>> tensors{{kPatchWeight, patch_weight}, {kPatchBias, patch_bias}};
  if (depth_positions.defined()) tensors.emplace_back(kDepthPositions, depth_positions);
  tensors.insert(tensors.end(), {{"projector.fc1.weight", projector.fc1.weight.dense()},
                                 {"projector.fc1.bias", projector.fc1.bias},
                                 {"projector.fc2.weight", projector.fc2.weight.dense()},
                                 {"projector.fc2.bias", projector.fc2.bias},
                                 {kVisScale, projector.vis_scale}});
  return tensors;
}

void CheckpointWeights::write(const std::string& file) const {
  std::vector<at::Tensor> held;
  std::vector<io::TensorToWrite> records;
  for (const auto& [name, tensor] : named_tensors()) {
    held.push_back(tensor.to(at::kCPU, at::kFloat).contiguous());
    weights::require_finite(held.back(), name, io::base_name(file));
    records.push_back({name, io::DType::F32, tensor.sizes().vec(), held.back().const_data_ptr()});
  }
  io::write_safetensors(file, records);
}

}  // namespace brain3d::models
