#include "engine/host_member.hpp"

#include <cassert>
#include <cstring>

namespace polarscope {

namespace {

constexpr std::size_t kAlignment = 64;

std::byte* allocate(std::vector<std::byte>& memory, std::size_t bytes) {
  memory.assign(bytes + kAlignment, std::byte{0});
  const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
  return memory.data() + (kAlignment - address % kAlignment) % kAlignment;
}

} // namespace

HostMember::HostMember(std::shared_ptr<const StepProgram> program, std::vector<double> hparams, std::uint64_t seed)
    : program_(std::move(program)), hparams_(std::move(hparams)) {
  assert(hparams_.size() == program_->hparams().size());
  block_ = allocate(block_memory_, program_->block_bytes());
  const std::size_t scratch_bytes = program_->view().scratch_size * program_->scalar_bytes();
  scratch_ = allocate(scratch_memory_, scratch_bytes);
  std::memset(scratch_, 0xFF, scratch_bytes); // NaN: an op must not read what it did not write
  member_.block = block_;
  member_.hparams = hparams_.data();
  member_.seed = seed;
}

double HostMember::element(std::size_t index) const {
  return program_->precision() == Precision::f32 ? static_cast<double>(reinterpret_cast<const float*>(block_)[index])
                                                 : reinterpret_cast<const double*>(block_)[index];
}

void HostMember::set_element(std::size_t index, double value) {
  if (program_->precision() == Precision::f32) reinterpret_cast<float*>(block_)[index] = static_cast<float>(value);
  else reinterpret_cast<double*>(block_)[index] = value;
}

std::vector<double> HostMember::read(SlotId slot) const {
  const kernels::Slot& s = program_->layout()[slot];
  std::vector<double> values;
  values.reserve(std::size_t{s.rows} * s.cols);
  for (std::size_t i = 0; i < s.rows; ++i)
    for (std::size_t j = 0; j < s.cols; ++j) values.push_back(element(s.offset + i * s.ld + j));
  return values;
}

void HostMember::write(SlotId slot, std::span<const double> values) {
  const kernels::Slot& s = program_->layout()[slot];
  assert(values.size() == std::size_t{s.rows} * s.cols);
  for (std::size_t i = 0; i < s.rows; ++i)
    for (std::size_t j = 0; j < s.cols; ++j) set_element(s.offset + i * s.ld + j, values[i * s.cols + j]);
}

void HostMember::copy(const HostMember& other) {
  assert(other.program().slots().size() == program_->slots().size());
  for (std::size_t s = 0; s < program_->slots().size(); ++s)
    write(static_cast<SlotId>(s), other.read(static_cast<SlotId>(s)));
  member_.step = other.member_.step;
}

SlotId HostMember::dirty_padding() const {
  for (std::size_t k = 0; k < program_->layout().size(); ++k) {
    const kernels::Slot& s = program_->layout()[k];
    for (std::size_t i = 0; i < s.rows; ++i)
      for (std::size_t j = s.cols; j < s.ld; ++j)
        if (element(s.offset + i * s.ld + j) != 0) return static_cast<SlotId>(k);
  }
  return kNone;
}

} // namespace polarscope
