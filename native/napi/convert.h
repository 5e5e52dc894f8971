// Plain values across the seam. The TypeScript side has validated policy; here only types are checked, so that a wrong
// call is a TypeError and never undefined behaviour.
#pragma once

#include <napi.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "device/torch.h"
#include "models/brain3d/checkpoint_weights.h"
#include "models/brain3d/recipe.h"

namespace brain3d::napi {

/// Reads named properties of an options object; a missing or mistyped one throws TypeError naming it.
class Options {
 public:
  explicit Options(const Napi::Value& value);

  /// Throws TypeError for a property that is none of `names`: one that TypeScript has learned and this side has not
  /// must not be passed over.
  void require_known(const char* what, std::initializer_list<const char*> names) const;

  std::string text(const char* key) const;
  double number(const char* key) const;
  std::int64_t integer(const char* key) const;
  bool boolean(const char* key) const;
  std::vector<std::int64_t> integers(const char* key) const;
  Napi::Value value(const char* key) const;
  Napi::Env env() const { return object_.Env(); }

 private:
  Napi::Object object_;
};

std::string to_text(const Napi::Value& value, const char* name);
Napi::Array to_list(const Napi::Value& value, const char* name);
std::vector<std::string> to_texts(const Napi::Value& value, const char* name);
std::vector<std::int64_t> to_integers(const Napi::Value& value, const char* name);
std::vector<double> to_numbers(const Napi::Value& value, const char* name);

/// A JavaScript-owned copy: external buffers are refused by Electron.
Napi::Float32Array to_float32_array(Napi::Env env, const at::Tensor& tensor);

template <typename T>
Napi::Array to_array(Napi::Env env, const T& values) {
  Napi::Array out = Napi::Array::New(env, values.size());
  std::uint32_t index = 0;
  for (const auto& value : values) out.Set(index++, Napi::Value::From(env, value));
  return out;
}

models::Recipe to_recipe(const Napi::Value& value);

/// `patchEmbedding` of the options of a new checkpoint.
models::PatchEmbeddingStart to_patch_embedding_start(const Options& options);

}  // namespace brain3d::napi
