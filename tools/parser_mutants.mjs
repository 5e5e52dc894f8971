#!/usr/bin/env node
// Shows whether the tests of the parsers notice a missing check. It takes one check at a time out of a copy of the
// parsers, compiles it with the sanitizers (test/fuzz) and expects parser_tests to fail within a time limit. Each
// mutant takes some seconds, so this is not part of `npm test`.
//   node tools/parser_mutants.mjs [NUMBER...]    all mutants, or those of these numbers
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const TREE = join(ROOT, 'build', 'mutants', 'tree');
const BUILD = join(ROOT, 'build', 'mutants', 'build');
const TEST_LIMIT_MS = 180_000;

/** Each mutant is [file of native/, text that stands there once, its replacement]. */
const MUTANTS = [
  ['io/nifti.cpp', 'if (!most || end <= *most) return;', 'return;'],
  ['io/nifti.cpp', 'if (voxels > options_.max_voxels)', 'if (false)'],
  ['io/nifti.cpp', 'if (count == bytes) return;', 'return;'],
  ['io/nifti.cpp', 'if (trailing > kMaxTrailingBytes)', 'if (false)'],
  ['io/nifti.cpp', 'if (bytes > kMaxExtensionBytes)', 'if (false)'],
  ['io/nifti.cpp', ' || size > room ||', ' ||'],
  ['io/nifti.cpp', ' || count >= kMaxExtensions)', ')'],
  ['io/nifti.cpp', 'if (index < -1 || index >= count)', 'if (false)'],
  ['io/nifti_header.cpp', 'if (bytes_.size() < needed)', 'if (false)'],
  ['io/nifti_header.cpp', 'if (dim[0] < 1 || dim[0] > 7)', 'if (dim[0] < 1)'],
  ['io/nifti_header.cpp', 'if (dim[axis] < 1)', 'if (false)'],
  ['io/nifti_header.cpp', 'if (axis <= 3 && dim[axis] > kMaxAxisVoxels)', 'if (false)'],
  ['io/nifti_header.cpp', 'if (bits != found->bits)', 'if (false)'],
  ['io/nifti_header.cpp', 'offset >= least && offset < kMost', 'offset < kMost'],
  ['io/nifti_affine.cpp', 'if (!(spacing >= kMinSpacingMm && spacing <= kMaxSpacingMm))', 'if (false)'],
  ['io/nifti_affine.cpp', 'if (determinant(a) * determinant(b) < 0)', 'if (false)'],
  ['io/nifti_voxels.cpp', 'if (!is_exact(value)) return false;', ''],
  ['io/gzip.cpp', 'if (other != end)', 'if (false)'],
  ['io/gzip.cpp', 'if (members_ != member)', 'if (false)'],
  ['io/gzip.cpp', 'if (trailing > max_trailing_output)', 'if (false)'],
  ['io/gzip.cpp', 'if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)', 'if (false)'],
  ['io/json.cpp', 'if (open_.size() >= static_cast<std::size_t>(max_depth_))', 'if (false)'],
  ['io/json.cpp', 'if (memory_bytes_ > kMaxJsonMemoryBytes)', 'if (false)'],
  ['io/json.cpp', 'if (!is_new)', 'if (false)'],
  ['io/json.cpp', 'nul != std::string_view::npos', 'false'],
  ['io/safetensors.cpp', 'if (header_bytes_ > kMaxSafetensorsHeaderBytes)', 'if (false)'],
  ['io/safetensors.cpp', 'if (header_bytes_ > size - kLengthBytes)', 'if (false)'],
  ['io/safetensors.cpp', 'if (entry->begin != expected)', 'if (false)'],
  ['io/safetensors.cpp', 'if (expected != file_.size())', 'if (false)'],
  ['io/safetensors.cpp', 'entry.end < entry.begin || entry.end - entry.begin != *bytes', 'false'],
  ['io/safetensors.cpp', 'if (num_tensors > kMaxTensors)', 'if (false)'],
  ['io/safetensors.cpp', 'if (other != end)', 'if (false)'],
  ['io/safetensors_set.cpp', '!is_plain_file_name(file) ||', ''],
  ['io/safetensors_set.cpp', 'if (index.shards.size() > kMaxShards)', 'if (false)'],
  ['io/dtype.cpp', 'if (shape.size() > kMaxRank) return std::nullopt;', ''],
  ['io/pickle.cpp', 'if (count > bytes_.size() - at_)', 'if (false)'],
  [
    'io/pickle.cpp',
    'if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse("it takes',
    'if (stack_.empty()) refuse("it takes',
  ],
  ['io/pickle.cpp', 'if (index > memo_.size())', 'if (false)'],
  ['io/pickle.cpp', 'if (index >= memo_.size())', 'if (false)'],
  ['io/pickle.cpp', 'if (count > 8)', 'if (false)'],
  ['io/pickle.cpp', 'if (shape->size() > kMaxRank || strides->size() != shape->size())', 'if (false)'],
  ['io/pickle.cpp', 'count < kMaxPickleOps', 'true'],
  ['io/torch_file.cpp', ' || !is_inside(tensor))', ')'],
  ['io/torch_file.cpp', '!bytes || *bytes > *storage_bytes ||', '!bytes ||'],
  ['io/torch_file.cpp', ' || entry->size != *storage_bytes)', ')'],
  ['io/torch_file.cpp', 'if (tensor.offset < 0) return false;', ''],
  ['io/torch_file.cpp', 'if (tensor.strides[axis] < 0) return false;', ''],
  ['io/zip.cpp', 'if (record.header_offset != expected)', 'if (false)'],
  ['io/zip.cpp', 'if (crc != entry.crc32)', 'if (false)'],
  ['io/zip_directory.cpp', ' || data_offset > limit || limit - data_offset < record.size)', ')'],
  ['io/zip_directory.cpp', 'if (bytes.size() - at - kCentralBytes < variable)', 'if (false)'],
  ['io/zip_directory.cpp', 'if (offset > limit || limit - offset < kLocalBytes)', 'if (false)'],
  ['io/zip_directory.cpp', 'if (length > bytes - at) break;', ''],
  [
    'io/zip_directory.cpp',
    'if (end.entries > kMaxZipEntries || end.directory_bytes > kMaxDirectoryBytes)',
    'if (false)',
  ],
  ['io/file.cpp', 'if (offset > size_ || bytes > size_ - offset)', 'if (false)'],
  ['io/file.cpp', 'if (!S_ISREG(status.st_mode))', 'if (false)'],
  ['io/file.cpp', 'if (file.size() > max_bytes)', 'if (false)'],
  ['io/text.cpp', ' || text.size() - at < length)', ')'],
  ['models/json_fields.cpp', 'if (number < minimum || number > maximum)', 'if (false)'],
  ['models/gemma3_config.cpp', 'types.size() != num_layers', 'false'],
];

function run(program, args, limit) {
  return spawnSync(program, args, { encoding: 'utf8', timeout: limit, maxBuffer: 2 ** 28, killSignal: 'SIGKILL' });
}

function compile() {
  const jobs = process.env.CMAKE_BUILD_PARALLEL_LEVEL ?? String(availableParallelism());
  return run('cmake', ['--build', BUILD, '--target', 'parser_tests', '-j', jobs]);
}

/** Returns why the tests failed, or null if they passed. */
function failure() {
  const env = 'ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=16:allocator_may_return_null=0';
  const ended = run('env', [env, join(BUILD, 'parser_tests'), '--abort-after=1', '--no-colors=true'], TEST_LIMIT_MS);
  if (ended.status === 0) return null;
  if (ended.error?.code === 'ETIMEDOUT') return 'does not end';
  const report = /(AddressSanitizer|runtime error|Assertion|TEST CASE): *.*/.exec(`${ended.stderr}\n${ended.stdout}`);
  return (report?.[0] ?? `ended with ${ended.signal ?? ended.status}`).slice(0, 100);
}

function makeTree() {
  rmSync(TREE, { recursive: true, force: true });
  mkdirSync(join(TREE, 'test'), { recursive: true });
  for (const name of ['native', 'test/fuzz']) cpSync(join(ROOT, name), join(TREE, name), { recursive: true });
  symlinkSync(join(ROOT, 'third_party'), join(TREE, 'third_party'));
  for (const name of ['native', 'golden']) symlinkSync(join(ROOT, 'test', name), join(TREE, 'test', name));
}

function requireGood(ended, what) {
  if (ended.status !== 0) throw new Error(`${what}: ${ended.stdout}${ended.stderr}`);
}

makeTree();
requireGood(run('cmake', ['-S', join(TREE, 'test', 'fuzz'), '-B', BUILD]), 'cmake');
requireGood(compile(), 'the parsers do not compile');
const unchanged = failure();
if (unchanged !== null) throw new Error(`the tests fail without a mutant: ${unchanged}`);

const wanted = process.argv.slice(2).map(Number);
let [killed, tried] = [0, 0];
for (const [index, [file, search, replacement]] of MUTANTS.entries()) {
  const number = index + 1;
  if (wanted.length > 0 && !wanted.includes(number)) continue;
  const path = join(TREE, 'native', file);
  const text = readFileSync(path, 'utf8');
  if (text.split(search).length !== 2) throw new Error(`mutant ${number}: expected "${search}" once in ${file}`);
  writeFileSync(
    path,
    text.replace(search, () => replacement),
  );
  requireGood(compile(), `mutant ${number} does not compile`);
  const why = failure();
  writeFileSync(path, text);
  tried += 1;
  if (why !== null) killed += 1;
  console.log(
    `${String(number).padStart(2)} ${why === null ? 'SURVIVED' : 'killed'} ${file}: ${search} (${why ?? 'no test failed'})`,
  );
}
console.log(`${killed} of ${tried} mutants killed`);
process.exitCode = killed === tried && tried > 0 ? 0 : 1;
