// Names of stored tensors, whatever class and library version wrote them, as one canonical form.
#pragma once

#include <string>

namespace brain3d::weights {

/// "text.layers.0.self_attn.q_proj.weight", "vision.encoder.layers.0...", "mmproj...", "lm_head.weight"; a name that
/// fits no rule comes back unchanged. Accepts Gemma3ForCausalLM, Gemma3ForConditionalGeneration on disk and in memory
/// of every transformers version, SigLIP, and PEFT's "base_model.model." prefix.
std::string canonical_tensor_name(const std::string& name);

}  // namespace brain3d::weights
