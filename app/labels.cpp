#include "app/labels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace polarscope {
namespace {

constexpr int kDirections = 12;
constexpr std::array<float, 4> kDistances{1, 2.2f, 4, 7}; // in clearances

// Up-right first, as one reads; then the other corners, then the sides.
constexpr std::array<float, kDirections> kDegrees{-38, -142, 38, 142, 0, 180, -90, 90, -65, -115, 65, 115};

Box slot_box(const LabelRequest& request, int slot) {
  const float a = kDegrees[static_cast<std::size_t>(slot % kDirections)] * 3.14159265f / 180;
  const float reach = request.clearance * kDistances[static_cast<std::size_t>(slot / kDirections)];
  const ImVec2 d{std::cos(a), std::sin(a)};
  const ImVec2 half{request.size.x * 0.5f, request.size.y * 0.5f};
  // the box's nearest side or corner at `reach` from the anchor
  const ImVec2 middle{request.anchor.x + d.x * reach + std::clamp(d.x * 1.6f, -1.0f, 1.0f) * half.x,
                      request.anchor.y + d.y * reach + std::clamp(d.y * 1.6f, -1.0f, 1.0f) * half.y};
  return {{middle.x - half.x, middle.y - half.y}, {middle.x + half.x, middle.y + half.y}};
}

ImVec2 nearest_in(const Box& box, ImVec2 to) {
  return {std::clamp(to.x, box.min.x, box.max.x), std::clamp(to.y, box.min.y, box.max.y)};
}

float distance(ImVec2 a, ImVec2 b) { return std::hypot(a.x - b.x, a.y - b.y); }

// Whether two lines between points cross.
bool cross(ImVec2 a, ImVec2 b, ImVec2 c, ImVec2 d) {
  const auto side = [](ImVec2 p, ImVec2 q, ImVec2 r) { return (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x); };
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

bool passes(ImVec2 a, ImVec2 b, const Box& box) {
  const ImVec2 p = box.min, q{box.max.x, box.min.y}, r = box.max, s{box.min.x, box.max.y};
  return cross(a, b, p, r) || cross(a, b, q, s);
}

// What makes a place a bad one: a leader that crosses another or runs under another label, and standing nearer to what
// another label names.
int faults(std::span<const LabelRequest> requests, std::span<const PlacedLabel> placed, std::size_t index,
           const Box& box) {
  const ImVec2 anchor = requests[index].anchor, end = nearest_in(box, anchor);
  const float own = distance(anchor, end);
  int count = 0;
  for (std::size_t k = 0; k < requests.size(); ++k) {
    if (k == index) continue;
    const ImVec2 other = requests[k].anchor;
    if (distance(other, nearest_in(box, other)) < 0.9f * own) ++count;
    if (k >= placed.size() || placed[k].slot < 0) continue;
    const ImVec2 other_end = nearest_in(placed[k].box, other);
    count +=
        cross(anchor, end, other, other_end) || passes(anchor, end, placed[k].box) || passes(other, other_end, box);
  }
  return count;
}

} // namespace

bool overlap(const Box& a, const Box& b, float gap) {
  return a.min.x < b.max.x + gap && b.min.x < a.max.x + gap && a.min.y < b.max.y + gap && b.min.y < a.max.y + gap;
}

std::vector<PlacedLabel> place_labels(std::span<const LabelRequest> requests, const Box& area,
                                      std::span<const Box> obstacles, float gap) {
  std::vector<PlacedLabel> placed;
  const auto free = [&](const Box& box) {
    if (box.min.x < area.min.x || box.min.y < area.min.y || box.max.x > area.max.x || box.max.y > area.max.y)
      return false;
    for (const PlacedLabel& other : placed)
      if (other.slot >= 0 && overlap(box, other.box, gap)) return false;
    return std::none_of(obstacles.begin(), obstacles.end(), [&](const Box& other) { return overlap(box, other); });
  };
  const int slots = kDirections * static_cast<int>(kDistances.size());
  for (std::size_t index = 0; index < requests.size(); ++index) {
    const LabelRequest& request = requests[index];
    PlacedLabel label;
    int least = std::numeric_limits<int>::max();
    for (int i = request.last_slot >= 0 && request.last_slot < slots ? -1 : 0; i < slots && least > 0; ++i) {
      const int slot = i < 0 ? request.last_slot : i;
      const Box box = slot_box(request, slot);
      if (!free(box)) continue;
      if (const int found = faults(requests, placed, index, box); found < least)
        least = found, label.box = box, label.slot = slot;
    }
    placed.push_back(label);
  }
  return placed;
}

std::vector<float> spread_labels(std::span<const float> wanted, float height, float least, float most) {
  std::vector<float> result(wanted.size(), std::numeric_limits<float>::quiet_NaN());
  const auto room = most < least ? 0 : static_cast<std::size_t>((most - least) / height + 1.0001f);
  std::vector<std::size_t> order(std::min(room, wanted.size()));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
  // pool neighbours that touch; a pool of n labels stands around the mean of what its members want
  struct Pool {
    float sum; // of wanted position minus offset in the pool
    int count;
    float first() const { return sum / static_cast<float>(count); }
  };
  std::vector<Pool> pools;
  for (std::size_t index : order) {
    pools.push_back({wanted[index], 1});
    while (pools.size() > 1) {
      Pool& before = pools[pools.size() - 2];
      const Pool& last = pools.back();
      const float offset = height * static_cast<float>(before.count);
      if (before.first() + offset <= last.first()) break;
      before.sum += last.sum - offset * static_cast<float>(last.count);
      before.count += last.count;
      pools.pop_back();
    }
  }
  std::size_t k = 0;
  for (const Pool& pool : pools)
    for (int i = 0; i < pool.count; ++i, ++k) {
      const float low = least + height * static_cast<float>(k);
      const float high = most - height * static_cast<float>(order.size() - 1 - k);
      result[order[k]] = std::clamp(pool.first() + height * static_cast<float>(i), std::min(low, high), high);
    }
  return result;
}

} // namespace polarscope
