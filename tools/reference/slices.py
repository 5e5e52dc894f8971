"""The slice-wise baseline: the 2D vision model of transformers on every axial plane, tokens averaged over planes."""
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from transformers import SiglipVisionModel

from common import output_dir, save

VISUAL_TOKENS = 8


@torch.no_grad()
def main(out):
    model = SiglipVisionModel.from_pretrained(out / "models" / "vision", dtype=torch.float32).eval()
    volume = load_file(out / "brain3d" / "inputs.safetensors")["volume"]  # (2, 1, 8, 42, 56)
    tokens = []
    for planes in volume[:, 0]:
        pictures = planes.unsqueeze(1).expand(-1, 3, -1, -1)  # a grey picture in each channel
        hidden = model(pixel_values=pictures, interpolate_pos_encoding=True).last_hidden_state  # (8, 12, E)
        tokens.append(hidden.mean(0))
    tokens = torch.stack(tokens)
    channels_first = tokens.transpose(1, 2)
    save(out / "brain3d" / "slices.safetensors", {
        "patch_tokens": tokens,
        "pooled_tokens": F.adaptive_avg_pool1d(channels_first, VISUAL_TOKENS).transpose(1, 2).contiguous(),
    })


if __name__ == "__main__":
    main(output_dir(__doc__))
