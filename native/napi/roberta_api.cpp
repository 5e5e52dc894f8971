// A text encoder, and BERTScore with it.
#include "device/device.h"
#include "models/text/bertscore.h"
#include "napi/convert.h"
#include "napi/exports.h"
#include "napi/promise_task.h"

namespace brain3d::napi {

namespace {

using EncoderPtr = std::shared_ptr<const models::RobertaEncoder>;

using TextEncoderHandle = Disposable<const models::RobertaEncoder>;

}  // namespace

template <>
struct HandleTraits<TextEncoderHandle> {
  static constexpr const char* name = "TextEncoder";
  static constexpr const char* disposed = "the text encoder was disposed; load it again";
  static constexpr napi_type_tag tag{0x5d3e8b17c94a20f6, 0xe07a61d2384fb95c};
};

namespace {

Napi::Value info(const std::shared_ptr<TextEncoderHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const EncoderPtr encoder = handle->get();
    const models::RobertaConfig& config = encoder->config();
    Napi::Object out = Napi::Object::New(call.Env());
    out.Set("device", encoder->device().str());
    out.Set("layer", static_cast<double>(encoder->layer()));
    out.Set("vocabSize", static_cast<double>(config.vocab_size));
    out.Set("maxTokens", static_cast<double>(config.max_tokens()));
    out.Set("bosTokenId", static_cast<double>(config.bos_token_id));
    out.Set("eosTokenId", static_cast<double>(config.eos_token_id));
    return out;
  });
}

std::vector<models::TokenIds> to_texts(const Napi::Value& value) {
  const Napi::Array list = to_list(value, "texts");
  std::vector<models::TokenIds> texts;
  for (std::uint32_t i = 0; i < list.Length(); ++i) texts.push_back(to_integers(list.Get(i), "texts"));
  return texts;
}

/// An index below 0 becomes one that no list of texts has.
std::vector<models::TextPair> to_pairs(const Napi::Value& hypotheses, const Napi::Value& references) {
  const auto first = to_integers(hypotheses, "hypotheses"), second = to_integers(references, "references");
  if (first.size() != second.size())
    throw Napi::RangeError::New(hypotheses.Env(), "expected as many references as hypotheses");
  std::vector<models::TextPair> pairs;
  for (std::size_t i = 0; i < first.size(); ++i)
    pairs.emplace_back(static_cast<std::size_t>(first[i]), static_cast<std::size_t>(second[i]));
  return pairs;
}

Napi::Value scores_object(Napi::Env env, const std::vector<models::MatchScore>& scores) {
  Napi::Array out = Napi::Array::New(env, scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    Napi::Object item = Napi::Object::New(env);
    item.Set("precision", scores[i].precision);
    item.Set("recall", scores[i].recall);
    item.Set("f1", scores[i].f1);
    out.Set(static_cast<std::uint32_t>(i), item);
  }
  return out;
}

Napi::Value score(const std::shared_ptr<TextEncoderHandle>& handle, const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const EncoderPtr encoder = handle->get();
    const auto texts = to_texts(call[0]);
    const Options options(call[1]);
    const auto pairs = to_pairs(options.value("hypotheses"), options.value("references"));
    const std::int64_t batch_size = options.integer("batchSize");
    const auto cancel = get_handle<CancelFlag>(call[2]);
    return run_async<std::vector<models::MatchScore>>(
        call.Env(), AddonData::of(call.Env()).compute(), cancel, std::make_shared<Held>(),
        [encoder, texts, pairs, batch_size, cancel] {
          const c10::InferenceMode inference;
          return models::bert_scores(*encoder, texts, pairs, batch_size, *cancel);
        },
        [](Napi::Env env, std::vector<models::MatchScore>& scores) { return scores_object(env, scores); });
  });
}

Napi::Object encoder_handle(Napi::Env env, EncoderPtr encoder) {
  const std::int64_t bytes = encoder->device().is_cpu() ? encoder->weight_bytes() : 0;
  Napi::Object object = make_handle(env, std::make_shared<TextEncoderHandle>(TextEncoderHandle{encoder}), bytes);
  add_method<TextEncoderHandle>(object, "info", info);
  add_method<TextEncoderHandle>(object, "score", score);
  add_method<TextEncoderHandle>(object, "dispose", dispose<const models::RobertaEncoder>);
  return object;
}

Napi::Value load_text_encoder(const Napi::CallbackInfo& call) {
  return guarded(call.Env(), [&]() -> Napi::Value {
    const Options spec(call[0]);
    const std::string dir = spec.text("dir"), device = spec.text("device");
    const std::int64_t layer = spec.integer("layer");
    const auto cancel = get_handle<CancelFlag>(call[1]);
    return run_async<EncoderPtr>(
        call.Env(), AddonData::of(call.Env()).compute(), cancel, std::make_shared<Held>(),
        [dir, device, layer, cancel] {
          const c10::InferenceMode inference;
          const auto config = models::RobertaConfig::read(dir);
          weights::WeightSource source = models::RobertaEncoder::open(dir, config);
          source.set_cancel(cancel);
          return std::make_shared<const models::RobertaEncoder>(
              models::RobertaEncoder::load(config, layer, source, at::TensorOptions().device(parse_device(device))));
        },
        [](Napi::Env env, EncoderPtr& encoder) { return encoder_handle(env, std::move(encoder)); });
  });
}

}  // namespace

void export_roberta(Napi::Env env, Napi::Object exports) {
  exports.Set("loadTextEncoder", Napi::Function::New(env, load_text_encoder, "loadTextEncoder"));
}

}  // namespace brain3d::napi
