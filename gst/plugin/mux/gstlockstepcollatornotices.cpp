// SPDX-License-Identifier: MIT
// What a collator has to report: what is wrong with a pad once for each reason, drops, stalls.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gstlockstepcollator.h"

namespace lockstep {

MuxNotice& Collator::note(MuxNotice::Kind kind, const MuxInput& input) {
  MuxNotice& notice = notices_.emplace_back();
  notice.kind = kind;
  notice.slot = static_cast<guint>(slot_of(input));
  notice.pad = input.name;
  return notice;
}

void Collator::warn(MuxInput& input, DropReason reason, const std::string& text) {
  const auto index = static_cast<std::size_t>(reason);
  if (text.empty() || input.warned[index]) return;
  input.warned[index] = true;
  note(MuxNotice::Kind::warning, input).text = input.name + " " + text;
}

void Collator::note_stalls() {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    MuxInput& input = *inputs_[i];
    const bool stalled = !input.eos && synchroniser_.is_stalled(i);
    if (stalled == input.told_stalled) continue;
    input.told_stalled = stalled;
    input.counts.lost = stalled;
    note(stalled ? MuxNotice::Kind::stalled : MuxNotice::Kind::back, input);
  }
}

void Collator::note_drops(MuxInput& input, Nanoseconds now, bool all) {
  input.drops.report(now, all, [&](std::size_t, DropReason reason, std::uint64_t count) {
    MuxNotice& notice = note(MuxNotice::Kind::dropped, input);
    notice.reason = reason;
    notice.count = count;
  });
}

std::vector<MuxNotice> Collator::take_notices(Nanoseconds now, bool all) {
  for (const auto& input : inputs_) note_drops(*input, now, all);
  return std::exchange(notices_, {});
}

std::vector<MuxNotice> Collator::take_notices(MuxInput& input, Nanoseconds now) {
  note_drops(input, now, false);
  return std::exchange(notices_, {});
}

}  // namespace lockstep
