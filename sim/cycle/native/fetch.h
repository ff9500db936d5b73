// When instructions are asked for, arrive and are decoded.

#ifndef SHIFTLOOM_CYCLE_FETCH_H
#define SHIFTLOOM_CYCLE_FETCH_H

#include "engine_queue.h"

namespace shiftloom {

class Fetch {
  public:
    using Queues = std::vector<EngineQueue>;

    Fetch(const Config& config, const std::vector<Instruction>& listing, int64_t length,
          Queues& queues, std::function<void(EngineQueue&)> offered)
        : listing_(listing), queues_(queues), offered_(std::move(offered)),
          parts_(std::max<int64_t>(1, INSTRUCTION_BYTES / config.bus_bytes)),
          per_beat_(std::max<int64_t>(1, config.bus_bytes / INSTRUCTION_BYTES)),
          rest_(config.decode_rest),
          left_((length * INSTRUCTION_BYTES + config.bus_bytes - 1) / config.bus_bytes),
          burst_(config.fetch_burst), depth_(config.fetch_queue),
          queue_(config.fetch_queue, config.fetch_register) {}

    int64_t beats() const { return std::min(burst_, left_); }

    // Let the burst that is offered go in a cycle.
    void issue(Time now) {
        bursts_late_.push_back(WAIT_FETCH);
        asked_ += beats(), left_ -= beats();
        asks_ = now + REGISTER;
        offer();
    }

    // Take beats, one each cycle from a cycle on.
    void arrive(Time first, int64_t beats) {
        for (int64_t k = 0; k < beats; ++k) queue_.writes.push_back(first + k);
        decode();
    }

    // Decode as far as is known.
    void decode() {
        while (gather() && ended == NEVER) {
            const Instruction instruction = listing_[index_];
            const int opcode = instruction.opcode(), engine = engine_of(opcode);
            Time now = valid_;
            if (now > taken_ + std::max(parts_, REGISTER + rest_)) late_ = asked_late();
            if (engine >= 0) {
                const Time room = queues_[engine].room();
                if (room == NEVER) break;
                if (room > now) now = room, late_ = WAIT_LOAD_QUEUE + engine;
            }
            taken_ = now, valid_ = NEVER;
            ++index_;
            if (opcode == OPCODE_END) {
                ended = now;
            } else if (engine >= 0 && queues_[engine].write(now, instruction, late_)) {
                offered_(queues_[engine]);
            }
        }
        assemble();
        offer();
    }

    Time time = FETCH_START, ended = NEVER;

  private:
    // Why memory had not sent the next instruction's beat before.
    int asked_late() const {
        const int64_t beat = index_ * parts_ / per_beat_;
        return bursts_late_[beat / burst_];
    }

    // Find when the next instruction can be decoded; return whether that is known.
    bool gather() {
        if (valid_ < NEVER) return true;
        if (!assemble()) return false;
        entered_ = std::max(complete_, taken_ + rest_);
        valid_ = entered_ + REGISTER, complete_ = NEVER;
        if (parts_ == 1 && (index_ + 1) % per_beat_ == 0) queue_.pops.push_back(entered_);
        return true;
    }

    // Find when the instruction behind is complete; return whether that is known.
    bool assemble() {
        if (complete_ < NEVER) return true;
        const int64_t following = index_ + (valid_ < NEVER ? 1 : 0);
        if (parts_ == 1) return cut(following / per_beat_);
        const int64_t end = (following + 1) * parts_;
        for (int64_t beat = queue_.pops.size(); beat < end; ++beat) {
            if (beat == static_cast<int64_t>(queue_.writes.size())) return false;
            part_ = std::max({queue_.offered(beat), part_ + 1, entered_ + rest_});
            queue_.pops.push_back(part_);
        }
        complete_ = part_ + REGISTER;
        return true;
    }

    // The same where a beat holds whole instructions.
    bool cut(int64_t beat) {
        if (static_cast<int64_t>(queue_.writes.size()) <= beat) return false;
        if (static_cast<int64_t>(queue_.pops.size()) < beat) return false;
        complete_ = std::max(queue_.offered(beat), entered_ + 1);
        return true;
    }

    // Find when there is room for another burst.
    void offer() {
        time = NEVER;
        const int64_t freed = asked_ + burst_ - depth_;
        if (left_ <= 0 || freed > static_cast<int64_t>(queue_.pops.size())) return;
        const Time room = freed > 0 ? queue_.pops[freed - 1] + REGISTER : 0;
        time = std::max(asks_, room);
        bursts_late_.back() = room > asks_ ? late_ : WAIT_FETCH;
    }

    const std::vector<Instruction>& listing_;
    Queues& queues_;
    std::function<void(EngineQueue&)> offered_;
    const int64_t parts_, per_beat_;
    const Time rest_;
    int64_t left_;
    const int64_t burst_, depth_;
    StreamQueue queue_;
    int64_t asked_ = 0, index_ = 0;
    Time asks_ = FETCH_START, taken_ = -1, part_ = -1;
    // The instruction that decoding has, or takes next: when it is complete, entered, is offered.
    Time complete_ = NEVER, entered_ = -1, valid_ = NEVER;
    int late_ = WAIT_FETCH;
    std::vector<int> bursts_late_{WAIT_FETCH};
};

}  // namespace shiftloom

#endif
