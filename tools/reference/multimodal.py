"""Gemma 3 with one image: the bidirectional image block and the image projector."""
import torch

from common import BOS, generator, load_decoder, normal, output_dir, save

BOI, EOI, IMAGE = 150, 151, 152


@torch.no_grad()
def main(out):
    model = load_decoder(out, "gemma_cond")
    gen = generator(31)
    # The text has 24 positions: longer than the window of 16, while the image block is shorter than it. Library
    # versions disagree on the mask only when the block does not fit into the window.
    text = torch.randint(3, 140, (17,), generator=gen).tolist()
    ids = torch.tensor([[BOS, *text[:2], BOI, *[IMAGE] * 4, EOI, *text[2:]]])
    pixels = normal(gen, [1, 3, 56, 56], 0.5).clamp(-1, 1)
    types = (ids == IMAGE).long()
    features = model.get_image_features(pixels).pooler_output
    run = lambda **kw: model(input_ids=ids, pixel_values=pixels, **kw).logits
    logits = run(token_type_ids=types)
    causal = run()  # without token types the mask is purely causal
    assert (logits - causal).abs().max() > 0.05, "the image block must matter"
    save(out / "multimodal.safetensors",
         {"input_ids": ids, "pixel_values": pixels, "token_type_ids": types, "image_features": features,
          "logits": logits, "logits_causal": causal})


if __name__ == "__main__":
    main(output_dir(__doc__))
