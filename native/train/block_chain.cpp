#include "train/block_chain.h"

namespace brain3d::train {

at::Tensor BlockChain::forward(const at::Tensor& x) {
  at::Tensor hidden = x;
  if (!recompute_ || !c10::GradMode::is_enabled()) {
    for (std::size_t index = 0; index < num_blocks_; ++index) hidden = block_(index, hidden);
    return hidden;
  }
  entry_ = x;
  inputs_.clear();  // a pass that ended in an error may have left some
  hidden = x.detach();
  {
    const at::NoGradGuard no_grad;
    for (std::size_t index = 0; index < num_blocks_; ++index) {
      inputs_.push_back(hidden);
      hidden = block_(index, hidden.clone());  // without gradients a block may write its result over its input
    }
  }
  result_ = hidden.detach().requires_grad_(true);
  return result_;
}

void BlockChain::backward() {
  if (!result_.defined()) return;  // autograd has done it
  at::Tensor gradient = result_.grad();
  result_.reset();
  for (std::size_t index = num_blocks_; index-- > 0;) {
    const at::Tensor input = inputs_[index].detach().requires_grad_(true);
    inputs_.pop_back();
    block_(index, input).backward(gradient);
    gradient = input.grad();
  }
  if (entry_.requires_grad()) entry_.backward(gradient);
  entry_.reset();
}

}  // namespace brain3d::train
