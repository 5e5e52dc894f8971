// Blocks one after another with a bounded number of activations held for the backward pass.
#pragma once

#include <functional>
#include <vector>

#include "device/torch.h"

namespace brain3d::train {

/// With `recompute`, only the input of each block is kept and the block is run again when its gradient is needed, which
/// trades about a third more computing for the memory of one block instead of all. Without it, autograd keeps
/// everything. The gradients are the same bits: a block is a function of its input alone (dropout masks too, see
/// nn::Dropout).
class BlockChain {
 public:
  using Block = std::function<at::Tensor(std::size_t index, const at::Tensor& x)>;

  BlockChain(std::size_t num_blocks, Block block, bool recompute)
      : num_blocks_(num_blocks), block_(std::move(block)), recompute_(recompute) {}

  /// Runs the blocks under the present gradient mode.
  at::Tensor forward(const at::Tensor& x);

  /// Once the gradient of `forward`'s result is known: carries it to the blocks' parameters and to x's history.
  void backward();

 private:
  std::size_t num_blocks_;
  Block block_;
  bool recompute_;
  at::Tensor entry_;                // x, with its history
  std::vector<at::Tensor> inputs_;  // the input of each block, without
  at::Tensor result_;               // a leaf that collects its gradient
};

}  // namespace brain3d::train
