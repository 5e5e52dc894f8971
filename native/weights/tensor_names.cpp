#include "weights/tensor_names.h"

#include <initializer_list>
#include <string_view>

namespace brain3d::weights {

namespace {

bool consume(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
  for (const std::string_view prefix : prefixes)
    if (text.substr(0, prefix.size()) == prefix) return true;
  return false;
}

}  // namespace

std::string canonical_tensor_name(const std::string& name) {
  std::string_view rest = name;
  consume(rest, "base_model.model.");

  std::string_view head = rest;
  consume(head, "language_model.");
  if (starts_with_any(head, {"lm_head."})) return std::string(head);

  std::string_view inner = rest;
  consume(inner, "model.");
  if (consume(inner, "multi_modal_projector.")) return "mmproj." + std::string(inner);
  if (consume(inner, "vision_tower.")) {
    consume(inner, "vision_model.");
    return "vision." + std::string(inner);
  }
  if (consume(inner, "language_model.")) {
    consume(inner, "model.");
    return "text." + std::string(inner);
  }
  std::string_view plain = rest;
  if (consume(plain, "model.") && starts_with_any(plain, {"embed_tokens.", "layers.", "norm."}))
    return "text." + std::string(plain);

  // SigLIP's own files: vision_model.* of SiglipModel, or the bare tower of SiglipVisionModel.
  plain = rest;
  if (consume(plain, "vision_model.")) return "vision." + std::string(plain);
  if (starts_with_any(rest, {"embeddings.", "encoder.", "post_layernorm.", "head."}))
    return "vision." + std::string(rest);
  return std::string(rest);
}

}  // namespace brain3d::weights
