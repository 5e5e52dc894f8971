// Makes the first, the second, ... allocation of a parse fail until none is left to fail, once alone and once with all
// that follow: `allocation_faults TEST_DIR`. Each time the parse must end with what it ends with when memory is there,
// or with BRAIN3D_OUT_OF_MEMORY, or with std::bad_alloc, which the seam turns into that (native/napi/errors.cpp); free
// all that it took; and come out right when it is tried again.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>

#include "allocation_fault.h"
#include "base/error.h"
#include "io/nifti/nifti.h"
#include "io/safetensors/safetensors.h"
#include "io/torch_zip/torch_file.h"
#include "models/language/family.h"
#include "models/text/roberta_config.h"
#include "models/vision/siglip_config.h"

namespace {

using namespace brain3d;
using fuzz::Fault;

constexpr long kMaxFaults = 100'000;  // a parse of a small file needs far fewer
constexpr const char* kOutOfMemory = "out of memory";

std::string describe(const io::NiftiImage& image) {
  std::string text(reinterpret_cast<const char*>(image.voxels.data()), image.voxels.size() * sizeof(float));
  for (const double value : image.affine) text += concat(' ', value);
  for (const std::string& warning : image.warnings) text += "\n" + warning;
  return text;
}

std::string describe(const io::SafetensorsFile& file) {
  std::string text;
  for (const auto& [name, entry] : file.tensors()) {
    text += concat(name, ' ', io::shape_text(entry.shape), ' ', entry.begin, ' ', entry.end, '\n');
  }
  for (const auto& [key, value] : file.metadata()) text += key + "=" + value + "\n";
  for (const std::string& warning : file.warnings()) text += warning + "\n";
  return text;
}

std::string describe(const io::SafetensorsSet& set) { return concat(set.tensors().size(), " tensors"); }

std::string describe(const io::PeerProjector& projector) {
  std::string text = concat("scale ", projector.vis_scale.value_or(-1));
  for (const auto& [name, tensor] : projector.state) {
    text += "\n" + name + std::string(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  }
  return text;
}

std::string describe(const io::Json& json) { return json.dump(); }
std::string describe(const models::DecoderSpec& spec) { return concat(spec.num_hidden_layers(), " layers"); }
std::string describe(const models::SiglipConfig& config) { return concat(config.hidden_size, " wide"); }
std::string describe(const models::RobertaConfig& config) { return concat(config.vocab_size, " tokens"); }

/// Says in words what `read` comes to while the `nth` allocation fails (0: none does).
template <typename Read>
std::string outcome(const Read& read, long nth, Fault fault) {
  try {
    const auto parsed = [&] {
      const fuzz::AllocationFault armed(nth, fault);
      return read();
    }();
    return "read " + describe(parsed);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::OutOfMemory) return kOutOfMemory;
    return concat("refused ", error_code_name(error.code()), ' ', error.detail().field, ' ', error.what());
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  }
}

/// The descriptor that the next open file would get: one more if a parse left one open.
int next_descriptor() {
  const int descriptor = ::dup(STDERR_FILENO);
  ::close(descriptor);
  return descriptor;
}

bool is_mapped(const std::string& path) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.ends_with(path)) return true;
  }
  return false;
}

void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "failed allocations: %s\n", what.c_str());
  std::abort();
}

struct Counts {
  long faults = 0;  // allocations that were made to fail, one at a time
  long in_zlib = 0;
  long refused = 0;  // parses that ended with too little memory
};

/// Every `step`th allocation, and then one that is not there any more.
template <typename Read>
Counts fail_each(const std::string& name, const std::string& path, Fault fault, long step, const Read& read) {
  const std::string expected = outcome(read, 0, fault);  // also makes what is made once and kept
  require(expected != kOutOfMemory, name + ": the machine has memory");
  Counts counts;
  std::string got;
  got.reserve(2 * expected.size() + 1000);  // so that the result itself allocates nothing while it is counted
  for (long nth = 1;; nth += step) {
    require(nth < kMaxFaults, name + ": it ends");
    const long live = fuzz::live_allocations();
    const int descriptor = next_descriptor();
    got.assign(outcome(read, nth, fault));
    const long kept = fuzz::live_allocations() - live;
    const bool happened = fuzz::fault_happened();
    const bool in_zlib = fuzz::fault_was_in_zlib();
    const std::string where = concat(name, ", allocation ", nth, fault == Fault::Once ? "" : " and all after it");
    require(got == expected || (happened && got == kOutOfMemory), concat(where, ": got \"", got.substr(0, 300), '"'));
    require(kept == 0, concat(where, ": ", kept, " allocations were not freed"));
    require(next_descriptor() == descriptor && !is_mapped(path), where + ": the file stays open");
    require(outcome(read, 0, fault) == expected, where + ": the next parse is another one");
    if (!happened) return counts;
    ++counts.faults;
    if (in_zlib) ++counts.in_zlib;
    if (got == kOutOfMemory) ++counts.refused;
  }
}

template <typename Read>
Counts check(const char* name, const std::string& path, const Read& read, long step = 1) {
  const Counts once = fail_each(name, path, Fault::Once, step, read);
  const Counts forever = fail_each(name, path, Fault::Forever, step, read);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("failed allocations of %s: %ld, of which %ld in zlib; %ld refused\n", name, once.faults, once.in_zlib,
              once.refused);
  require(once.faults >= 4 && once.refused >= 4 && forever.refused >= once.refused, concat(name, ": faults happen"));
  return once;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: allocation_faults TEST_DIR\n");
    return 2;
  }
  const std::string dir = std::string(argv[1]) + "/";
  const auto nifti = [&](const char* name, const std::string& path) {
    return check(name, path, [&] { return io::read_nifti(path, {.volume_index = 0}); });
  };
  const auto safetensors = [&](const char* name, const std::string& path, long step = 1) {
    return check(
        name, path, [&] { return io::SafetensorsFile(path); }, step);
  };
  const auto projector = [&](const char* name, const std::string& path) {
    return check(name, path, [&] { return io::read_peer_projector(path); });
  };
  nifti("nifti", dir + "fuzz/corpus/nifti/extension.nii");
  nifti("nifti, refused", dir + "fuzz/corpus/json_config/models_vision_config.json");
  require(nifti("nifti.gz", dir + "fuzz/corpus/nifti_gz/extension.nii.gz").in_zlib >= 2, "zlib has its share");
  safetensors("safetensors, small", dir + "fuzz/corpus/safetensors/extra");
  safetensors("safetensors, refused", dir + "fuzz/corpus/safetensors/gap");
  safetensors("safetensors", dir + "golden/checkpoints/paper_text/adapter/adapter_model.safetensors",
              /*step=*/3);  // of some 1,100
  const std::string sharded = dir + "golden/models/gemma_cond";
  constexpr long kSetStep = 31;  // of some 4,000
  check(
      "safetensors, sharded", sharded, [&] { return io::SafetensorsSet::open_directory(sharded); }, kSetStep);
  projector("torch checkpoint", dir + "fuzz/corpus/torch_file/scale_tensor.pt");
  projector("torch checkpoint, refused", dir + "fuzz/corpus/torch_file/forbidden.pt");
  const std::string models = dir + "golden/models/";
  const auto config = [&](const char* name, const std::string& directory, const auto& read) {
    return check(name, directory + "/config.json", [&] { return read(directory); });
  };
  config("config.json, parsed", models + "gemma_text",
         [](const std::string& at) { return io::read_json(at + "/config.json"); });
  config("config.json of Gemma 3", models + "gemma_text", models::read_decoder_spec);
  config("config.json of Qwen 2.5", models + "qwen_tied", models::read_decoder_spec);
  config("config.json of SigLIP", models + "vision", models::SiglipConfig::read);
  config("config.json of RoBERTa", models + "roberta", models::RobertaConfig::read);
}
