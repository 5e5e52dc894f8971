// The activation of a gated MLP. The file includes no torch, so that a configuration can be read without it.
#pragma once

namespace brain3d::nn {

/// `GeluTanh`: GELU in its tanh form. `Silu`: x * sigmoid(x).
enum class Activation { GeluTanh, Silu };

}  // namespace brain3d::nn
